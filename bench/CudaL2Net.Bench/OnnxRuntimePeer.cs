using CudaL2Net.Bench.Measuring;
using CudaL2Net.Data;
using Microsoft.ML.OnnxRuntime;

namespace CudaL2Net.Bench;

/// <summary>
/// ONNX Runtime's CPU provider with an exported network and all graph optimizations. In its favour, it is handed floats that stay in place.
/// </summary>
internal sealed class OnnxRuntimePeer : IDisposable
{
    private static readonly int[] Batches = [16, 64, 256, 2048];

    private readonly InferenceSession session;
    private readonly RunOptions run = new();
    private readonly float[] input;
    private readonly int count;
    private readonly int dimension;
    private (OrtValue Input, OrtValue Output)[] batches = [];

    /// <summary>Loads the network into memory of its own.</summary>
    /// <param name="path">The exported network.</param>
    /// <param name="threads">Threads.</param>
    /// <param name="pixels">The patches, as bytes.</param>
    /// <param name="dimension">Values of a descriptor.</param>
    public OnnxRuntimePeer(string path, int threads, byte[] pixels, int dimension)
    {
        using var options = new SessionOptions
        {
            IntraOpNumThreads = threads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
        };
        session = new InferenceSession(path, options);
        input = [.. pixels.Select(value => (float)value)];
        count = pixels.Length / PatchSet.Area;
        Descriptors = new float[count * dimension];
        this.dimension = dimension;
    }

    /// <summary>Its name and version, and how it is run.</summary>
    public string Name => $"ONNX Runtime {OrtEnv.Instance().GetVersionString()}, batches of {Batch}";

    /// <summary>Patches that it is given at a time.</summary>
    public int Batch { get; private set; }

    /// <summary>What it has made of the patches.</summary>
    public float[] Descriptors { get; }

    /// <summary>Takes the batches that it is fastest with.</summary>
    public void ChooseBatch()
    {
        double best = double.PositiveInfinity;
        int chosen = count;
        foreach (int batch in Batches.Where(batch => batch < count && count % batch == 0).Append(count))
        {
            Use(batch);
            double seconds = Timing.Median(Timing.InTurn(3, 0, Describe)[0]);
            (best, chosen) = seconds < best ? (seconds, batch) : (best, chosen);
        }

        Use(chosen);
    }

    /// <summary>Describes all patches.</summary>
    public void Describe()
    {
        foreach ((OrtValue from, OrtValue to) in batches)
        {
            session.Run(run, ["patches"], [from], ["descriptors"], [to]);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Release();
        run.Dispose();
        session.Dispose();
    }

    private void Use(int batch)
    {
        Release();
        Batch = batch;
        batches = new (OrtValue, OrtValue)[count / batch];
        for (int i = 0; i < batches.Length; i++)
        {
            Memory<float> from = input.AsMemory(i * batch * PatchSet.Area, batch * PatchSet.Area);
            Memory<float> to = Descriptors.AsMemory(i * batch * dimension, batch * dimension);
            OrtMemoryInfo memory = OrtMemoryInfo.DefaultInstance;
            batches[i] = (
                OrtValue.CreateTensorValueFromMemory(memory, from, [batch, 1, PatchSet.Side, PatchSet.Side]),
                OrtValue.CreateTensorValueFromMemory(memory, to, [batch, dimension]));
        }
    }

    private void Release()
    {
        foreach ((OrtValue from, OrtValue to) in batches)
        {
            from.Dispose();
            to.Dispose();
        }

        batches = [];
    }
}
