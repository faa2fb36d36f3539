using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace CudaL2Net.Fuzz;

/// <summary>A hash of all that was read from a file.</summary>
internal sealed class Digest : IDisposable
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public void Add<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        Add(values.Length);
        hash.AppendData(MemoryMarshal.AsBytes(values));
    }

    public void Add<T>(T[] values)
        where T : unmanaged => Add<T>(values.AsSpan());

    public void Add(int value) => hash.AppendData(BitConverter.GetBytes(value));

    public void Add(string value) => Add<byte>(Encoding.UTF8.GetBytes(value));

    /// <summary>The hash.</summary>
    public string End() => Convert.ToHexStringLower(hash.GetHashAndReset());

    public void Dispose() => hash.Dispose();
}
