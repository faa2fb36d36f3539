using System.Globalization;
using System.Numerics;

namespace CudaL2Net.Formats;

/// <summary>Reads the numbers that people type: on the command line, in settings, and in files written by hand.</summary>
/// <remarks>
/// Digits with a point before the decimals, and e before a power of ten: 0.05, -3, 1e-4. A comma is refused wherever it stands, for some read it as the
/// point and some as a separator of thousands. Spaces, NaN and infinity are refused, and so is a number that the type cannot hold.
/// </remarks>
internal static class NumberText
{
    /// <summary>Reads a number; whole ones have digits and a sign only.</summary>
    /// <param name="text">The whole text.</param>
    /// <param name="value">The number, finite.</param>
    /// <returns>Whether the text is such a number.</returns>
    public static bool TryParse<T>(ReadOnlySpan<char> text, out T value)
        where T : struct, INumber<T>
    {
        NumberStyles style = IsWhole<T>() ? NumberStyles.AllowLeadingSign : NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;

        // A text after which zero bytes follow would be read, too.
        value = default;
        return !text.Contains('\0') && T.TryParse(text, style, CultureInfo.InvariantCulture, out value) && T.IsFinite(value) && !IsLost(text, value);
    }

    /// <summary>What to say of a text that is no such number.</summary>
    public static string Expected<T>()
        where T : struct, INumber<T>, IMinMaxValue<T> => IsWhole<T>()
            ? string.Create(CultureInfo.InvariantCulture, $"a whole number from {T.MinValue} to {T.MaxValue}, written with digits only, as 1000")
            : "a number, written with a point before the decimals and without separators, as 0.05, 1000 or 1e-4";

    /// <summary>The number; throws if the text is none.</summary>
    /// <param name="what">What has this value, for the message.</param>
    /// <param name="text">The whole text.</param>
    /// <exception cref="FormatException">It is no such number; the message says how to write it.</exception>
    public static T Parse<T>(string what, string text)
        where T : struct, INumber<T>, IMinMaxValue<T> =>
        TryParse(text, out T value) ? value : throw new FormatException($"{what} {(text.Length == 0 ? "(empty)" : text)}: expected {Expected<T>()}");

    private static bool IsWhole<T>()
        where T : struct, INumber<T> => T.One / (T.One + T.One) == T.Zero;

    // 1e-999 would become 0.
    private static bool IsLost<T>(ReadOnlySpan<char> text, T value)
        where T : struct, INumber<T>
    {
        int exponent = text.IndexOfAny('e', 'E');
        return T.IsZero(value) && (exponent < 0 ? text : text[..exponent]).IndexOfAnyInRange('1', '9') >= 0;
    }
}
