using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using CudaL2Net.Tests.Data;

namespace CudaL2Net.Tests.Cli;

public sealed partial class MessageTests
{
    [TestCase("CudaL2Net.Cli")]
    [TestCase("CudaL2Net.Bench")]
    [TestCase("CudaL2Net.Evaluation")]
    [TestCase("CudaL2Net.Imaging")]
    [TestCase("CudaL2Net")]
    public void NoTextSaysAWordTwice(string assembly) =>
        Assert.That(Texts(assembly).Where(text => TwiceTheSame().IsMatch(text) && !text.StartsWith("cudal2net ", StringComparison.Ordinal)), Is.Empty);

    // One place writes these words, so that no message can have them twice.
    [TestCase("hint:")]
    [TestCase("error:")]
    public void OnePlaceWritesTheWordsBeforeAMessage(string word) =>
        Assert.That(Texts("CudaL2Net.Cli").Where(text => text.Contains(word, StringComparison.OrdinalIgnoreCase)), Has.Exactly(1).Items);

    [Test]
    public void AHintIsGivenOnce()
    {
        using var folder = new TemporaryFolder();
        BrownFolder.Write(folder["liberty"], 9);
        CommandLine run = CommandLine.Run("evaluate", "brown", folder["liberty"], "--train-set", "liberty", "--device", "cpu");
        run.Explains(2, "--train-set liberty", "hint: name the folder that holds several sets");
        Assert.That(Regex.Count(run.Error, "hint"), Is.EqualTo(1));
    }

    private static List<string> Texts(string assembly)
    {
        using var file = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, assembly + ".dll")));
        MetadataReader metadata = file.GetMetadataReader();
        List<string> texts = [];
        for (UserStringHandle text = MetadataTokens.UserStringHandle(1); !text.IsNil; text = metadata.GetNextHandle(text))
        {
            texts.Add(metadata.GetUserString(text));
        }

        return texts;
    }

    [GeneratedRegex(@"(?<![\w-])([a-z]{2,})[:;.]? \1(?![\w-])", RegexOptions.IgnoreCase)]
    private static partial Regex TwiceTheSame();
}
