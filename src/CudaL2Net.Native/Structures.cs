using System.Runtime.InteropServices;
using CudaL2Net.Kernels;

namespace CudaL2Net.Native;

/// <summary><c>cl2_type</c>: what an element is.</summary>
internal enum ElementType
{
    Byte,
    Float,
    Bits,
}

/// <summary><c>cl2_region_type</c>: how the places of patches are given.</summary>
internal enum RegionType
{
    Keypoint,
    Frame,
}

/// <summary><c>cl2_device_info</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DeviceInfo
{
    public nint Name, Description, Note;
}

/// <summary><c>cl2_model_info</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ModelInfo
{
    public int Dimension, PatchSide, ScoresPairs, BinaryBytes;
    public double PatchScale;
    public nint Network, Metadata;
}

/// <summary><c>cl2_patches</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct PatchArray
{
    public void* Data;
    public long Count;
    public int Side, Type;
    public long PatchStride, RowStride, PixelStride;
    public double White;

    /// <summary>The same in the library's terms: where all strides are 0 the patches are dense, and a white of 0 is 255.</summary>
    /// <exception cref="ArgumentException">The type is not one of patches.</exception>
    public readonly PatchMemory Memory()
    {
        bool floats = (ElementType)Type switch
        {
            ElementType.Byte => false,
            ElementType.Float => true,
            _ => throw new ArgumentException($"the type of patches is {Type}, expected CL2_U8 or CL2_F32"),
        };
        double white = White is 0 ? 255 : White;
        return new PatchMemory((byte*)Data, Count, (PatchStride, RowStride, PixelStride) is (0, 0, 0)
            ? PatchLayout.Dense(Side, floats, white)
            : new PatchLayout(Side, floats, PatchStride, RowStride, PixelStride, white));
    }
}

/// <summary>Patches of the caller's, wherever they come from.</summary>
/// <param name="data">The first pixel.</param>
/// <param name="count">Patches.</param>
/// <param name="layout">How they lie.</param>
internal readonly unsafe struct PatchMemory(byte* data, long count, PatchLayout layout)
{
    public byte* Data { get; } = data;

    public long Count { get; } = count;

    public PatchLayout Layout { get; } = layout;

    /// <summary>Some of them.</summary>
    public PatchMemory Part(long first, int number) => new(Data + (first * Layout.PatchStride), number, Layout);
}

/// <summary><c>cl2_descriptors</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct DescriptorArray
{
    public void* Data;
    public long Count;
    public int Dimension, Type;
}

/// <summary><c>cl2_match</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Match
{
    public int Query, Target;
    public float Distance, SecondDistance;
}

/// <summary><c>cl2_image</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Image
{
    public byte* Data;
    public long Stride;
    public int Width, Height, Channels;
}

/// <summary><c>cl2_regions</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct RegionArray
{
    public void* Data;
    public long Count;
    public double PatchScale;
    public int Type;
}
