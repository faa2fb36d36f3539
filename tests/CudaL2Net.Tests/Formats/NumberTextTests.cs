using CudaL2Net.Formats;

namespace CudaL2Net.Tests.Formats;

public sealed class NumberTextTests
{
    /// <summary>What is no number, however some program or country reads it.</summary>
    public static readonly string[] Wrong =
    [
        "", " ", "1,5", "1,000", "1.000,5", "1'000", "1 000", "1_000", " 2.5", "2.5 ", "2.5x", "x", "1e999", "-1e999", "1e-999", "NaN", "nan", "infinity", "Infinity",
        "-Infinity", "∞", "1.5.2", "--1", "(1)", "1-", "$1", "5%", "0x10", "1e", "e5", ".", "٣", "½", "2.5\0", "1/2",
    ];

    [TestCaseSource(nameof(Wrong))]
    public void WhatIsNoNumberIsRefused(string text)
    {
        Assert.Multiple(() =>
        {
            Assert.That(NumberText.TryParse(text, out double _), Is.False);
            Assert.That(NumberText.TryParse(text, out float _), Is.False);
            Assert.That(NumberText.TryParse(text, out int _), Is.False);
            Assert.That(() => NumberText.Parse<double>("--lr", text), Throws.TypeOf<FormatException>().With.Message.Contains("--lr").And.Message.Contains("0.05"));
        });
    }

    [TestCase("1.5")]
    [TestCase("1e3")]
    [TestCase("99999999999")]
    public void AWholeNumberHasDigitsOnlyAndFitsItsType(string text)
    {
        Assert.That(NumberText.TryParse(text, out int _), Is.False);
        Assert.That(() => NumberText.Parse<int>("--batch", text), Throws.TypeOf<FormatException>().With.Message.Contains("2147483647"));
    }

    [TestCase("0.05", 0.05)]
    [TestCase("-3", -3)]
    [TestCase("+2.5", 2.5)]
    [TestCase(".5", 0.5)]
    [TestCase("1e-4", 1e-4)]
    [TestCase("2E3", 2000)]
    [TestCase("0", 0)]
    [TestCase("0e5", 0)]
    public void ANumberIsRead(string text, double value) => Assert.That(NumberText.Parse<double>("x", text), Is.EqualTo(value));

    [Test]
    public void ANumberThatTheTypeCannotHoldIsRefused()
    {
        Assert.That(NumberText.TryParse("1e39", out float _), Is.False, "infinite as a float");
        Assert.That(NumberText.TryParse("1e-60", out float _), Is.False, "0 as a float");
        Assert.That(NumberText.TryParse("-1", out ulong _), Is.False);
        Assert.That(NumberText.Parse<ulong>("--seed", "18446744073709551615"), Is.EqualTo(ulong.MaxValue));
    }
}
