using Spectre.Console;
using Spectre.Console.Rendering;

namespace CudaL2Net.Cli.CommandLine;

/// <summary>
/// Text as it may stand on a terminal: what comes from files and their names could hold characters that move the cursor, change colours or turn the direction
/// of writing. They are written as \u001b. Attached to a console, it does so with all that is drawn there.
/// </summary>
internal sealed class PrintableText : IRenderHook
{
    /// <summary>The text with such characters written out; line ends and tabs stay.</summary>
    public static string Of(string text) => text.Any(IsHarmful)
        ? string.Concat(text.Select(letter => IsHarmful(letter) ? $"\\u{(int)letter:x4}" : letter.ToString()))
        : text;

    /// <inheritdoc/>
    public IEnumerable<IRenderable> Process(RenderOptions options, IEnumerable<IRenderable> renderables) => renderables.Select(drawn => new Printable(drawn));

    // Also the separators of lines and paragraphs, and what turns the direction.
    private static bool IsHarmful(char letter) => letter is not ('\n' or '\t')
        && (char.IsControl(letter) || letter is (>= '\u2028' and <= '\u202e') or (>= '\u2066' and <= '\u2069'));

    private sealed class Printable(IRenderable drawn) : IRenderable
    {
        public Measurement Measure(RenderOptions options, int maxWidth) => drawn.Measure(options, maxWidth);

        public IEnumerable<Segment> Render(RenderOptions options, int maxWidth) => drawn.Render(options, maxWidth).Select(segment =>
            segment.IsControlCode || segment.IsLineBreak || !segment.Text.Any(IsHarmful) ? segment : new Segment(Of(segment.Text), segment.Style));
    }
}
