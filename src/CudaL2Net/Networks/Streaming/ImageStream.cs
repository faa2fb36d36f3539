using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace CudaL2Net.Networks;

/// <summary>Describes patches of one call: all of them, or as many as a device takes at once.</summary>
internal delegate T[] DescribePatches<T>(ReadOnlySpan<byte> patches);

/// <summary>
/// Describes a stream of images: one task reads them, several cut their patches, one describes the patches of as many images as are ready, so that small images
/// fill the device, too. Results come in the order of the images.
/// </summary>
/// <param name="describe">Describes patches.</param>
/// <param name="side">Their side.</param>
/// <param name="patchScale">As cut from keypoints.</param>
/// <param name="width">Elements of a descriptor.</param>
/// <param name="block">Patches that are best described at once.</param>
/// <param name="cutters">Images that are cut at once.</param>
/// <param name="held">The most images that are held at once: from before one is read until the consumer asks for the one after it.</param>
internal sealed class ImageStream<T>(DescribePatches<T> describe, int side, double patchScale, int width, int block, int cutters, int held)
{
    // Held images bound them all.
    private readonly Channel<Job> inOrder = Channel.CreateUnbounded<Job>(), toCut = Channel.CreateUnbounded<Job>(), toDescribe = Channel.CreateUnbounded<Job>();
    private readonly SemaphoreSlim room = new(held);

    /// <summary>Starts a stream each time that it is enumerated.</summary>
    public static async IAsyncEnumerable<DescribedImage<T>> Start(
        Func<ImageStream<T>> create, IAsyncEnumerable<ImageToDescribe> images, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (DescribedImage<T> described in create().Run(images, cancellationToken).ConfigureAwait(false))
        {
            yield return described;
        }
    }

    // Once: what is queued and held belongs to one run.
    private async IAsyncEnumerable<DescribedImage<T>> Run(
        IAsyncEnumerable<ImageToDescribe> images, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        CancellationToken stopped = stop.Token;
        Task[] running = [Task.Run(() => Read(images, stopped), CancellationToken.None), Task.Run(() => Cut(stopped), CancellationToken.None),
            Task.Run(() => Describe(stopped), CancellationToken.None)];
        try
        {
            await foreach (Job job in inOrder.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                cancellationToken.ThrowIfCancellationRequested();
                await job.Done.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
                yield return job.Result();
                room.Release();
            }

            cancellationToken.ThrowIfCancellationRequested();
        }
        finally
        {
            // Whatever ended it, the consumer too: nothing is left running.
            await stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            room.Dispose();
        }
    }

    private async Task Read(IAsyncEnumerable<ImageToDescribe> images, CancellationToken stopped)
    {
        Exception? failure = null;
        try
        {
            IAsyncEnumerator<ImageToDescribe> source = images.GetAsyncEnumerator(stopped);
            await using (source.ConfigureAwait(false))
            {
                for (long index = 0; ; index++)
                {
                    await room.WaitAsync(stopped).ConfigureAwait(false);
                    if (!await source.MoveNextAsync().ConfigureAwait(false))
                    {
                        break;
                    }

                    var job = new Job(index, source.Current);
                    inOrder.Writer.TryWrite(job);
                    toCut.Writer.TryWrite(job);
                }
            }
        }
        catch (Exception error) when (error is not OperationCanceledException || !stopped.IsCancellationRequested)
        {
            // The consumer gets it after the images before.
            failure = error;
        }
        catch (OperationCanceledException)
        {
            // The consumer knows.
        }

        toCut.Writer.Complete();
        inOrder.Writer.Complete(failure);
    }

    private async Task Cut(CancellationToken stopped)
    {
        try
        {
            await Parallel.ForEachAsync(
                toCut.Reader.ReadAllAsync(stopped), new ParallelOptions { MaxDegreeOfParallelism = cutters, CancellationToken = stopped }, (job, _) =>
                {
                    job.Try(() => job.Patches = (job.Image ?? throw new ArgumentException("the image is null")).Cut(patchScale, side));
                    toDescribe.Writer.TryWrite(job);
                    return ValueTask.CompletedTask;
                }).ConfigureAwait(false);
        }
        finally
        {
            toDescribe.Writer.Complete();
        }
    }

    private async Task Describe(CancellationToken stopped)
    {
        var batch = new List<Job>();
        while (await toDescribe.Reader.WaitToReadAsync(stopped).ConfigureAwait(false))
        {
            int patches = 0;
            while (patches < block && toDescribe.Reader.TryRead(out Job? job))
            {
                batch.Add(job);
                patches += job.Patches.Length / (side * side);
            }

            DescribeBatch(batch, patches, stopped);
            batch.Clear();
        }
    }

    private void DescribeBatch(List<Job> batch, int patches, CancellationToken stopped)
    {
        try
        {
            ReadOnlySpan<byte> together = batch.Count == 1 ? batch[0].Patches : Join(batch);
            var descriptors = new T[checked(patches * width)];
            for (int first = 0; first < patches; first += block)
            {
                stopped.ThrowIfCancellationRequested();
                int count = Math.Min(block, patches - first);
                describe(together.Slice(first * side * side, count * side * side)).CopyTo(descriptors, first * width);
            }

            int start = 0;
            foreach (Job job in batch)
            {
                int length = job.Patches.Length / (side * side) * width;
                job.Descriptors = batch.Count == 1 ? descriptors : descriptors[start..(start + length)];
                start += length;
            }
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            // Some image's fault: each alone shows whose, and with which patch.
            foreach (Job job in batch)
            {
                stopped.ThrowIfCancellationRequested();
                job.Try(() => job.Descriptors = describe(job.Patches));
            }
        }

        foreach (Job job in batch)
        {
            job.Patches = [];
            job.Done.SetResult();
        }
    }

    private static byte[] Join(List<Job> batch)
    {
        var together = new byte[batch.Sum(job => (long)job.Patches.Length)];
        int start = 0;
        foreach (Job job in batch)
        {
            job.Patches.CopyTo(together, start);
            start += job.Patches.Length;
        }

        return together;
    }

    /// <summary>An image on its way.</summary>
    private sealed class Job(long index, ImageToDescribe image)
    {
        private Exception? failure;

        public ImageToDescribe Image => image;

        public byte[] Patches { get; set; } = [];

        public T[] Descriptors { get; set; } = [];

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Does a part of it; the first failure is kept.</summary>
        public void Try(Action work)
        {
            if (failure != null)
            {
                return;
            }

            try
            {
                work();
            }
            catch (Exception error)
            {
                failure = error;
            }
        }

        /// <exception cref="ImageDescriptionException">It failed, by its own fault.</exception>
        /// <exception cref="ObjectDisposedException">It failed since the model or its device has been disposed of.</exception>
        public DescribedImage<T> Result() => failure switch
        {
            null => new DescribedImage<T>(index, image, Descriptors),
            ObjectDisposedException => throw failure,
            _ => throw new ImageDescriptionException(index, failure),
        };
    }
}
