using System.Runtime.InteropServices;
using CudaL2Net.Formats;
using CudaL2Net.Matching;
using Microsoft.Win32.SafeHandles;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>Blocks of one method's descriptors in a temporary file, for benchmarks whose descriptors do not fit into memory; gone when disposed of.</summary>
internal sealed class DescriptorStore : IDisposable
{
    private readonly Dictionary<(int Group, int Strip), (long Offset, int Count)> blocks = [];
    private readonly string path = Path.Combine(Path.GetTempPath(), $"cudal2net-{Guid.NewGuid():N}.descriptors");
    private readonly SafeFileHandle file;
    private readonly int dimension;
    private readonly bool binary;
    private long end;

    public DescriptorStore(int dimension, bool binary)
    {
        this.dimension = dimension;
        this.binary = binary;
        try
        {
            // Windows removes the file with its last handle, however the program ends; elsewhere a file without a name lasts as long as it is open.
            FileOptions options = OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None;
            file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, options);
            if (!OperatingSystem.IsWindows())
            {
                File.Delete(path);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.Explain(path, error);
        }
    }

    /// <summary>Values, or bits, of a descriptor.</summary>
    public int Dimension => dimension;

    /// <summary>Bytes of one descriptor.</summary>
    public long BytesPerDescriptor => binary ? dimension / 8 : dimension * (long)sizeof(float);

    public void Write(int group, int strip, DescriptorSet descriptors)
    {
        ReadOnlySpan<byte> bytes = descriptors.Bits is { } bits ? bits : MemoryMarshal.AsBytes(descriptors.Values.AsSpan());
        try
        {
            RandomAccess.Write(file, bytes, end);
        }
        catch (IOException error)
        {
            throw AtomicFile.Explain(path, error);
        }

        blocks.Add((group, strip), (end, descriptors.Count));
        end += bytes.Length;
    }

    public DescriptorSet Read(int group, int strip)
    {
        (long offset, int count) = blocks[(group, strip)];
        if (binary)
        {
            byte[] bits = new byte[count * BytesPerDescriptor];
            ReadAll(bits, offset);
            return DescriptorSet.FromBits(bits, dimension);
        }

        float[] values = new float[count * (long)dimension];
        ReadAll(MemoryMarshal.AsBytes(values.AsSpan()), offset);
        return DescriptorSet.FromValues(values, dimension);
    }

    public void Dispose() => file.Dispose();

    private void ReadAll(Span<byte> bytes, long offset)
    {
        while (!bytes.IsEmpty)
        {
            int read = RandomAccess.Read(file, bytes, offset);
            if (read == 0)
            {
                throw new IOException($"{path}, a temporary file, has been cut short by another program. Run it again.");
            }

            bytes = bytes[read..];
            offset += read;
        }
    }
}
