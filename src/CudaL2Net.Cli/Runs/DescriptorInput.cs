using CudaL2Net.Formats;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;

namespace CudaL2Net.Cli.Runs;

/// <summary>Files of descriptors that a command line names.</summary>
internal static class DescriptorInput
{
    /// <summary>Reads descriptors: floats are values, bytes are packed bits, as <c>describe</c> writes them.</summary>
    /// <param name="input">An .npy, or FILE.npz:NAME; [n, d] numbers.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or has no descriptors or numbers that are not finite.</exception>
    public static DescriptorSet Read(string input)
    {
        (string file, string? name) = PatchInput.Split(input);
        NpyArray array = NpzFile.IsArchive(file) ? NpzFile.Read(file, name) : NpyFile.Read(file);
        int[] shape = array.Shape.ToArray();
        if (shape is not [_, > 0] || array.ElementType == typeof(bool))
        {
            throw new InvalidDataException($"{input}: the array is [{string.Join(", ", shape)}] of {array.ElementType.Name}; descriptors are numbers, [n, d], a row each");
        }

        if (shape[0] == 0)
        {
            throw new InvalidDataException($"{input} has no descriptors");
        }

        if (array.ElementType == typeof(byte))
        {
            return DescriptorSet.FromBits(array.AsArray<byte>(), shape[1] * 8);
        }

        float[] values = array.ToFloats();
        int bad = NpyArray.FirstNonFinite(values);
        return bad < 0
            ? DescriptorSet.FromValues(values, shape[1])
            : throw new InvalidDataException($"{input}, row {bad / shape[1]}: value {bad % shape[1]} is {values[bad]}");
    }

    /// <summary>Throws where two files of descriptors cannot be compared.</summary>
    /// <exception cref="InvalidDataException">One has bits and the other values, or their rows have different lengths.</exception>
    public static void RequireSameKind(string first, DescriptorSet a, string second, DescriptorSet b)
    {
        if (a.Dimension != b.Dimension || a.Bits is null != b.Bits is null)
        {
            throw new InvalidDataException($"{first} has {Words(a)}, {second} {Words(b)}: they are not of one method");
        }
    }

    /// <summary>Reads the keypoints of stored descriptors.</summary>
    /// <exception cref="InvalidDataException">They are damaged, or not as many as the descriptors.</exception>
    public static Keypoint[] ReadKeypoints(string file, string input, DescriptorSet descriptors)
    {
        // Only places are asked for.
        Keypoint[] keypoints = KeypointFile.Read(file, usualSize: 1);
        return keypoints.Length == descriptors.Count
            ? keypoints
            : throw new InvalidDataException($"{file} has {keypoints.Length} keypoints, and {input} {descriptors.Count} descriptors: they are not of one image");
    }

    private static string Words(DescriptorSet set) => set.Bits is null ? $"descriptors of {set.Dimension} values" : $"descriptors of {set.Dimension} bits";
}
