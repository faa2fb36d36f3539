using CudaL2Net.Formats;
using CudaL2Net.Matching;

namespace CudaL2Net.Pipelines.Hloc;

/// <summary>What descriptors are in a file of features.</summary>
internal enum DescriptorForm
{
    /// <summary>32 bits per value.</summary>
    Float32,

    /// <summary>16 bits per value.</summary>
    Float16,

    /// <summary>A byte per value, (value - 128) / 256; the attributes <c>scale</c> and <c>offset</c> say so.</summary>
    UInt8,

    /// <summary>A bit per value, eight in a byte; the attribute <c>bits</c> says so.</summary>
    Bits,
}

/// <summary>Turns descriptors into the columns of a file, and back.</summary>
internal static class DescriptorColumns
{
    /// <summary>Attributes of bytes: value = (byte - offset) x scale.</summary>
    public const float Scale = 1 / 256f, Offset = 128;

    /// <summary>The columns of descriptors: [rows][n], rows the values of one, or its bytes.</summary>
    public static SafetensorsTensor Of(DescriptorSet descriptors, DescriptorForm form)
    {
        int n = descriptors.Count;
        if (form == DescriptorForm.Bits)
        {
            return SafetensorsTensor.From<byte>(Turned<byte>(descriptors.Bits, n), descriptors.Dimension / 8, n);
        }

        float[] columns = Turned<float>(descriptors.Values, n);
        return form switch
        {
            DescriptorForm.Float32 => SafetensorsTensor.From<float>(columns, descriptors.Dimension, n),
            DescriptorForm.Float16 => SafetensorsTensor.FromRoundedToHalf(columns, descriptors.Dimension, n),
            _ => SafetensorsTensor.From<byte>(
                Array.ConvertAll(columns, value => (byte)Math.Clamp(MathF.Round((value / Scale) + Offset), 0, byte.MaxValue)), descriptors.Dimension, n),
        };
    }

    /// <summary>The transpose of a matrix.</summary>
    /// <param name="values">[rows][columns].</param>
    /// <param name="rows">Its rows.</param>
    /// <returns>[columns][rows].</returns>
    public static T[] Turned<T>(ReadOnlySpan<T> values, int rows)
    {
        int columns = rows == 0 ? 0 : values.Length / rows;
        var turned = new T[values.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                turned[(column * rows) + row] = values[(row * columns) + column];
            }
        }

        return turned;
    }
}
