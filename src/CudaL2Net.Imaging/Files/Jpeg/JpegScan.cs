using System.Numerics;

namespace CudaL2Net.Imaging.Files.Jpeg;

/// <summary>
/// Walks through the codes of one scan without computing pixels. A decoder fills up what is missing and only warns; here every code must be in its table, every
/// coefficient in its block, and the bytes of each interval must hold exactly its blocks.
/// </summary>
internal sealed class JpegScan(IReadOnlyList<JpegComponent> components, bool progressive, int first, int last, int high, int low)
{
    // So many bytes of 0 in a row are dozens of coefficients in a row that are all -1, unless the code of zeros is that of an even block.
    private static readonly byte[] Zeros = new byte[12];

    private int endOfBand;

    /// <summary>Walks through the scan.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="position">Where the scan's data start.</param>
    /// <param name="frameColumns">MCUs of all components side by side.</param>
    /// <param name="frameRows">MCUs of all components one below another.</param>
    /// <param name="interval">MCUs between restart markers; 0 without.</param>
    /// <returns>Where the marker after the scan starts.</returns>
    public int Walk(ReadOnlySpan<byte> file, int position, int frameColumns, int frameRows, int interval)
    {
        bool alone = components.Count == 1;
        int columns = alone ? components[0].Columns : frameColumns, rows = alone ? components[0].Rows : frameRows, restarts = 0, left = interval;
        var bits = new JpegBits(file, position);
        Reset();
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                if (interval > 0 && left == 0)
                {
                    bits = new JpegBits(file, Restart(file, End(ref bits), restarts++));
                    left = interval;
                    Reset();
                }

                left--;
                if (alone)
                {
                    Block(ref bits, components[0], (row * components[0].Stride) + column);
                }
                else
                {
                    Unit(ref bits, row, column);
                }
            }
        }

        int end = End(ref bits);
        bool telling = high == 0 && components.Any(component => component.Ac is { } table && (table.OfZeros & 15) != 0);
        return telling && file[position..end].IndexOf(Zeros) >= 0 ? throw Damage.Because("a part of a scan is overwritten by zeros") : end;
    }

    private static int Restart(ReadOnlySpan<byte> file, int position, int number)
    {
        while (position < file.Length - 1 && file[position] == 0xFF && file[position + 1] == 0xFF)
        {
            position++;
        }

        return position >= file.Length - 1
            ? throw Damage.Cut("its last scan has no end")
            : file[position + 1] == 0xD0 + (number & 7) ? position + 2 : throw Damage.Because($"restart marker {number} of a scan is missing");
    }

    private int End(ref JpegBits bits) => endOfBand == 0 ? bits.End() : throw Damage.Because("a scan ends within a band of zeros");

    private void Reset()
    {
        endOfBand = 0;
        foreach (JpegComponent component in components)
        {
            component.Predicted = 0;
        }
    }

    private void Unit(ref JpegBits bits, int row, int column)
    {
        foreach (JpegComponent component in components)
        {
            for (int y = 0; y < component.Vertical; y++)
            {
                int start = (((row * component.Vertical) + y) * component.Stride) + (column * component.Horizontal);
                for (int x = 0; x < component.Horizontal; x++)
                {
                    Block(ref bits, component, start + x);
                }
            }
        }
    }

    private void Block(ref JpegBits bits, JpegComponent component, int block)
    {
        if (!progressive)
        {
            Mean(ref bits, component);
            if (!bits.SkipBlock(component.Ac!, component.MostBits))
            {
                throw Impossible();
            }
        }
        else if (first == 0)
        {
            if (high == 0)
            {
                Mean(ref bits, component);
            }
            else
            {
                bits.Peek16();
                bits.Skip(1);
            }
        }
        else if (high == 0)
        {
            Band(ref bits, component, ref component.NonZero[block]);
        }
        else
        {
            Refine(ref bits, component, ref component.NonZero[block]);
        }
    }

    private void Mean(ref JpegBits bits, JpegComponent component)
    {
        int size = component.Dc!.Next(ref bits);
        if (size > 15)
        {
            throw Damage.Because("a scan has a difference of means that cannot be");
        }

        int value = bits.Take(size);
        component.Predict(size > 0 && value < 1 << (size - 1) ? value - (1 << size) + 1 : value, low);
    }

    private void Band(ref JpegBits bits, JpegComponent component, ref ulong nonZero)
    {
        if (endOfBand > 0)
        {
            endOfBand--;
            return;
        }

        for (int k = first; k <= last; k++)
        {
            int symbol = component.Ac!.Next(ref bits), size = symbol & 15, run = symbol >> 4;
            if (size != 0)
            {
                k += run;
                if (k > last || size + low > component.MostBits[k])
                {
                    throw Impossible();
                }

                bits.Skip(size);
                nonZero |= 1UL << k;
            }
            else if (run == 15)
            {
                k += 15;
            }
            else
            {
                endOfBand = (1 << run) + bits.Take(run) - 1;
                return;
            }
        }
    }

    private void Refine(ref JpegBits bits, JpegComponent component, ref ulong nonZero)
    {
        int k = first;
        if (endOfBand == 0)
        {
            for (; k <= last; k++)
            {
                int symbol = component.Ac!.Next(ref bits), size = symbol & 15, run = symbol >> 4;
                if (size > 1)
                {
                    throw Impossible();
                }

                if (size == 0 && run < 15)
                {
                    endOfBand = (1 << run) + bits.Take(run);
                    break;
                }

                bits.Skip(size);
                for (; k <= last; k++)
                {
                    if ((nonZero >> k & 1) != 0)
                    {
                        bits.Peek16();
                        bits.Skip(1);
                    }
                    else if (run-- == 0)
                    {
                        break;
                    }
                }

                if (size != 0)
                {
                    nonZero |= k <= last ? 1UL << k : throw Impossible();
                }
            }
        }

        if (endOfBand > 0)
        {
            if (k <= last)
            {
                bits.SkipMany(BitOperations.PopCount((nonZero >> k) & (ulong.MaxValue >> (63 - last + k))));
            }

            endOfBand--;
        }
    }

    private static InvalidDataException Impossible() => Damage.Because("a scan has a coefficient that cannot be");
}
