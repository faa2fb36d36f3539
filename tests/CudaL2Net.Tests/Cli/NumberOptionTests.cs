using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Kernels;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Cli;

/// <summary>Numbers that people type, in every option of the command tree.</summary>
public sealed class NumberOptionTests
{
    private static readonly string[] Wrong = ["1,5", "1,000", "", " 2.5", "2.5x", "1e999", "NaN", "infinity"];

    private static IEnumerable<TestCaseData> Options() =>
        from node in CommandTree.Nodes()
        from option in node.Command.Options
        where NumberOptions.NumberOf(option) is not null
        select new TestCaseData(node.Words, option).SetArgDisplayNames([.. node.Words, option.Name]);

    [TestCaseSource(nameof(Options))]
    public void EveryOptionOfANumberTakesOneAndRefusesWhatIsNone(string[] command, Option option)
    {
        Command root = CommandTree.Root;
        string[] start = [.. command, .. CommandTree.Required(command, option)];
        foreach (string text in Wrong)
        {
            Assert.That(
                root.Parse([.. start, option.Name, text]).Errors.Select(error => error.Message), Has.Some.StartsWith(option.Name).And.Some.Contains("expected a"), text);
        }

        Assert.That(root.Parse([.. start, $"{option.Name}=1,5"]).Errors, Is.Not.Empty);
        Assert.That(root.Parse([.. start, $"{option.Name}="]).Errors, Is.Not.Empty);
        Assert.That(root.Parse([.. start, option.Name, "3"]).Errors, Is.Empty);
        CommandLine.Run([.. start, option.Name, "1,5"]).Explains(2, $"error: {option.Name} 1,5: expected a");
    }

    [Test]
    public void EveryNumberAmongTheSettingsOfATrainingRefusesWhatIsNone()
    {
        var run = new TrainingRun("synthetic", "none", 8, null, new PairOptions(), Presets.Find("quick"));
        string[] names =
        [
            "statisticsMomentum", "loss.margin", "optimizer.learningRate", "optimizer.momentum", "optimizer.weightDecay", "batch", "steps", "epochs", "pairsPerEpoch", "seed",
            "dropout", "epsilon", "patches.noise", "patches.patchScale", "patches.copies", "patches.slidTwins",
        ];
        foreach (string name in names)
        {
            Assert.That(TrainingRun.Change(run, [$"{name}=1"]), Is.Not.Null, name);
            foreach (string text in Wrong)
            {
                Assert.That(() => TrainingRun.Change(run, [$"{name}={text}"]), Throws.TypeOf<UsageException>().With.Message.Contains("point before the decimals"), $"{name}={text}");
            }
        }
    }

    [TestCase("cuda:1,5")]
    [TestCase("cuda: 1")]
    [TestCase("cuda:")]
    [TestCase("cuda:0x1")]
    public void ADevicesNumberIsReadLikeTheOthers(string name) => Assert.That(() => Device.Open(name), Throws.ArgumentException.With.Message.Contains("cuda:N"));

    [TestCase("2, 3")]
    [TestCase("2,3.5")]
    [TestCase("2,")]
    [TestCase("")]
    [TestCase("2;3")]
    public void AListOfImagesHasWholeNumbers(string images)
    {
        CommandLine run = CommandLine.Run("evaluate", "oxford", "nothing", "--images", images);
        Assert.That(run.Code, Is.Not.Zero);
        Assert.That(run.Error, Does.Contain(images == "2, 3" ? "nothing" : "--images"));
    }
}
