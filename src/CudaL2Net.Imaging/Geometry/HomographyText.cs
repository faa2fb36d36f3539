using System.Globalization;
using System.Text.RegularExpressions;
using CudaL2Net.Formats;

namespace CudaL2Net.Imaging.Geometry;

/// <summary>
/// Reads the nine numbers of a homography from text, in the forms that people write: three lines of three, one line of nine or nine lines of one; parted by
/// spaces or by commas; plain, or in brackets as NumPy, OpenCV, MATLAB and JSON print them. What could be read in two ways is refused.
/// </summary>
internal static partial class HomographyText
{
    private const int MostCharacters = 10_000;
    private const string Form = "Write three lines of three numbers each, with points as decimal marks: 1 0.05 3";

    /// <summary>Reads a file.</summary>
    /// <returns>Nine finite numbers, row by row.</returns>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">It does not hold nine numbers in one of the forms; the message names file, line and the form to write.</exception>
    public static double[] Read(string path)
    {
        using var reader = new StreamReader(InputFile.Open(path));
        char[] text = new char[MostCharacters + 1];
        int length = reader.ReadBlock(text);
        return length > MostCharacters
            ? throw Wrong(path, 1, $"it has over {MostCharacters} characters, far more than nine numbers need")
            : new Rows(path).Parse(new string(text, 0, length));
    }

    private static InvalidDataException Wrong(string path, int line, string reason) => new($"{path}, line {line}: {reason}. {Form}");

    [GeneratedRegex(@"[,;\[\](){}]|[^\s,;\[\](){}]+")]
    private static partial Regex Token();

    private sealed class Rows(string path)
    {
        private readonly List<(int Line, List<double> Numbers)> rows = [];
        private readonly Stack<char> open = [];
        private List<double> row = [];
        private int line, rowLine, commas;
        private bool? partedByCommas;

        public double[] Parse(string text)
        {
            string[] lines = text.ReplaceLineEndings("\n").TrimEnd().Split('\n');
            foreach (string content in lines)
            {
                line++;
                foreach (Match token in Token().Matches(content))
                {
                    Take(token.Value);
                }

                EndRow();
            }

            return open.Count > 0 ? throw Wrong(path, line, $"the bracket '{open.Peek()}' is not closed") : Elements(text.Trim().Length == 0 ? 0 : line);
        }

        private void Take(string token)
        {
            switch (token)
            {
                case ",":
                    commas++;
                    if (commas > 1 || (row.Count == 0 && rows.Count == 0))
                    {
                        throw Wrong(path, line, "there is no number before a comma");
                    }

                    break;
                case ";":
                    EndRow();
                    break;
                case "[" or "(" or "{":
                    EndRow();
                    open.Push(token[0]);
                    break;
                case "]" or ")" or "}":
                    if (!open.TryPop(out char opened) || "[](){}".IndexOf(opened, StringComparison.Ordinal) + 1 != "[](){}".IndexOf(token, StringComparison.Ordinal))
                    {
                        throw Wrong(path, line, $"'{token}' closes no bracket");
                    }

                    EndRow();
                    break;
                default:
                    Add(Number(token));
                    break;
            }
        }

        private void Add(double number)
        {
            if (row.Count == 0)
            {
                rowLine = line;
            }
            else if ((partedByCommas ??= commas > 0) != commas > 0)
            {
                throw Wrong(path, line, "some numbers are parted by commas and some are not, so a comma may be a decimal mark or part two numbers");
            }

            commas = 0;
            row.Add(number);
        }

        private void EndRow()
        {
            if (row.Count > 0)
            {
                rows.Add((rowLine, row));
                row = [];
                commas = 0;
            }
        }

        private double Number(string token)
        {
            bool read = double.TryParse(token, NumberStyles.Float, CultureInfo.InvariantCulture, out double value);
            return read && double.IsFinite(value)
                ? value
                : throw Wrong(path, line, $"'{(token.Length > 40 ? token[..40] + "..." : token)}' is not a finite number");
        }

        private double[] Elements(int lastLine)
        {
            double[] numbers = [.. rows.SelectMany(part => part.Numbers)];
            if (numbers.Length == 9 && rows.Count is (1 or 9))
            {
                return numbers;
            }

            for (int i = 0; i < rows.Count; i++)
            {
                (int at, List<double> part) = rows[i];
                if (i == 3)
                {
                    throw Wrong(path, at, "a homography has three lines of three numbers, here is a fourth");
                }

                if (part.Count != 3)
                {
                    throw Wrong(path, at, $"expected three numbers, found {part.Count}");
                }
            }

            return rows.Count == 3 ? numbers : throw Wrong(path, lastLine, $"the file ends after {rows.Count} of 3 rows of the homography");
        }
    }
}
