using CudaL2Net.Cli.CommandLine;

namespace CudaL2Net.Tests.Cli;

public sealed class SuggestionTests
{
    private static readonly string[] Presets = ["l2net", "l2net+", "hardnet-200k", "ral-200k", "quick"];

    [TestCase("hardnet200k", "hardnet-200k")]
    [TestCase("L2NET", "l2net")]
    [TestCase("qiuck", "quick")]
    [TestCase("ral-20k", "ral-200k")]
    [TestCase("resnet50", null)]
    public void NearestFindsWhatWasMeant(string word, string? expected) => Assert.That(Suggestion.Nearest(word, Presets), Is.EqualTo(expected));
}
