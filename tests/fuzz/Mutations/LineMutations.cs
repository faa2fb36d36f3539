using System.Text;
using System.Text.RegularExpressions;

namespace CudaL2Net.Fuzz.Mutations;

/// <summary>Damage to texts: lines doubled and missing, numbers that are none.</summary>
internal static partial class LineMutations
{
    private static readonly string[] Numbers =
    [
        "NaN", "nan", "inf", "-inf", "Infinity", "1e999", "-1e999", "1e-400", "-0", "-1", "1.5", "1,5", "0x10", "1e3", "+1", "٣", "²", "１", "", "null",
        "true", "2147483647", "2147483648", "-2147483648", "4294967296", "9223372036854775808", "99999999999999999999999999", "1_000", "1 000", "\"1\"",
        "[1]", "\u001b[31m1", "1.7976931348623157e308", "4.9e-324",
    ];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Func<byte[], Random, byte[]>> All { get; } =
        [DoubleLine, DropLine, SwapLines, Number, Number, Number, Number, LongNumber, LongLine, Endings, Spaces, Encode, ManyLines, DropWord];

    /// <summary>What a number may be taken for.</summary>
    public static string AnyNumber(Random random) => Numbers[random.Next(Numbers.Length)];

    private static byte[] DoubleLine(byte[] file, Random random) => Lines(file, lines =>
        lines.Insert(random.Next(lines.Count + 1), lines[random.Next(lines.Count)]));

    private static byte[] DropLine(byte[] file, Random random) => Lines(file, lines => lines.RemoveAt(random.Next(lines.Count)));

    private static byte[] SwapLines(byte[] file, Random random) => Lines(file, lines =>
    {
        int first = random.Next(lines.Count), second = random.Next(lines.Count);
        (lines[first], lines[second]) = (lines[second], lines[first]);
    });

    private static byte[] ManyLines(byte[] file, Random random) => Lines(file, lines =>
    {
        string line = lines[random.Next(lines.Count)];
        lines.AddRange(Enumerable.Repeat(line, Math.Min(random.Next(1, 3000), 1 + (Mutator.Largest / (line.Length + 1)))));
    });

    private static byte[] Number(byte[] file, Random random) => Replace(file, random, AnyNumber(random));

    private static byte[] LongNumber(byte[] file, Random random) =>
        Replace(file, random, (random.Next(2) == 0 ? "0." : "") + new string((char)('0' + random.Next(10)), random.Next(1, 100_000)));

    private static byte[] DropWord(byte[] file, Random random) => Replace(file, random, "");

    private static byte[] LongLine(byte[] file, Random random) => Lines(file, lines =>
        lines[random.Next(lines.Count)] += " " + string.Join(' ', Enumerable.Repeat("1", random.Next(1, 5000))));

    private static byte[] Endings(byte[] file, Random random) =>
        Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(file).Replace("\n", new[] { "\r\n", "\r", "\n\n", " \n", "\0\n", "" }[random.Next(6)]));

    private static byte[] Spaces(byte[] file, Random random) =>
        Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(file).Replace(" ", new[] { "\t", "  ", "\u00a0", ",", "", "\u2003" }[random.Next(6)]));

    private static byte[] Encode(byte[] file, Random random)
    {
        string text = Encoding.UTF8.GetString(file);
        Encoding[] encodings = [Encoding.Unicode, Encoding.BigEndianUnicode, Encoding.UTF32, new UTF8Encoding(true)];
        Encoding encoding = encodings[random.Next(encodings.Length)];
        return random.Next(4) == 0 ? encoding.GetBytes(text) : [.. encoding.GetPreamble(), .. encoding.GetBytes(text)];
    }

    private static byte[] Replace(byte[] file, Random random, string by)
    {
        string text = Encoding.UTF8.GetString(file);
        MatchCollection words = Words().Matches(text);
        if (words.Count == 0)
        {
            return file;
        }

        Match word = words[random.Next(words.Count)];
        return Encoding.UTF8.GetBytes(text[..word.Index] + by + text[(word.Index + word.Length)..]);
    }

    private static byte[] Lines(byte[] file, Action<List<string>> change)
    {
        List<string> lines = [.. Encoding.Latin1.GetString(file).Split('\n')];
        change(lines);
        return Encoding.Latin1.GetBytes(string.Join('\n', lines));
    }

    [GeneratedRegex(@"[^\s,:\[\]{}""]+")]
    private static partial Regex Words();
}
