using System.Runtime.CompilerServices;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Networks;

public sealed class ImageStreamTests(string deviceName) : OperationTests(deviceName)
{
    private Device device = null!;
    private PatchModel model = null!;

    [OneTimeSetUp]
    public void OpenDevice()
    {
        device = Open();
        model = PatchModel.CreateRandom(TestNetworks.Small, 1, device);
    }

    [OneTimeTearDown]
    public void CloseDevice()
    {
        model?.Dispose();
        device?.Dispose();
    }

    [Test]
    public async Task ThousandsOfSmallImagesAreDescribedAsOneByOneToTheBit([Values(1, 5, 0)] int held)
    {
        int count = device.Name == "cpu" ? 3000 : 150;
        long next = 0;
        await foreach (DescribedImage<float> described in model.DescribeAsync(Images(count), held))
        {
            Assert.That(described.Index, Is.EqualTo(next));
            ImageToDescribe expected = Image(next++);
            Assert.That(described.Image.Pixels.Span.SequenceEqual(expected.Pixels.Span), Is.True);
            Assert.That(described.Descriptors, Is.EqualTo(Serial(expected)), $"image {described.Index}");
        }

        Assert.That(next, Is.EqualTo(count));
    }

    [Test]
    public async Task BitsOfFramesInColourAreThoseOfOneByOne()
    {
        List<ImageToDescribe> images = [.. Enumerable.Range(0, 60).Select(ColourImage)];
        var found = new List<byte[]>();
        await foreach (DescribedImage<byte> described in model.DescribeBinaryAsync(images.ToAsyncEnumerable(), held: 9))
        {
            found.Add(described.Descriptors);
        }

        byte[][] expected = [.. images.Select(image => model.DescribeBinary(image.Cut(model.PatchScale, model.PatchSide), model.PatchSide))];
        Assert.That(found, Is.EqualTo(expected));
        Assert.That(expected.Sum(bits => bits.Length), Is.EqualTo(60 * 4 * model.Dimension / 8));
    }

    [Test]
    public async Task ImagesWithMorePatchesThanABlockAreDescribedWhole()
    {
        // Of 512 patches on the CPU: one image alone, and small ones around it.
        PatchKeypoint[] many = [.. Enumerable.Range(0, device.Name == "cpu" ? 1300 : 40).Select(i => new PatchKeypoint(5 + (i % 50), 5 + (i / 50), 6, i))];
        ImageToDescribe[] images = [Image(3), new ImageToDescribe(Samples.Bytes(9, 60 * 60), 60, 60, many), Image(4)];
        List<DescribedImage<float>> found = await Collect(model.DescribeAsync(images.ToAsyncEnumerable()));
        Assert.That(found.Select(described => described.Descriptors), Is.EqualTo(images.Select(Serial)));
    }

    [Test]
    public async Task NoMoreImagesThanStatedAreHeld([Values(1, 2, 7)] int held)
    {
        long read = 0, most = 0, done = 0;
        async IAsyncEnumerable<ImageToDescribe> Source([EnumeratorCancellation] CancellationToken stop = default)
        {
            for (long i = 0; i < 200; i++)
            {
                await Task.Yield();
                most = Math.Max(most, ++read - Interlocked.Read(ref done));
                yield return Image(i);
            }
        }

        await foreach (DescribedImage<float> described in model.DescribeAsync(Source(), held))
        {
            // While the first ones are looked at the stream fills up.
            await Task.Delay(described.Index < 3 ? 100 : 0);
            Interlocked.Increment(ref done);
        }

        Assert.That(done, Is.EqualTo(200));
        Assert.That(most, Is.EqualTo(held));
    }

    [Test]
    public async Task AnImageThatFailsIsNamedAfterTheResultsOfThoseBefore([Values(0, 57)] int bad, [Values(1, 0)] int held)
    {
        var source = new Source(i => i != bad ? Image(i) : new ImageToDescribe(Samples.Bytes(1, 400), 20, 20, new PatchKeypoint[] { new(5, 5, 4, 0), new(25, 5, 4, 0) }));
        var found = new List<long>();
        ImageDescriptionException? error = null;
        try
        {
            await foreach (DescribedImage<float> described in model.DescribeAsync(source, held))
            {
                found.Add(described.Index);
            }
        }
        catch (ImageDescriptionException failure)
        {
            error = failure;
        }

        Assert.That(found, Is.EqualTo(Enumerable.Range(0, bad)));
        Assert.That(error!.Index, Is.EqualTo(bad));
        Assert.That(error.Message, Does.Contain($"image {bad} of the stream").And.Contain("keypoint 1 at (25, 5) is not in the image"));
        Assert.That(error.InnerException, Is.TypeOf<ArgumentException>());
        await source.AssertEnded();
    }

    [Test]
    public void DescriptorsThatAreOfNoUseNameTheirImage()
    {
        ModelFile damaged = TestNetworks.Map(ModelFile.Untrained(TestNetworks.Small, 1), "filters", filters => Array.ConvertAll(filters, _ => float.NaN));
        using var broken = new PatchModel(damaged, device);
        ImageToDescribe[] images = [Empty(), Empty(), Image(1), Image(2)];
        Assert.That(
            async () => await Collect(broken.DescribeAsync(images.ToAsyncEnumerable())),
            Throws.TypeOf<ImageDescriptionException>().With.Property("Index").EqualTo(2).And.Message.Contains("patch 0").And.InnerException.TypeOf<InvalidDataException>());
    }

    [Test]
    public async Task AnExceptionOfTheSourceComesAfterTheImagesBeforeIt()
    {
        var source = new Source(i => i < 20 ? Image(i) : throw new FileNotFoundException("no image 20"));
        var found = new List<long>();
        Assert.That(
            async () =>
            {
                await foreach (DescribedImage<float> described in model.DescribeAsync(source))
                {
                    found.Add(described.Index);
                }
            },
            Throws.TypeOf<FileNotFoundException>().With.Message.EqualTo("no image 20"));
        Assert.That(found, Is.EqualTo(Enumerable.Range(0, 20)));
        await source.AssertEnded();
    }

    [Test]
    public async Task CancellationLeavesNothingRunning([Values(0, 1, 40)] int after, [Values(1, 0)] int held)
    {
        using var cancel = new CancellationTokenSource();
        var source = new Source(Image);
        long found = 0;
        OperationCanceledException? error = null;
        try
        {
            await foreach (DescribedImage<float> described in model.DescribeAsync(source, held, cancel.Token))
            {
                if (++found >= after)
                {
                    await cancel.CancelAsync();
                }
            }
        }
        catch (OperationCanceledException stopped)
        {
            error = stopped;
        }

        Assert.That(error?.CancellationToken, Is.EqualTo(cancel.Token));
        Assert.That(found, Is.InRange(1, Math.Max(after, 1)));
        await source.AssertEnded();
    }

    [Test]
    public async Task CancellationEndsTheWaitForAnImageThatDoesNotCome()
    {
        using var cancel = new CancellationTokenSource();
        var waiting = new TaskCompletionSource();
        var source = new Source(Image, async (index, stop) =>
        {
            if (index == 2)
            {
                waiting.SetResult();
                await Task.Delay(Timeout.Infinite, stop);
            }
        });
        Task<List<DescribedImage<float>>> all = Collect(model.DescribeAsync(source).WithCancellation(cancel.Token));
        await waiting.Task;
        Assert.That(all.IsCompleted, Is.False);
        await cancel.CancelAsync();
        Assert.That(async () => await all, Throws.InstanceOf<OperationCanceledException>());
        await source.AssertEnded();
    }

    [Test]
    public void NothingIsReadWhereItIsCancelledAlready()
    {
        var source = new Source(Image);
        Assert.That(async () => await Collect(model.DescribeAsync(source, 0, new CancellationToken(canceled: true))), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(source.Read, Is.Zero);
    }

    [Test]
    public async Task LeavingTheLoopLeavesNothingRunning()
    {
        var source = new Source(Image);
        await foreach (DescribedImage<float> described in model.DescribeAsync(source))
        {
            if (described.Index == 11)
            {
                break;
            }
        }

        await source.AssertEnded();
    }

    [Test]
    public async Task AModelThatIsDisposedOfMeanwhileEndsTheStream()
    {
        using PatchModel other = PatchModel.CreateRandom(TestNetworks.Small, 1, device);
        var source = new Source(Image);
        Assert.That(
            async () =>
            {
                await foreach (DescribedImage<float> described in other.DescribeAsync(source))
                {
                    other.Dispose();
                }
            },
            Throws.TypeOf<ObjectDisposedException>());
        await source.AssertEnded();
    }

    [Test]
    public async Task AStreamCanBeEnumeratedAgainAndTwoAtOnce()
    {
        IAsyncEnumerable<DescribedImage<float>> stream = model.DescribeAsync(Images(40));
        Task<List<DescribedImage<float>>> first = Collect(stream), second = Collect(stream);
        float[][] expected = [.. Enumerable.Range(0, 40).Select(i => Serial(Image(i)))];
        Assert.That((await first).Select(described => described.Descriptors), Is.EqualTo(expected));
        Assert.That((await second).Select(described => described.Descriptors), Is.EqualTo(expected));
    }

    [Test]
    public async Task NoImagesGiveNothing() => Assert.That(await Collect(model.DescribeAsync(Images(0))), Is.Empty);

    [Test]
    public void RefusesWhatCannotBe()
    {
        Assert.That(() => model.DescribeAsync(Images(1), -1), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => model.DescribeAsync(null!), Throws.ArgumentNullException);
        Assert.That(() => new ImageToDescribe(new byte[5], 2, 3, new PatchKeypoint[1]), Throws.ArgumentException.With.Message.Contains("6 bytes"));
        PatchModel gone = PatchModel.CreateRandom(TestNetworks.Small, 1, device);
        gone.Dispose();
        Assert.That(() => gone.DescribeAsync(Images(1)), Throws.TypeOf<ObjectDisposedException>());
    }

    private static ImageToDescribe Empty() => new(Samples.Bytes(1, 100), 10, 10, default(ReadOnlyMemory<PatchKeypoint>));

    /// <summary>A small image with no, one, two or three keypoints.</summary>
    private static ImageToDescribe Image(long index)
    {
        int width = 20 + (int)(index % 13), height = 15 + (int)(index % 7);
        PatchKeypoint[] keypoints =
            [.. Enumerable.Range(0, (int)(index % 4)).Select(k => new PatchKeypoint(3 + (4 * k), 2 + (3 * k), 3 + (index % 5), 10 * (index + k)))];
        return new ImageToDescribe(Samples.Bytes((ulong)(index % 50), width * height), width, height, keypoints);
    }

    private static ImageToDescribe ColourImage(int index)
    {
        AffineFrame[] frames = [.. Enumerable.Range(0, 4).Select(k => new AffineFrame(4 + (3 * k), 10 - k, 3, 0.5f * k, -1, 4))];
        return new ImageToDescribe(Samples.Bytes((ulong)index, 20 * 70), 20, 20, frames, stride: 70, channels: 3);
    }

    private static IAsyncEnumerable<ImageToDescribe> Images(int count) => Enumerable.Range(0, count).Select(i => Image(i)).ToAsyncEnumerable();

    private static async Task<List<DescribedImage<float>>> Collect(IAsyncEnumerable<DescribedImage<float>> stream)
    {
        var found = new List<DescribedImage<float>>();
        await foreach (DescribedImage<float> described in stream)
        {
            found.Add(described);
        }

        return found;
    }

    private static async Task<List<DescribedImage<float>>> Collect(ConfiguredCancelableAsyncEnumerable<DescribedImage<float>> stream)
    {
        var found = new List<DescribedImage<float>>();
        await foreach (DescribedImage<float> described in stream)
        {
            found.Add(described);
        }

        return found;
    }

    private float[] Serial(ImageToDescribe image) => model.Describe(image.Cut(model.PatchScale, model.PatchSide), model.PatchSide);

    /// <summary>An endless source that tells how much was read and when it was let go.</summary>
    private sealed class Source(Func<long, ImageToDescribe> image, Func<long, CancellationToken, Task>? before = null) : IAsyncEnumerable<ImageToDescribe>
    {
        private long read;
        private int open;

        public long Read => Interlocked.Read(ref read);

        public async IAsyncEnumerator<ImageToDescribe> GetAsyncEnumerator(CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref open);
            try
            {
                for (long index = 0; ; index++)
                {
                    await Task.Yield();
                    if (before != null)
                    {
                        await before(index, cancellationToken);
                    }

                    Interlocked.Increment(ref read);
                    yield return image(index);
                }
            }
            finally
            {
                Interlocked.Decrement(ref open);
            }
        }

        /// <summary>The source was let go before the enumeration ended, and nobody reads on.</summary>
        public async Task AssertEnded()
        {
            Assert.That(open, Is.Zero);
            long before = Read;
            await Task.Delay(20);
            Assert.That(Read, Is.EqualTo(before));
        }
    }
}
