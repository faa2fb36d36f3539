using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// A 3 x 3 convolution with stride 1 and padding 1 by Winograd's F(4 x 4, 3 x 3) (Lavin and Gray, 2016): Y = A'[(G g G') * (B' d B)]A over tiles of 4 x 4 output
/// pixels. A tile costs 36 multiplications a pair of channels instead of 144. The sums over input channels are 36 matrix products, [tiles][in] by [in][out].
/// </summary>
/// <remarks>
/// The polynomials are taken at 0, -1/r, 1/r, -r, r and infinity with r the root of 2: errors grow with the transforms' numbers, and are a third of those of the
/// usual points 0, -1, 1, -2, 2.
/// </remarks>
[SkipLocalsInit]
internal unsafe struct WinogradPass
{
    /// <summary>Output rows and columns of a tile.</summary>
    public const int TileSide = 4;

    /// <summary>Rows and columns of a tile's input, values of a transformed tile, and channels that are transformed together.</summary>
    public const int Patch = TileSide + 2, Points = Patch * Patch, Lanes = 16;

    /// <summary>The points: 1 / root of 2, and root of 2.</summary>
    public const float Inner = 0.70710678f, Outer = 1.41421356f;

    // Narrow vectors come with small caches: so many floats of transformed tiles, and the products of 32 output channels, pass through half a megabyte at once.
    private const int NarrowLength = 100_000, NarrowSlice = 32;

    // Floats between the values of two points, beyond the tiles' own, since the 36 values of a tile would else meet in a few sets of the cache.
    private const int PointGap = 16;

    /// <summary>Rows and columns of the image, a multiple of 4.</summary>
    public int Side;

    /// <summary>Input channels, a multiple of 16; output channels, a multiple of <see cref="RegisterTile.Columns"/>.</summary>
    public int InChannels, OutChannels;

    /// <summary>Floats between neighbouring output rows.</summary>
    public nint TargetRowStride;

    /// <summary>Transformed filters: [36][panels][in][channels of a panel].</summary>
    public float* Filters;

    /// <summary>[out], or null.</summary>
    public float* Bias;

    /// <summary>Whether ReLU follows.</summary>
    public bool Relu;

    /// <summary>Whether a layer can be computed so.</summary>
    public static bool Fits(int kernel, int stride, int padding, int side, int inChannels, int outChannels) =>
        kernel == 3 && stride == 1 && padding == 1 && side % TileSide == 0 && inChannels % Lanes == 0 && outChannels % RegisterTile.Columns == 0;

    /// <summary>Floats of the transformed filters.</summary>
    public static nuint FilterLength(int inChannels, int outChannels) => (nuint)Points * (nuint)inChannels * (nuint)outChannels;

    /// <summary>Tiles of an image.</summary>
    public readonly int Tiles => Side / TileSide * (Side / TileSide);

    /// <summary>Images of a half to gather for whole register tiles, and for filters that are used more than once.</summary>
    public static int ImagesAtOnce(int side)
    {
        int least = 4 * RegisterTile.Rows * (Vector512.IsHardwareAccelerated ? 1 : 2), tiles = side / TileSide * (side / TileSide);
        return (least + tiles - 1) / tiles;
    }

    /// <summary>Floats of scratch memory for <paramref name="images"/> images.</summary>
    public readonly nuint ScratchLength(int images)
    {
        // Fewer images may be cut into larger parts.
        int tiles = Vector512.IsHardwareAccelerated ? images * Tiles : Math.Min(images * Tiles, MostTiles + RegisterTile.NarrowRows);
        return (nuint)Points * (nuint)((tiles * (InChannels + ChannelsAtOnce)) + (2 * PointGap));
    }

    private readonly int MostTiles => Math.Max(1, NarrowLength / Points / (InChannels + NarrowSlice));

    private readonly int ChannelsAtOnce => Vector512.IsHardwareAccelerated ? OutChannels : Math.Min(OutChannels, NarrowSlice);

    /// <summary>Tiles that pass through the cache together: with narrow vectors about equal parts of whole register tiles.</summary>
    private readonly int TilesAtOnce(int tiles)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            return tiles;
        }

        int parts = (tiles + MostTiles - 1) / MostTiles;
        return Math.Min(tiles, ((tiles + parts - 1) / parts + RegisterTile.NarrowRows - 1) / RegisterTile.NarrowRows * RegisterTile.NarrowRows);
    }

    /// <summary>G g G' of a panel's filters.</summary>
    /// <param name="panel">Packed filters: [taps][in][channels of a panel].</param>
    /// <param name="inChannels">Channels of a tap.</param>
    /// <param name="outChannels">Channels of all panels.</param>
    /// <param name="turned">Whether the taps go from last to first, as they do for the gradient of the input.</param>
    /// <param name="transformed">The panel's place within the first of the 36 points, which lie in * out apart.</param>
    public static void TransformFilters(float* panel, int inChannels, int outChannels, bool turned, float* transformed)
    {
        Vector512<float>* half = stackalloc Vector512<float>[3 * Patch];
        nint length = (nint)inChannels * RegisterTile.Columns, pointStride = (nint)inChannels * outChannels, tapStride = turned ? -length : length;
        float* firstTap = turned ? panel + (8 * length) : panel;
        for (nint i = 0; i < length; i += Lanes)
        {
            for (int column = 0; column < 3; column++)
            {
                float* from = firstTap + (column * tapStride) + i;
                FilterPoints(Vector512.Load(from), Vector512.Load(from + (3 * tapStride)), Vector512.Load(from + (6 * tapStride)), half + column, 3);
            }

            for (int row = 0; row < Patch; row++)
            {
                Vector512<float>* from = half + (3 * row);
                FilterPoints(from[0], from[1], from[2], (Vector512<float>*)(transformed + (row * Patch * pointStride) + i), pointStride / Lanes);
            }
        }
    }

    /// <summary>Convolves images.</summary>
    /// <param name="images">How many.</param>
    /// <param name="source">[images][side + 2][side + 2][in], with a margin of zeros.</param>
    /// <param name="sourceStride">Floats from image to image.</param>
    /// <param name="target">The first output pixel of the first image.</param>
    /// <param name="targetStride">Floats from image to image.</param>
    /// <param name="scratch"><see cref="ScratchLength"/> floats.</param>
    public readonly void Run(int images, float* source, nint sourceStride, float* target, nint targetStride, float* scratch)
    {
        int tiles = images * Tiles, atOnce = TilesAtOnce(tiles);
        for (int first = 0; first < tiles; first += atOnce)
        {
            RunTiles(first, Math.Min(atOnce, tiles - first), source, sourceStride, target, targetStride, scratch);
        }
    }

    private readonly void RunTiles(int first, int tiles, float* source, nint sourceStride, float* target, nint targetStride, float* scratch)
    {
        int perRow = Side / TileSide, slice = ChannelsAtOnce;
        nint row = (nint)(Side + 2) * InChannels, pointStride = ((nint)tiles * InChannels) + PointGap, productStride = ((nint)tiles * slice) + PointGap;
        float* products = scratch + (Points * pointStride);
        for (int tile = 0; tile < tiles; tile++)
        {
            int image = (first + tile) / Tiles, y = (first + tile) % Tiles / perRow, x = (first + tile) % perRow;
            float* from = source + (image * sourceStride) + (TileSide * ((y * row) + ((nint)x * InChannels)));
            for (int c = 0; c < InChannels; c += Lanes)
            {
                TransformInput(from + c, row, InChannels, scratch + ((nint)tile * InChannels) + c, pointStride);
            }
        }

        for (int firstChannel = 0; firstChannel < OutChannels; firstChannel += slice)
        {
            if (Vector512.IsHardwareAccelerated)
            {
                Multiply(tiles, firstChannel, slice, scratch, pointStride, products, productStride);
            }
            else
            {
                MultiplyNarrow(tiles, firstChannel, scratch, pointStride, products, productStride);
            }

            for (int tile = 0; tile < tiles; tile++)
            {
                int image = (first + tile) / Tiles, y = (first + tile) % Tiles / perRow, x = (first + tile) % perRow;
                float* to = target + (image * targetStride) + (TileSide * ((y * TargetRowStride) + ((nint)x * OutChannels))) + firstChannel;
                for (int c = 0; c < Math.Min(slice, OutChannels - firstChannel); c += Lanes)
                {
                    Vector512<float> bias = Bias == null ? Vector512<float>.Zero : Vector512.Load(Bias + firstChannel + c);
                    TransformOutput(products + ((nint)tile * slice) + c, productStride, bias, Relu, to + c, TargetRowStride, OutChannels);
                }
            }
        }
    }

    /// <summary>The products of each point: [tiles][in] by [in][channels].</summary>
    private readonly void Multiply(int tiles, int firstChannel, int channels, float* transformed, nint pointStride, float* products, nint productStride)
    {
        int offset = 0;
        for (int point = 0; point < Points; point++)
        {
            float* a = transformed + (point * pointStride), y = products + (point * productStride);
            for (int n = 0; n < channels; n += RegisterTile.Columns)
            {
                float* panel = Filters + ((((nint)point * OutChannels) + firstChannel + n) * InChannels);
                for (int tile = 0; tile < tiles; tile += RegisterTile.Rows)
                {
                    RegisterTile.Multiply(a + ((nint)tile * InChannels), InChannels, &offset, 1, InChannels, panel, null, false, false,
                        y + ((nint)tile * channels) + n, channels, Math.Min(RegisterTile.Rows, tiles - tile), RegisterTile.Columns);
                }
            }
        }
    }

    /// <summary>The same of at most 32 channels. Where the rows lie is found once, for all points.</summary>
    private readonly void MultiplyNarrow(int tiles, int firstChannel, float* transformed, nint pointStride, float* products, nint productStride)
    {
        int rows = (tiles + RegisterTile.NarrowRows - 1) / RegisterTile.NarrowRows * RegisterTile.NarrowRows;
        float** from = stackalloc float*[rows], to = stackalloc float*[rows];
        for (int row = 0; row < rows; row++)
        {
            from[row] = transformed + (Math.Min(row, tiles - 1) * (nint)InChannels);
            to[row] = products + (Math.Min(row, tiles - 1) * (nint)ChannelsAtOnce);
        }

        int ahead = InChannels * RegisterTile.NarrowColumns / (rows / RegisterTile.NarrowRows);
        for (int point = 0; point < Points; point++)
        {
            int offset = (int)(point * pointStride);
            for (int column = 0; column < NarrowSlice && firstChannel + column < OutChannels; column += RegisterTile.NarrowColumns)
            {
                float* panel = Filters + ((((nint)point * OutChannels) + firstChannel + column) * InChannels);
                float* next = panel + (point + 1 < Points ? (nint)OutChannels * InChannels : 0);
                for (int row = 0; row < rows; row += RegisterTile.NarrowRows, next += ahead)
                {
                    Cache.Prefetch(next, ahead);
                    RegisterTile.Multiply6x16(from + row, &offset, 1, InChannels, panel, null, false, false, to + row, (point * productStride) + column);
                }
            }
        }
    }

    /// <summary>B' d B of 16 channels of a 6 x 6 patch; the 36 results go to <paramref name="target"/>, <paramref name="pointStride"/> apart.</summary>
    public static void TransformInput(float* source, nint rowStride, nint pixelStride, float* target, nint pointStride)
    {
        Vector512<float>* half = stackalloc Vector512<float>[Points];
        for (int column = 0; column < Patch; column++)
        {
            float* from = source + (column * pixelStride);
            InputPoints(Vector512.Load(from), Vector512.Load(from + rowStride), Vector512.Load(from + (2 * rowStride)), Vector512.Load(from + (3 * rowStride)),
                Vector512.Load(from + (4 * rowStride)), Vector512.Load(from + (5 * rowStride)), out half[column], out half[Patch + column],
                out half[(2 * Patch) + column], out half[(3 * Patch) + column], out half[(4 * Patch) + column], out half[(5 * Patch) + column]);
        }

        for (int row = 0; row < Patch; row++)
        {
            Vector512<float>* from = half + (row * Patch);
            InputPoints(from[0], from[1], from[2], from[3], from[4], from[5], out Vector512<float> v0, out Vector512<float> v1, out Vector512<float> v2,
                out Vector512<float> v3, out Vector512<float> v4, out Vector512<float> v5);
            StorePoints(v0, v1, v2, v3, v4, v5, target + (row * Patch * pointStride), pointStride);
        }
    }

    /// <summary>Stores six neighbouring points of a tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePoints(Vector512<float> v0, Vector512<float> v1, Vector512<float> v2, Vector512<float> v3, Vector512<float> v4, Vector512<float> v5,
        float* to, nint pointStride)
    {
        v0.Store(to);
        v1.Store(to + pointStride);
        v2.Store(to + (2 * pointStride));
        v3.Store(to + (3 * pointStride));
        v4.Store(to + (4 * pointStride));
        v5.Store(to + (5 * pointStride));
    }

    /// <summary>A' m A of 16 channels, plus bias, then ReLU: 4 x 4 pixels.</summary>
    private static void TransformOutput(float* source, nint pointStride, Vector512<float> bias, bool relu, float* target, nint rowStride, nint pixelStride)
    {
        Vector512<float>* half = stackalloc Vector512<float>[TileSide * Patch];
        for (int column = 0; column < Patch; column++)
        {
            float* from = source + (column * pointStride);
            nint down = Patch * pointStride;
            OutputPixels(Vector512.Load(from), Vector512.Load(from + down), Vector512.Load(from + (2 * down)), Vector512.Load(from + (3 * down)),
                Vector512.Load(from + (4 * down)), Vector512.Load(from + (5 * down)), out half[column], out half[Patch + column],
                out half[(2 * Patch) + column], out half[(3 * Patch) + column]);
        }

        Vector512<float> least = relu ? Vector512<float>.Zero : Vector512.Create(float.NegativeInfinity);
        for (int row = 0; row < TileSide; row++)
        {
            Vector512<float>* from = half + (row * Patch);
            OutputPixels(from[0], from[1], from[2], from[3], from[4], from[5], out Vector512<float> y0, out Vector512<float> y1, out Vector512<float> y2,
                out Vector512<float> y3);
            float* to = target + (row * rowStride);
            Vector512.Max(y0 + bias, least).Store(to);
            Vector512.Max(y1 + bias, least).Store(to + pixelStride);
            Vector512.Max(y2 + bias, least).Store(to + (2 * pixelStride));
            Vector512.Max(y3 + bias, least).Store(to + (3 * pixelStride));
        }
    }

    /// <summary>G times three values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FilterPoints(Vector512<float> g0, Vector512<float> g1, Vector512<float> g2, Vector512<float>* target, nint stride)
    {
        Vector512<float> inner = Vector512.Create(-2 / 3f), outer = Vector512.Create(1 / 6f);
        Vector512<float> innerEven = Vector512.FusedMultiplyAdd(g2, Vector512.Create(0.5f), g0), outerEven = Vector512.FusedMultiplyAdd(g2, Vector512.Create(2f), g0);
        Vector512<float> innerOdd = g1 * Vector512.Create(Inner), outerOdd = g1 * Vector512.Create(Outer);
        target[0] = g0;
        target[stride] = (innerEven + innerOdd) * inner;
        target[2 * stride] = (innerEven - innerOdd) * inner;
        target[3 * stride] = (outerEven + outerOdd) * outer;
        target[4 * stride] = (outerEven - outerOdd) * outer;
        target[5 * stride] = g2;
    }

    /// <summary>B' times six values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InputPoints(Vector512<float> d0, Vector512<float> d1, Vector512<float> d2, Vector512<float> d3, Vector512<float> d4, Vector512<float> d5,
        out Vector512<float> v0, out Vector512<float> v1, out Vector512<float> v2, out Vector512<float> v3, out Vector512<float> v4, out Vector512<float> v5)
    {
        Vector512<float> both = Vector512.Create(-2.5f), minusHalf = Vector512.Create(-0.5f), minusTwo = Vector512.Create(-2f);
        Vector512<float> innerEven = Vector512.FusedMultiplyAdd(minusTwo, d2, d4), innerOdd = Vector512.FusedMultiplyAdd(minusTwo, d1, d3) * Vector512.Create(Inner);
        Vector512<float> outerEven = Vector512.FusedMultiplyAdd(minusHalf, d2, d4), outerOdd = Vector512.FusedMultiplyAdd(minusHalf, d1, d3) * Vector512.Create(Outer);
        v0 = Vector512.FusedMultiplyAdd(both, d2, d0 + d4);
        v1 = innerEven + innerOdd;
        v2 = innerEven - innerOdd;
        v3 = outerEven + outerOdd;
        v4 = outerEven - outerOdd;
        v5 = Vector512.FusedMultiplyAdd(both, d3, d1 + d5);
    }

    /// <summary>A' times six values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OutputPixels(Vector512<float> m0, Vector512<float> m1, Vector512<float> m2, Vector512<float> m3, Vector512<float> m4,
        Vector512<float> m5, out Vector512<float> y0, out Vector512<float> y1, out Vector512<float> y2, out Vector512<float> y3)
    {
        Vector512<float> innerEven = m1 + m2, innerOdd = (m1 - m2) * Vector512.Create(Inner), outerEven = m3 + m4, outerOdd = (m3 - m4) * Vector512.Create(Outer);
        Vector512<float> half = Vector512.Create(0.5f), two = Vector512.Create(2f);
        y0 = m0 + innerEven + outerEven;
        y1 = innerOdd + outerOdd;
        y2 = Vector512.FusedMultiplyAdd(half, innerEven, two * outerEven);
        y3 = Vector512.FusedMultiplyAdd(half, innerOdd, Vector512.FusedMultiplyAdd(two, outerOdd, m5));
    }
}
