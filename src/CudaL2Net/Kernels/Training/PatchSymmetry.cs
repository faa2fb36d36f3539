using CudaL2Net.Numerics;

namespace CudaL2Net.Kernels;

/// <summary>The eight symmetries of the square: bit 0 transposes, then bit 1 mirrors columns, then bit 2 mirrors rows.</summary>
internal static class PatchSymmetry
{
    /// <summary>The symmetry that turns pair <paramref name="pair"/> of a batch, 0 to 7.</summary>
    public static int Draw(PatchAugmentation augmentation, ulong seed, uint step, int pair)
    {
        if (augmentation == PatchAugmentation.None)
        {
            return 0;
        }

        uint bits = Philox.Draw(seed, DrawPurpose.Augmentation, step, (ulong)pair).X;
        return (int)(bits & (augmentation == PatchAugmentation.Dihedral ? 7u : 3u));
    }

    /// <summary>How to read a patch of side x side so that it comes out turned: pixel (row, column) of the result is source[start + row * down + column *
    /// right].</summary>
    public static void Steps(int symmetry, int side, out int start, out int right, out int down)
    {
        (right, down) = (symmetry & 1) != 0 ? (side, 1) : (1, side);
        start = 0;
        if ((symmetry & 2) != 0)
        {
            start += (side - 1) * right;
            right = -right;
        }

        if ((symmetry & 4) != 0)
        {
            start += (side - 1) * down;
            down = -down;
        }
    }
}
