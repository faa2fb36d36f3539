using System.Runtime.InteropServices;
using CudaL2Net.Data;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Data;

/// <summary>An image that is a column of square grey patches (HPatches, W1BS): the side is the image's width.</summary>
/// <param name="Side">Rows and columns of a patch: 32, 64 or 65.</param>
/// <param name="Count">The number of patches.</param>
/// <param name="Pixels">[count][side][side], from the top.</param>
public sealed record PatchStrip(int Side, int Count, byte[] Pixels)
{
    /// <summary>Reads a strip.</summary>
    /// <param name="path">The image; colours become grey.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is no image, or not such a column.</exception>
    public static PatchStrip Read(string path)
    {
        using Mat image = ImageFile.LoadGrey(path);
        int side = image.Width, height = image.Height;
        if (!PatchResize.Supports(side) || height % side != 0)
        {
            throw new InvalidDataException($"{path} has {side} x {height} pixels; a strip of patches is 32, 64 or 65 wide and its height a multiple of that");
        }

        byte[] pixels = new byte[side * height];
        for (int row = 0; row < height; row++)
        {
            Marshal.Copy(image.Ptr(row), pixels, row * side, side);
        }

        return new PatchStrip(side, height / side, pixels);
    }

    /// <summary>The bytes of patch <paramref name="index"/>, row by row.</summary>
    public ReadOnlySpan<byte> this[int index] => Pixels.AsSpan(index * Side * Side, Side * Side);
}
