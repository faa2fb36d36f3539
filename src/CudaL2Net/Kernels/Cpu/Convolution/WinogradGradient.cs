using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// The filter gradient of a 3 x 3 convolution with stride 1 and padding 1 by Winograd's method turned round: dw = G'[sum over tiles of (B' d B) * (A dy A')]G, the
/// transpose of <see cref="WinogradPass"/>'s formula in the filters. The sums over tiles are 36 matrix products, [in][tiles] by [tiles][out], a quarter of the
/// direct way's multiplications.
/// </summary>
[SkipLocalsInit]
internal unsafe struct WinogradGradient
{
    /// <summary>Tiles whose products are summed in registers.</summary>
    public const int TilesAtOnce = 64;

    private const int Patch = WinogradPass.Patch, Points = WinogradPass.Points, Lanes = WinogradPass.Lanes, TileSide = WinogradPass.TileSide;

    // Floats between the values of two points, beyond the tiles' own, since the 36 values of a tile would else meet in a few sets of the cache.
    private const int PointGap = 16;

    /// <summary>Rows and columns of the image, a multiple of 4.</summary>
    public int Side;

    /// <summary>Input channels to go through, a multiple of 16; output channels, a multiple of <see cref="RegisterTile.Columns"/>.</summary>
    public int Channels, OutChannels;

    /// <summary>Floats between the sums of neighbouring points and neighbouring panels of output channels; those of input channels are neighbours.</summary>
    public nint PointStride, PanelStride;

    /// <summary>Tiles of an image.</summary>
    public readonly int TilesOfImage => Side / TileSide * (Side / TileSide);

    private readonly nint InputStride => ((nint)TilesAtOnce * Channels) + PointGap;

    private readonly nint GradientStride => ((nint)TilesAtOnce * OutChannels) + PointGap;

    /// <summary>Floats of scratch memory.</summary>
    public readonly nuint ScratchLength => (nuint)(Points * (InputStride + GradientStride));

    /// <summary>Adds the products of images to the sums.</summary>
    /// <param name="images">How many.</param>
    /// <param name="source">[images][side + 2][side + 2][channels], with a margin of zeros.</param>
    /// <param name="gradient">[images][side][side][out].</param>
    /// <param name="sums">[36][panels of output channels][in][channels of a panel], of the first input channel.</param>
    /// <param name="scratch"><see cref="ScratchLength"/> floats.</param>
    public readonly void Add(int images, float* source, float* gradient, float* sums, float* scratch)
    {
        for (int tile = 0; tile < images * TilesOfImage; tile += TilesAtOnce)
        {
            int count = Math.Min(TilesAtOnce, (images * TilesOfImage) - tile);
            Transform(tile, count, source, gradient, scratch, scratch + (Points * InputStride));
            for (int point = 0; point < Points; point++)
            {
                Multiply(count, scratch + (point * InputStride), scratch + (Points * InputStride) + (point * GradientStride), sums + (point * PointStride));
            }
        }
    }

    /// <summary>G' s G of <see cref="RegisterTile.Columns"/> output channels and one input channel, summed over parts.</summary>
    /// <param name="sums">The channels' sums in the first point of the first part.</param>
    /// <param name="parts">How many.</param>
    /// <param name="partStride">Floats from part to part.</param>
    /// <param name="target">The channels' place in the first of nine taps.</param>
    /// <param name="tapStride">Floats from tap to tap.</param>
    public readonly void Finish(float* sums, int parts, nint partStride, float* target, nint tapStride)
    {
        Vector512<float>* half = stackalloc Vector512<float>[3 * Patch], taps = stackalloc Vector512<float>[3];
        for (int i = 0; i < RegisterTile.Columns; i += Lanes)
        {
            for (int column = 0; column < Patch; column++)
            {
                float* at = sums + (column * PointStride) + i;
                nint down = Patch * PointStride;
                Taps(Sum(at, parts, partStride), Sum(at + down, parts, partStride), Sum(at + (2 * down), parts, partStride),
                    Sum(at + (3 * down), parts, partStride), Sum(at + (4 * down), parts, partStride), Sum(at + (5 * down), parts, partStride), half + column, Patch);
            }

            for (int row = 0; row < 3; row++)
            {
                Vector512<float>* from = half + (row * Patch);
                Taps(from[0], from[1], from[2], from[3], from[4], from[5], taps, 1);
                for (int column = 0; column < 3; column++)
                {
                    taps[column].Store(target + (((row * 3) + column) * tapStride) + i);
                }
            }
        }
    }

    private static Vector512<float> Sum(float* from, int parts, nint stride)
    {
        Vector512<float> sum = Vector512.Load(from);
        for (int part = 1; part < parts; part++)
        {
            sum += Vector512.Load(from + (part * stride));
        }

        return sum;
    }

    private readonly void Transform(int first, int tiles, float* source, float* gradient, float* inputs, float* gradients)
    {
        int perRow = Side / TileSide;
        nint row = (nint)(Side + 2) * Channels, gradientRow = (nint)Side * OutChannels;
        for (int i = 0; i < tiles; i++)
        {
            int image = (first + i) / TilesOfImage, y = (first + i) % TilesOfImage / perRow, x = (first + i) % perRow;
            float* from = source + (image * (Side + 2) * row) + (TileSide * ((y * row) + ((nint)x * Channels)));
            for (int c = 0; c < Channels; c += Lanes)
            {
                WinogradPass.TransformInput(from + c, row, Channels, inputs + ((nint)i * Channels) + c, InputStride);
            }

            from = gradient + (image * Side * gradientRow) + (TileSide * ((y * gradientRow) + ((nint)x * OutChannels)));
            for (int c = 0; c < OutChannels; c += Lanes)
            {
                int panel = c / RegisterTile.Columns * RegisterTile.Columns;
                TransformGradient(from + c, gradientRow, OutChannels, gradients + ((nint)panel * TilesAtOnce) + ((nint)i * RegisterTile.Columns) + (c - panel),
                    GradientStride);
            }
        }
    }

    /// <summary>One point's sums += [tiles][channels] turned, by [panels][tiles][channels of a panel].</summary>
    private readonly void Multiply(int tiles, float* inputs, float* gradients, float* sums)
    {
        GradientImages layout = GradientImages.Matrices(tiles, Channels, RegisterTile.Columns);
        float* unused = stackalloc float[RegisterTile.NarrowColumns];
        float** x = stackalloc float*[RegisterTile.NarrowRows], y = stackalloc float*[RegisterTile.NarrowRows];
        for (int o = 0; o < OutChannels; o += RegisterTile.Columns, sums += PanelStride)
        {
            float* panel = gradients + ((nint)o * TilesAtOnce);
            for (int c = 0; c < Channels; c += RegisterTile.Rows)
            {
                if (Vector512.IsHardwareAccelerated)
                {
                    RegisterTile.OuterProduct(layout, inputs + c, panel, sums + ((nint)c * RegisterTile.Columns), RegisterTile.Columns, RegisterTile.Rows,
                        RegisterTile.Columns);
                    continue;
                }

                for (int m = 0; m < RegisterTile.NarrowRows; m++)
                {
                    x[m] = inputs + Math.Min(c + m, Channels - 1);
                    y[m] = c + m < Channels ? sums + ((nint)(c + m) * RegisterTile.Columns) : unused;
                }

                RegisterTile.OuterProduct6x16(layout, x, panel, y, 0);
            }
        }
    }

    /// <summary>A dy A' of 16 channels of a 4 x 4 tile; the 36 results go to <paramref name="target"/>, <paramref name="pointStride"/> apart.</summary>
    private static void TransformGradient(float* source, nint rowStride, nint pixelStride, float* target, nint pointStride)
    {
        Vector512<float>* half = stackalloc Vector512<float>[Patch * TileSide];
        for (int column = 0; column < TileSide; column++)
        {
            float* from = source + (column * pixelStride);
            GradientPoints(Vector512.Load(from), Vector512.Load(from + rowStride), Vector512.Load(from + (2 * rowStride)), Vector512.Load(from + (3 * rowStride)),
                out half[column], out half[TileSide + column], out half[(2 * TileSide) + column], out half[(3 * TileSide) + column],
                out half[(4 * TileSide) + column], out half[(5 * TileSide) + column]);
        }

        for (int row = 0; row < Patch; row++)
        {
            Vector512<float>* from = half + (row * TileSide);
            GradientPoints(from[0], from[1], from[2], from[3], out Vector512<float> v0, out Vector512<float> v1, out Vector512<float> v2,
                out Vector512<float> v3, out Vector512<float> v4, out Vector512<float> v5);
            WinogradPass.StorePoints(v0, v1, v2, v3, v4, v5, target + (row * Patch * pointStride), pointStride);
        }
    }

    /// <summary>A times four values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void GradientPoints(Vector512<float> y0, Vector512<float> y1, Vector512<float> y2, Vector512<float> y3, out Vector512<float> v0,
        out Vector512<float> v1, out Vector512<float> v2, out Vector512<float> v3, out Vector512<float> v4, out Vector512<float> v5)
    {
        Vector512<float> half = Vector512.Create(0.5f), two = Vector512.Create(2f);
        Vector512<float> innerEven = Vector512.FusedMultiplyAdd(half, y2, y0), innerOdd = Vector512.FusedMultiplyAdd(half, y3, y1) * Vector512.Create(WinogradPass.Inner);
        Vector512<float> outerEven = Vector512.FusedMultiplyAdd(two, y2, y0), outerOdd = Vector512.FusedMultiplyAdd(two, y3, y1) * Vector512.Create(WinogradPass.Outer);
        v0 = y0;
        v1 = innerEven + innerOdd;
        v2 = innerEven - innerOdd;
        v3 = outerEven + outerOdd;
        v4 = outerEven - outerOdd;
        v5 = y3;
    }

    /// <summary>G' times six values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Taps(Vector512<float> m0, Vector512<float> m1, Vector512<float> m2, Vector512<float> m3, Vector512<float> m4, Vector512<float> m5,
        Vector512<float>* target, nint stride)
    {
        Vector512<float> innerEven = (m1 + m2) * Vector512.Create(-2 / 3f), innerOdd = (m1 - m2) * Vector512.Create(-2 / 3f * WinogradPass.Inner);
        Vector512<float> outerEven = (m3 + m4) * Vector512.Create(1 / 6f), outerOdd = (m3 - m4) * Vector512.Create(1 / 6f * WinogradPass.Outer);
        target[0] = m0 + innerEven + outerEven;
        target[stride] = innerOdd + outerOdd;
        target[2 * stride] = Vector512.FusedMultiplyAdd(Vector512.Create(0.5f), innerEven, Vector512.FusedMultiplyAdd(Vector512.Create(2f), outerEven, m5));
    }
}
