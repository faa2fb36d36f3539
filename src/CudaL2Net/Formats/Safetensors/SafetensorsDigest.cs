using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace CudaL2Net.Formats;

/// <summary>
/// The SHA-256 of what a safetensors file holds, which this project keeps in the file's metadata. It is taken of the metadata (without itself) and of the
/// tensors, both in the order of their names, so that other programs may write the same content in another order. docs/formats.md has the form.
/// </summary>
internal static class SafetensorsDigest
{
    /// <summary>The entry of the metadata.</summary>
    public const string Key = "cudal2net_sha256";

    /// <summary>The digest, 64 hexadecimal digits.</summary>
    public static string Of(IEnumerable<KeyValuePair<string, string>> metadata, IEnumerable<KeyValuePair<string, SafetensorsTensor>> tensors)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((string key, string value) in metadata.Where(entry => entry.Key != Key).OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            Add(Encoding.UTF8.GetBytes(key));
            Add(Encoding.UTF8.GetBytes(value));
        }

        foreach ((string name, SafetensorsTensor tensor) in tensors.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            Add(Encoding.UTF8.GetBytes(name));
            Add(Encoding.UTF8.GetBytes($"{tensor.Dtype} {SafetensorsTensor.FormatShape(tensor.Shape)}"));
            Add(tensor.Data.Span);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());

        // The length first, so that nothing can move from one text to the next.
        void Add(ReadOnlySpan<byte> bytes)
        {
            Span<byte> length = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(length, bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }
    }
}
