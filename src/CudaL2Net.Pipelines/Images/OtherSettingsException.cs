namespace CudaL2Net.Pipelines.Images;

/// <summary>What is there already was made with other settings, or by another program, and is not mixed with what is asked for.</summary>
/// <param name="message">What was made how.</param>
internal sealed class OtherSettingsException(string message) : Exception(message);
