using System.Globalization;
using CudaL2Net.Formats;

namespace CudaL2Net.Cli.Runs;

/// <summary>
/// Grey levels of an array that may be 0..1 or 0..255. Looks at all values first, in blocks, and then turns them into bytes. What white is follows from where
/// most values lie; between the two answers lies a range in which it refuses to answer, so that no one pixel can change the other patches.
/// </summary>
/// <param name="file">What errors call the array.</param>
/// <param name="side">Of the patches, for the places that errors name.</param>
/// <param name="wholeNumbers">Whether the elements are integers: then white is 255.</param>
/// <param name="white">What white is; null to find out.</param>
internal sealed class GreyLevels(string file, int side, bool wholeNumbers, double? white)
{
    // Resampling goes beyond black and white by a little. Of a white that was named, only a multiple is refused: it is another unit.
    private const double Overshoot = 0.1, OvershootOfNamed = 1;

    private readonly Range one = new(1, Overshoot), given = new(white ?? 255, white is null ? Overshoot : OvershootOfNamed);
    private long count, positive;
    private double? decided = white;

    /// <summary>Looks at the next values.</summary>
    /// <exception cref="InvalidDataException">One is no finite number.</exception>
    public void Add(ReadOnlySpan<float> values)
    {
        int damaged = NpyArray.FirstNonFinite(values);
        if (damaged >= 0)
        {
            throw new InvalidDataException($"{file}: {values[damaged]} at {Place(count + damaged)}; patches must be finite numbers");
        }

        foreach (float value in values)
        {
            one.Add(value, count);
            given.Add(value, count++);
            positive += value > 0 ? 1 : 0;
        }
    }

    /// <summary>Decides what white is.</summary>
    /// <returns>What is to be said about it.</returns>
    /// <exception cref="InvalidDataException">It cannot be told, or values lie outside; the message says what to do.</exception>
    public string Decide()
    {
        Range range = decided is null && !wholeNumbers && one.Above == 0 ? one : given;
        if (decided is null && !wholeNumbers && one.Above > 0 && 2 * one.Above <= positive)
        {
            throw Unclear($"{Show(one.FirstAbove)} at {Place(one.FirstAboveAt)} lies above 1, but most values lie in 0..1");
        }

        if (decided is null && wholeNumbers && one.Above == 0 && positive > 0)
        {
            throw Unclear("all values are 0 or 1");
        }

        if (range.FirstOutsideAt is { } at)
        {
            throw Unclear($"{Show(range.FirstOutside)} at {Place(at)} lies outside of 0..{Show(range.White)}");
        }

        decided = range.White;
        string clipped = range.Clipped > 0
            ? $"; values beyond 0..{Show(range.White)}, taken as black or white: {range.Clipped}, by at most {Show(range.Furthest)}"
            : string.Empty;
        return $"{file}: white is {Show(range.White)}{clipped}";
    }

    /// <summary>The values as bytes, 0 to 255, once it is decided.</summary>
    public byte[] ToBytes(ReadOnlySpan<float> values)
    {
        float scale = (float)(255 / decided!.Value);
        var bytes = new byte[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            bytes[i] = (byte)Math.Clamp(MathF.Round(values[i] * scale), 0, 255);
        }

        return bytes;
    }

    private static string Show(double value) => value.ToString("G7", CultureInfo.InvariantCulture);

    private InvalidDataException Unclear(string what) =>
        new($"{file}: {what}. --white W says what white is in this array: 1, 255, or the highest grey level that it can have");

    private string Place(long index) => $"[{index / (side * side)}, {index / side % side}, {index % side}]";

    private sealed class Range(double white, double overshoot)
    {
        public double White => white;

        public long Above { get; private set; }

        public double FirstAbove { get; private set; }

        public long FirstAboveAt { get; private set; }

        public double FirstOutside { get; private set; }

        public long? FirstOutsideAt { get; private set; }

        public long Clipped { get; private set; }

        public double Furthest { get; private set; }

        public void Add(float value, long at)
        {
            double beyond = Math.Max(-value, value - white);
            if (beyond <= 0)
            {
                return;
            }

            if (beyond <= overshoot * white)
            {
                Clipped++;
                Furthest = Math.Max(Furthest, beyond);
                return;
            }

            if (FirstOutsideAt is null)
            {
                (FirstOutside, FirstOutsideAt) = (value, at);
            }

            if (value > 0 && Above++ == 0)
            {
                (FirstAbove, FirstAboveAt) = (value, at);
            }
        }
    }
}
