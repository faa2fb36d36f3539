using System.Globalization;
using System.Security.Cryptography;
using CudaL2Net.Data;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Training;

/// <summary>
/// All that decides how a training goes on: a model file that also holds the optimizer's moments (<c>moments.N</c>), and in its metadata the options, the
/// data's fingerprint and the position.
/// </summary>
/// <param name="Model">Weights and statistics.</param>
/// <param name="Moments">The optimizer's moments.</param>
/// <param name="Options">The options.</param>
/// <param name="DataFingerprint">Of the training set.</param>
/// <param name="Step">Steps done.</param>
/// <param name="TotalSteps">Steps in all.</param>
/// <param name="FirstLoss">The loss of the first step.</param>
/// <param name="Device">The kind of device that the last step was done on: cpu or cuda.</param>
/// <param name="Precision">What its matrix products multiplied.</param>
internal sealed record Checkpoint(
    ModelFile Model, IReadOnlyList<float[]> Moments, TrainingOptions Options, string DataFingerprint, int Step, int TotalSteps, float FirstLoss, string Device,
    Precision Precision)
{
    private const string Kind = "cudal2net-checkpoint-1";

    /// <summary>What errors call it.</summary>
    public string Source { get; init; } = "the checkpoint";

    /// <summary>A hash of the patches, their points, and their centres and large forms where there are such.</summary>
    public static string Fingerprint(PatchSet patches)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(patches.Pixels);
        hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(patches.PointIds));
        hash.AppendData(patches.Centres ?? []);
        hash.AppendData(patches.Large ?? []);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Writes the file.</summary>
    public void Write(string path)
    {
        (Dictionary<string, SafetensorsTensor> tensors, Dictionary<string, string> metadata) = Content();
        SafetensorsFile.Write(path, tensors, metadata);
    }

    /// <summary>The bytes of the file.</summary>
    public byte[] ToBytes()
    {
        (Dictionary<string, SafetensorsTensor> tensors, Dictionary<string, string> metadata) = Content();
        return SafetensorsFile.ToBytes(tensors, metadata);
    }

    private (Dictionary<string, SafetensorsTensor> Tensors, Dictionary<string, string> Metadata) Content()
    {
        var tensors = new Dictionary<string, SafetensorsTensor>();
        Model.AddTensors(tensors, half: false);
        for (int i = 0; i < Moments.Count; i++)
        {
            tensors[$"moments.{i}"] = SafetensorsTensor.From<float>(Moments[i], Moments[i].Length);
        }

        Dictionary<string, string> metadata = Model.CompleteMetadata();
        metadata["checkpoint"] = Kind;
        metadata["options"] = Options.ToJson();
        metadata["data"] = DataFingerprint;
        new TrainingPosition(Step, TotalSteps).Write(metadata);
        metadata["first_loss"] = FirstLoss.ToString("R", CultureInfo.InvariantCulture);
        metadata["device"] = Device;
        metadata["precision"] = Precision.ToString().ToLowerInvariant();
        return (tensors, metadata);
    }

    /// <exception cref="InvalidDataException">The file is damaged or no checkpoint.</exception>
    public static Checkpoint Read(string path) => From(SafetensorsFile.Read(path));

    /// <summary>Reads the bytes of such a file; errors call them <paramref name="name"/>.</summary>
    /// <exception cref="InvalidDataException">They are damaged or no checkpoint.</exception>
    public static Checkpoint Read(byte[] bytes, string name) => From(SafetensorsFile.Read(new MemoryStream(bytes), name));

    /// <summary>Throws unless a run goes on with what the checkpoint was made with.</summary>
    /// <param name="options">The run's settings.</param>
    /// <param name="precision">Its device's.</param>
    /// <param name="fingerprint">Of its training set.</param>
    /// <exception cref="InvalidDataException">Settings, precision or data are others.</exception>
    public void RequireSame(TrainingOptions options, Precision precision, string fingerprint)
    {
        if (Options.ToJson() != options.ToJson())
        {
            throw new InvalidDataException(
                $"{Source} was made with other settings; resume with the same ones\n  there: {Options.ToJson()}\n  here:  {options.ToJson()}");
        }

        if (Precision != precision)
        {
            throw new InvalidDataException(
                $"{Source} was made in {Precision.ToString().ToLowerInvariant()}, the device computes in {precision.ToString().ToLowerInvariant()}; resume with "
                    + "the same --precision");
        }

        if (DataFingerprint != fingerprint)
        {
            throw new InvalidDataException($"{Source} was made with other training data; resume with the same data");
        }
    }

    private static Checkpoint From(SafetensorsFile file)
    {
        string path = file.Name;
        if (file.Metadata.GetValueOrDefault("checkpoint") != Kind)
        {
            throw new InvalidDataException($"{path}: this is not a checkpoint of this version (expected '{Kind}' in its metadata)");
        }

        var moments = new List<float[]>();
        while (file.Tensors.TryGetValue($"moments.{moments.Count}", out SafetensorsTensor? tensor))
        {
            moments.Add(ModelFile.Finite(file, $"moments.{moments.Count}", TensorKind.Zeros, tensor.Shape));
        }

        TrainingPosition position = TrainingPosition.Find(file.Metadata, path) ?? throw Invalid("step", "is missing");
        if (!float.TryParse(file.Metadata.GetValueOrDefault("first_loss", "NaN"), NumberStyles.Float, CultureInfo.InvariantCulture, out float firstLoss)
            || float.IsInfinity(firstLoss))
        {
            throw Invalid("first_loss", "is no number");
        }

        if (!Enum.TryParse(file.Metadata.GetValueOrDefault("precision", nameof(Precision.Float32)), ignoreCase: true, out Precision precision)
            || !Enum.IsDefined(precision))
        {
            throw Invalid("precision", "is unknown");
        }

        return new Checkpoint(ModelFile.From(file), moments, Options(), file.Metadata.GetValueOrDefault("data", ""), position.Step, position.TotalSteps, firstLoss,
            file.Metadata.GetValueOrDefault("device", "cpu"), precision)
        { Source = path };

        TrainingOptions Options()
        {
            try
            {
                TrainingOptions options = TrainingOptions.FromJson(file.Metadata.GetValueOrDefault("options", ""));
                options.ValidateSettings();
                return options;
            }
            catch (Exception error) when (error is System.Text.Json.JsonException or ArgumentException)
            {
                throw Invalid("options", $"cannot be used: {error.Message.TrimEnd('.')}");
            }
        }

        InvalidDataException Invalid(string key, string reason) =>
            new($"{path}: metadata '{key}' {reason}. The checkpoint is damaged: start the training again from its beginning.");
    }

    /// <summary>The network to go on with, and its weights.</summary>
    /// <exception cref="InvalidDataException">They do not fit the network of the options.</exception>
    public (Network Network, NetworkWeights Weights) Start()
    {
        try
        {
            return NetworkStart.From(Options.Network, Model, keepEpsilon: true);
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{Source}: its weights do not fit the network of its options: {error.Message}", error);
        }
    }

    /// <summary>Copies the moments to the device.</summary>
    /// <exception cref="InvalidDataException">They do not fit the network.</exception>
    public void Restore(IReadOnlyList<Tensor<float>> moments)
    {
        if (moments.Count != Moments.Count || Moments.Where((values, i) => values.Length != moments[i].Length).Any())
        {
            throw new InvalidDataException($"{Source}: its moments do not fit the network and optimizer of its options");
        }

        for (int i = 0; i < moments.Count; i++)
        {
            moments[i].Write(Moments[i]);
        }
    }
}
