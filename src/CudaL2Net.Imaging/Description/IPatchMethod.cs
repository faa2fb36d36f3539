namespace CudaL2Net.Imaging.Description;

/// <summary>A method that tells patches apart: by descriptors (<see cref="IPatchDescriber"/>) or by scores of pairs (<see cref="IPairScorer"/>).</summary>
public interface IPatchMethod
{
    /// <summary>The method's name in tables and plots.</summary>
    string Name { get; }
}
