using CudaL2Net.Cli.Runs;

namespace CudaL2Net.Tests.Cli;

public sealed class GreyLevelsTests
{
    private const int Side = 4, Area = Side * Side;

    [Test]
    public void NoOnePixelChangesTheOtherPatches()
    {
        float[] moved = [-30, -0.05f, -1e-6f, 0, 1e-6f, 0.5f, 1, 1.0000001f, 1.04f, 1.11f, 2, 100, 255, 255.00002f, 270, 300, 65535];
        int compared = 0;
        for (int seed = 0; seed < 300; seed++)
        {
            // From empty to full patches, bright and dark, of both units and of units between.
            var random = new Random(seed);
            double share = random.NextDouble(), brightest = new[] { 1, 1.05, 1.5, 3, 40, 255 }[seed % 6];
            float[] values = [.. Enumerable.Range(0, 3 * Area).Select(_ => random.NextDouble() < share * share ? (float)(brightest * random.NextDouble()) : 0)];
            byte[]? before = Bytes(values);
            int pixel = random.Next(Area);
            foreach (float value in moved)
            {
                float[] other = [.. values];
                other[pixel] = value;
                if (before is not null && Bytes(other) is { } after)
                {
                    Assert.That(after[Area..], Is.EqualTo(before[Area..]), $"seed {seed}, pixel {pixel} moved to {value}");
                    compared++;
                }
            }
        }

        Assert.That(compared, Is.GreaterThan(1000));
    }

    [TestCase(new[] { 0f, 0.5f, 1f }, null, false, new byte[] { 0, 128, 255 })]
    [TestCase(new[] { 0f, 0.5f, 1.0000001f }, null, false, new byte[] { 0, 128, 255 })]
    [TestCase(new[] { -0.02f, 0.5f, 1.08f }, null, false, new byte[] { 0, 128, 255 })]
    [TestCase(new[] { 0f, 127.4f, 254.6f }, null, false, new byte[] { 0, 127, 255 })]
    [TestCase(new[] { -3f, 127.4f, 260f }, null, false, new byte[] { 0, 127, 255 })]
    [TestCase(new[] { 0f, 3f, 2f }, null, true, new byte[] { 0, 3, 2 })]
    [TestCase(new[] { 0f, 1f, 1f }, 1.0, true, new byte[] { 0, 255, 255 })]
    [TestCase(new[] { 0f, 1f, 0.4f }, 255.0, false, new byte[] { 0, 1, 0 })]
    [TestCase(new[] { 0f, 4095f, 2048f }, 4095.0, true, new byte[] { 0, 255, 128 })]
    [TestCase(new[] { -0.3f, 0.5f, 1.5f }, 1.0, false, new byte[] { 0, 128, 255 })]
    public void WhiteIsFoundOrGiven(float[] values, double? white, bool wholeNumbers, byte[] expected) =>
        Assert.That(Bytes(values, white, wholeNumbers), Is.EqualTo(expected));

    [TestCase(new[] { 0.1f, 0.5f, 0.7f, 0.8f, 1.2f }, null, false)]
    [TestCase(new[] { 0.1f, 0.5f, 0.7f, 0.8f, 200f }, null, false)]
    [TestCase(new[] { -0.5f, 0.5f, 1f }, null, false)]
    [TestCase(new[] { 5f, 100f, 4095f }, null, false)]
    [TestCase(new[] { 5f, 100f, 4095f }, null, true)]
    [TestCase(new[] { -100f, 100f, 200f }, null, true)]
    [TestCase(new[] { 0f, 1f, 1f }, null, true)]
    [TestCase(new[] { 5f, 100f, 200f }, 1.0, false)]
    public void WhatCannotBeToldIsRefusedWithTheOptionToGive(float[] values, double? white, bool wholeNumbers)
    {
        var levels = new GreyLevels("p.npy", Side, wholeNumbers, white);
        levels.Add(values);
        Assert.That(levels.Decide, Throws.TypeOf<InvalidDataException>().With.Message.Contains("p.npy").And.Message.Contains("--white"));
    }

    private static byte[]? Bytes(float[] values, double? white = null, bool wholeNumbers = false)
    {
        var levels = new GreyLevels("p.npy", Side, wholeNumbers, white);
        levels.Add(values.AsSpan(0, values.Length / 2));
        levels.Add(values.AsSpan(values.Length / 2));
        try
        {
            levels.Decide();
        }
        catch (InvalidDataException)
        {
            return null;
        }

        return levels.ToBytes(values);
    }
}
