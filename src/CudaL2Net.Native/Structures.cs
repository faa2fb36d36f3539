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

    /// <summary>Bytes of a pixel.</summary>
    public readonly int ElementSize => (ElementType)Type == ElementType.Float ? sizeof(float) : 1;

    /// <summary>Bytes from one to the next; where all are 0 the patches are dense.</summary>
    public readonly (long Patch, long Row, long Pixel) Strides() => (PatchStride, RowStride, PixelStride) is (0, 0, 0)
        ? ((long)Side * Side * ElementSize, (long)Side * ElementSize, ElementSize)
        : (PatchStride, RowStride, PixelStride);

    /// <summary>The same in the library's terms.</summary>
    public readonly PatchLayout Layout()
    {
        (long patch, long row, long pixel) = Strides();
        return new PatchLayout(Side, (ElementType)Type == ElementType.Float, patch, row, pixel, White is 0 ? 255 : (float)White);
    }
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
