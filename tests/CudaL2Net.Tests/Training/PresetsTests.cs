using CudaL2Net.Kernels;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Training;

public sealed class PresetsTests
{
    [Test]
    public void EveryPresetIsValidAndSurvivesJson()
    {
        foreach ((string name, _) in Presets.All)
        {
            TrainingOptions options = Presets.Find(name);
            Assert.That(options.Validate, Throws.Nothing);
            Assert.That(TrainingOptions.FromJson(options.ToJson()).ToJson(), Is.EqualTo(options.ToJson()));
        }
    }

    [Test]
    public void APlusAddsTheAugmentationOfItsPaper()
    {
        Assert.That(Presets.Find("l2net+").Augmentation, Is.EqualTo(PatchAugmentation.Dihedral));
        Assert.That(Presets.Find("ral-5m+").Augmentation, Is.EqualTo(PatchAugmentation.TransposeFlip));
        Assert.That(Presets.Find("ral-5m").Augmentation, Is.EqualTo(PatchAugmentation.None));
    }

    [Test]
    public void AnUnknownPresetIsAnErrorThatListsAll() =>
        Assert.That(() => Presets.Find("l3net"), Throws.ArgumentException.With.Message.Contains("l3net").And.Message.Contains("hardnet-200k"));

    [TestCase("dropout", "0.5")]
    [TestCase("loss.margin", "0.25")]
    [TestCase("loss.triplet", "softmax")]
    [TestCase("loss.intermediateLayers", "[2,3]")]
    [TestCase("optimizer.kind", "adam")]
    public void AnySettingCanBeOverridden(string path, string value)
    {
        TrainingOptions changed = Presets.Find("hardnet-200k").With(path, value);
        Assert.That(changed.ToJson(), Does.Contain(value).And.Not.EqualTo(Presets.Find("hardnet-200k").ToJson()));
    }

    [TestCase("los.margin", "1", "no setting 'los.margin'")]
    [TestCase("loss", "1", "no setting 'loss'")]
    [TestCase("dropout", "wet", "cannot be 'wet'")]
    [TestCase("loss.triplet", "quadruplet", "cannot be 'quadruplet' (it is \"margin\")")]
    public void AWrongSettingIsAnErrorThatHelps(string path, string value, string message) =>
        Assert.That(() => Presets.Find("quick").With(path, value), Throws.ArgumentException.With.Message.Contains(message));
}
