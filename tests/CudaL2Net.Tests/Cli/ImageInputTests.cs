using CudaL2Net.Cli.Runs;
using CudaL2Net.Tests.Imaging;
using OpenCvSharp;

namespace CudaL2Net.Tests.Cli;

/// <summary>What the commands make of the sizes and the oddities of image files.</summary>
public sealed class ImageInputTests : ModelCommandTests
{
    [Test]
    public void TheSizesBesideThoseOfStripsAskWhatIsMeant()
    {
        foreach (int side in new[] { 32, 64, 65 })
        {
            for (int count = 1; count <= 40; count++)
            {
                for (int width = side - 1; width <= side + 1; width++)
                {
                    for (int height = (count * side) - 1; height <= (count * side) + 1; height++)
                    {
                        bool strip = width is 32 or 64 or 65 && height % width == 0;
                        Assert.That(PatchInput.IsImage(width, height), Is.EqualTo(strip ? false : (bool?)null), $"{width} x {height}");
                    }
                }
            }
        }

        (int, int)[] images = [(640, 480), (50, 50), (128, 128), (100, 6400), (64, 40), (8, 8), (1, 1)];
        Assert.That(images.Select(size => PatchInput.IsImage(size.Item1, size.Item2)), Has.All.EqualTo(true));
    }

    [Test]
    public void AStripShortOfARowIsAUsageErrorThatNamesTheOption()
    {
        using (Mat cut = TestImages.Speckle(65, (65 * 6) - 1, 8))
        {
            Cv2.ImWrite(folder["cut.png"], cut);
        }

        CommandLine.Run("describe", folder["cut.png"], "--model", model, "--out", folder["cut.npy"])
            .Explains(2, "cut.png", "65 x 389", "--as strip", "--as image");
        Assert.That(File.Exists(folder["cut.npy"]), Is.False);
        CommandLine.Run("describe", folder["cut.png"], "--as", "strip", "--model", model, "--out", folder["cut.npy"]).Explains(1, "cut.png");
        CommandLine.MustRun("describe", folder["cut.png"], "--as", "image", "--model", model, "--out", folder["cut.npy"]);
    }

    [Test]
    public void WhatIsOddAboutAnImageIsSaidOnceAndDamageIsAnError()
    {
        using Mat grey = TestImages.Speckle(200, 160, 4), twelve = new();
        grey.ConvertTo(twelve, MatType.CV_16U, 16);
        Cv2.ImWrite(folder["twelve.png"], twelve);
        string said = CommandLine.MustRun("match", folder["twelve.png"], folder["twelve.png"], "--model", model, "--out", folder["m.png"]).Error;
        Assert.That(said.Split("twelve.png uses 12 of 16 bits"), Has.Length.EqualTo(2), said);

        byte[] png = File.ReadAllBytes(folder["twelve.png"]);
        png[png.Length / 2] ^= 4;
        File.WriteAllBytes(folder["damaged.png"], png);
        CommandLine.Run("match", folder["twelve.png"], folder["damaged.png"], "--model", model).Explains(1, "damaged.png is damaged");
    }
}
