using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CudaL2Net.Data;
using CudaL2Net.Networks;

namespace CudaL2Net.Native;

/// <summary>The table's function that cuts patches out of images and describes them.</summary>
internal static unsafe class ImageCalls
{
    // Patches that are cut before they are described together: enough for a GPU, little memory.
    private const int BlockBytes = 1 << 24, MostBlockBytes = 1 << 28;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint DescribeImages(
        nint model, Image* images, RegionArray* regions, long count, int type, void* descriptors, long capacity, byte* patches, long patchCapacity) =>
        Guard.Run(() => Describe(model, images, regions, count, Argument.IsBits(type), descriptors, capacity, patches, patchCapacity));

    private static void Describe(
        nint model, Image* images, RegionArray* regions, long count, bool bits, void* descriptors, long capacity, byte* patches, long patchCapacity)
    {
        ModelEntry entry = Handles.Get<ModelEntry>(model);
        PatchModel network = entry.Model;
        DescribeCalls.RequireDescriptors(network);
        (long total, long most) = Check(images, regions, count);
        long width = bits ? network.Dimension / 8 : network.Dimension;
        int side = network.PatchSide, area = side * side;
        Argument.Buffer(descriptors, capacity, total * width, bits ? 1 : sizeof(float), "the memory for descriptors");
        if (patches != null || patchCapacity != 0)
        {
            Argument.Buffer(patches, patchCapacity, total * area, 1, "the memory for patches");
        }

        int room = (int)Math.Min(Math.Min(total, Math.Max(most, BlockBytes / area)), MostBlockBytes / area), held = 0;
        long done = 0;
        byte[] block = patches == null ? ArrayPool<byte>.Shared.Rent(room * area) : [];
        try
        {
            for (long i = 0; i < count; i++)
            {
                if (held + regions[i].Count > room)
                {
                    DescribeHeld();
                }

                for (long first = 0; first < regions[i].Count;)
                {
                    int part = (int)Math.Min(room, regions[i].Count - first);
                    string name = (count > 1 ? $"image {i} (counted from 0): " : "") + (first > 0 ? $"counted from region {first} on, " : "");
                    Cut(images[i], regions[i], first, part, network, entry.Home.Threads, Block(held, part), name);
                    held += part;
                    first += part;
                    if (first < regions[i].Count)
                    {
                        DescribeHeld();
                    }
                }
            }

            DescribeHeld();
        }
        finally
        {
            if (patches == null)
            {
                ArrayPool<byte>.Shared.Return(block);
            }
        }

        Span<byte> Block(int first, int number) => patches == null
            ? block.AsSpan(first * area, number * area)
            : new Span<byte>(patches + ((done + first) * area), number * area);

        void DescribeHeld()
        {
            if (bits)
            {
                network.DescribeBinary(Block(0, held), side).CopyTo(new Span<byte>((byte*)descriptors + (done * width), (int)(held * width)));
            }
            else
            {
                network.Describe(Block(0, held), side, new Span<float>((float*)descriptors + (done * width), (int)(held * width)));
            }

            done += held;
            held = 0;
        }
    }

    /// <summary>Checks all that can be told without the keypoints.</summary>
    /// <returns>The regions of all images, and of the one with most.</returns>
    private static (long Total, long Most) Check(Image* images, RegionArray* regions, long count)
    {
        Argument.Count(count, "the number of images");
        long total = 0, most = 0;
        if (count > 0)
        {
            Argument.Aligned(images, sizeof(long), "the memory of the images");
            Argument.Aligned(regions, sizeof(long), "the memory of the regions");
        }

        for (long i = 0; i < count; i++)
        {
            Argument.Count(regions[i].Count, $"the number of regions of image {i}");
            if ((RegionType)regions[i].Type is not (RegionType.Keypoint or RegionType.Frame))
            {
                throw new ArgumentException($"the type of regions of image {i} is {regions[i].Type}, expected CL2_KEYPOINT or CL2_FRAME");
            }

            if (regions[i].Count > 0)
            {
                Argument.Aligned(regions[i].Data, sizeof(float), $"the memory of the regions of image {i}");
            }

            Argument.Output(images[i].Data, $"the data of image {i}");
            total += regions[i].Count;
            most = Math.Max(most, regions[i].Count);
        }

        Argument.Count(total, "the number of regions of all images");
        return (total, most);
    }

    private static void Cut(
        Image image, RegionArray regions, long first, int count, PatchModel network, int threads, Span<byte> patches, string name)
    {
        try
        {
            if (image.Stride is < 0 or > int.MaxValue)
            {
                throw new ArgumentException($"the image's stride is {image.Stride}, not 0 to {int.MaxValue} bytes");
            }

            // ImageView checks the sizes. What it is told about the length is what the sizes need, for the caller's array has no length.
            long row = (long)image.Width * image.Channels, stride = image.Stride == 0 ? row : image.Stride;
            long length = Math.Clamp(((image.Height - 1L) * stride) + row, 0, int.MaxValue);
            var view = new ImageView(new ReadOnlySpan<byte>(image.Data, (int)length), image.Width, image.Height, (int)image.Stride, image.Channels);
            if ((RegionType)regions.Type == RegionType.Keypoint)
            {
                double scale = regions.PatchScale == 0 ? network.PatchScale : regions.PatchScale;
                ImagePatches.Cut(
                    view, new ReadOnlySpan<PatchKeypoint>((PatchKeypoint*)regions.Data + first, count), scale, network.PatchSide, patches, threads);
                return;
            }

            var frames = new AffineFrame[count];
            for (int i = 0; i < count; i++)
            {
                float* map = (float*)regions.Data + (6 * (first + i));
                frames[i] = new AffineFrame(map[2], map[5], map[0], map[1], map[3], map[4]);
            }

            ImagePatches.Cut(view, frames, network.PatchSide, patches, threads);
        }
        catch (ArgumentException error) when (name.Length > 0)
        {
            throw new ArgumentException(name + error.Message, error);
        }
    }
}
