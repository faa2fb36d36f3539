using System.Runtime.InteropServices;
using CudaL2Net.Data;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Matching;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using OpenCvSharp;

namespace CudaL2Net.Evaluation.Describers;

/// <summary>What a network in an ONNX file is given for a pixel.</summary>
public enum PatchScaling
{
    /// <summary>(x - mean) / (deviation + 1e-7) of the patch, deviation with n - 1: HardNet, SOSNet and most others.</summary>
    PerPatch,

    /// <summary>x / 255: 0 to 1.</summary>
    ZeroToOne,

    /// <summary>The grey value, 0 to 255: networks that normalize for themselves, as those that <c>export</c> writes.</summary>
    Grey,
}

/// <summary>
/// Any network that describes patches, run by ONNX Runtime. It has one float input of one channel, [n][1][side][side] or [n][side][side][1], and its first
/// output has the same number of floats for each patch. The batch and the side may be left open; an open side is taken to be 32.
/// Many threads may use one at once.
/// </summary>
public sealed class OnnxDescriber : IPatchDescriber, IDisposable
{
    private const int Block = 256;

    private readonly string file;
    private readonly InferenceSession session;
    private readonly PatchScaling scaling;
    private readonly string inputName;
    private readonly int side;
    private readonly int fixedBatch;
    private readonly bool channelLast;
    private readonly Lock state = new();
    private int users;
    private bool disposed;

    /// <summary>Loads a network.</summary>
    /// <param name="name">The name in tables and plots.</param>
    /// <param name="path">The ONNX file.</param>
    /// <param name="scaling">What the network is given for a pixel.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">ONNX Runtime does not take it, or its input or output is another one; the text names the file.</exception>
    public OnnxDescriber(string name, string path, PatchScaling scaling, int threads = 0)
    {
        byte[] model = ReadAll(path);
        Name = name;
        file = path;
        this.scaling = scaling;
        try
        {
            using var options = new SessionOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, IntraOpNumThreads = threads };
            session = new InferenceSession(model, options);
        }
        catch (OnnxRuntimeException error)
        {
            FileKind kind = FileKinds.Of(model.AsSpan(0, Math.Min(model.Length, FileKinds.Bytes)));
            string reason = kind is not FileKind.Onnx && FileKinds.NameOf(kind) is { } other ? $"it is {other}" : error.Message.Split('\n')[0];
            throw new InvalidDataException($"{path} is no network that ONNX Runtime can run: {reason}", error);
        }

        try
        {
            if (session.InputMetadata.Count != 1)
            {
                throw Unfit($"it has {session.InputMetadata.Count} inputs, and one is expected");
            }

            (inputName, NodeMetadata input) = session.InputMetadata.Single();
            (side, fixedBatch, channelLast) = Layout(input);
            Dimension = Run(new float[Math.Max(1, fixedBatch) * side * side], Math.Max(1, fixedBatch)).Length / Math.Max(1, fixedBatch);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int Dimension { get; }

    /// <inheritdoc/>
    public bool IsBinary => false;

    /// <inheritdoc/>
    public int PatchSide => PatchResize.Supports(side) ? side : side < PatchSet.Side ? PatchSet.Side : 65;

    /// <inheritdoc/>
    public double PatchScale => CutPatchDescriber.UsualPatchScale;

    /// <inheritdoc/>
    public DescriptorSet Describe(ReadOnlySpan<byte> patches, int side)
    {
        lock (state)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
        }

        byte[] resized = Resize(patches, side);
        int area = this.side * this.side, count = resized.Length / area, batch = fixedBatch > 0 ? fixedBatch : Block;
        var values = new float[count * Dimension];
        for (int first = 0; first < count; first += batch)
        {
            int used = Math.Min(batch, count - first);
            var input = new float[(fixedBatch > 0 ? fixedBatch : used) * area];
            for (int i = 0; i < used; i++)
            {
                Scale(resized.AsSpan((first + i) * area, area), input.AsSpan(i * area, area));
            }

            Run(input, input.Length / area).AsSpan(0, used * Dimension).CopyTo(values.AsSpan(first * Dimension));
        }

        int odd = Array.FindIndex(values, value => !float.IsFinite(value));
        return odd < 0
            ? DescriptorSet.FromValues(values, Dimension)
            : throw new InvalidDataException(
                $"{file} gives {values[odd]} in the descriptor of a patch; is the network given the pixels as it was trained with?");
    }

    /// <summary>Ends the use of the network. Does not wait: the session goes when the threads that are in it have left.</summary>
    public void Dispose()
    {
        lock (state)
        {
            if (!disposed && users == 0)
            {
                session.Dispose();
            }

            disposed = true;
        }
    }

    private static byte[] ReadAll(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        using FileStream stream = InputFile.Open(path);
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private InvalidDataException Unfit(string reason) => new($"{file} does not describe patches: {reason}");

    private (int Side, int Batch, bool ChannelLast) Layout(NodeMetadata input)
    {
        const int MostSide = 512;
        int[] sizes = input.Dimensions ?? [];
        string shape = $"[{string.Join(", ", sizes.Select(size => size < 0 ? "?" : $"{size}"))}]";
        if (input.ElementType != typeof(float) || sizes.Length != 4 || (sizes[1] != 1 && sizes[3] != 1))
        {
            throw Unfit($"its input is {input.ElementType?.Name ?? "no tensor"} {shape}, and float [n, 1, side, side] or [n, side, side, 1] is expected");
        }

        bool last = sizes[1] != 1;
        (int height, int width) = last ? (sizes[1], sizes[2]) : (sizes[2], sizes[3]);
        return height == width && height != 0 && height <= MostSide
            ? (height < 0 ? PatchSet.Side : height, Math.Max(0, sizes[0]), last)
            : throw Unfit($"its input {shape} is no square of up to {MostSide} pixels");
    }

    private byte[] Resize(ReadOnlySpan<byte> patches, int from)
    {
        if (from == side && PatchResize.Supports(from) && patches.Length % (from * from) == 0)
        {
            return patches.ToArray();
        }

        if (side == PatchSet.Side || !PatchResize.Supports(from) || patches.Length % (from * from) != 0)
        {
            return PatchResize.Reduce(patches, from);
        }

        int count = patches.Length / (from * from);
        byte[] pixels = patches.ToArray(), resized = new byte[count * side * side];
        InterpolationFlags way = side < from ? InterpolationFlags.Area : InterpolationFlags.Linear;
        for (int i = 0; i < count; i++)
        {
            using Mat patch = Mat.FromPixelData(from, from, MatType.CV_8UC1, pixels.AsSpan(i * from * from, from * from).ToArray());
            using var target = new Mat();
            Cv2.Resize(patch, target, new Size(side, side), 0, 0, way);
            Marshal.Copy(target.Data, resized, i * side * side, side * side);
        }

        return resized;
    }

    private void Scale(ReadOnlySpan<byte> patch, Span<float> input)
    {
        double mean = 0, factor = scaling == PatchScaling.Grey ? 1 : 1 / 255.0;
        if (scaling == PatchScaling.PerPatch)
        {
            const double Epsilon = 1e-7;
            long sum = 0, squares = 0;
            foreach (byte pixel in patch)
            {
                sum += pixel;
                squares += pixel * pixel;
            }

            mean = (double)sum / patch.Length;
            factor = 1 / (Math.Sqrt((squares - (sum * mean)) / (patch.Length - 1)) + Epsilon);
        }

        for (int i = 0; i < patch.Length; i++)
        {
            input[i] = (float)((patch[i] - mean) * factor);
        }
    }

    private float[] Run(float[] input, int batch)
    {
        int[] shape = channelLast ? [batch, side, side, 1] : [batch, 1, side, side];
        Enter();
        try
        {
            using IDisposableReadOnlyCollection<DisposableNamedOnnxValue> outputs =
                session.Run([NamedOnnxValue.CreateFromTensor(inputName, new DenseTensor<float>(input, shape))], [session.OutputNames[0]]);
            if (outputs[0].Value is not Tensor<float> output)
            {
                throw Unfit($"its output {session.OutputNames[0]} is not of floats");
            }

            float[] values = output.ToArray();
            return values.Length > 0 && values.Length % batch == 0 && (Dimension == 0 || values.Length == batch * Dimension)
                ? values
                : throw Unfit($"its output has {values.Length} floats for {batch} patches");
        }
        catch (OnnxRuntimeException error)
        {
            throw Unfit($"ONNX Runtime could not run it on {side} x {side} pixels: {error.Message.Split('\n')[0]}");
        }
        finally
        {
            Leave();
        }
    }

    private void Enter()
    {
        lock (state)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            users++;
        }
    }

    private void Leave()
    {
        lock (state)
        {
            if (--users == 0 && disposed)
            {
                session.Dispose();
            }
        }
    }
}
