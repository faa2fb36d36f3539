using System.Numerics;
using System.Runtime.InteropServices;

namespace CudaL2Net.Kernels.Cpu;

// Pooling over square windows: the largest value, the average (padding counts as zeros) or the root of the sum of squares. An image is one piece of work.
// Forward a vector of channels goes over its window's pixels. Backward the windows add their gradients to a cleared image, in row order: of each pixel that is
// the order in which the GPU gathers them, and the sums have the same bits. L2's x / y: first the sum of dy / y of a pixel's windows, then its product with x.
internal sealed unsafe partial class CpuDevice
{
    public void PoolForward(in PoolGeometry geometry, Tensor<float> x, Tensor<float> y, Tensor<ushort>? places)
    {
        pool.For(geometry.Batch, new PoolForwardJob
        {
            Windows = new PoolWindows(geometry),
            X = x.Pointer,
            Y = y.Pointer,
            Places = places == null ? null : places.Pointer,
        });
    }

    public void PoolBackward(in PoolGeometry geometry, Tensor<float> x, Tensor<float> y, Tensor<ushort>? places, Tensor<float> dy, Tensor<float> dx)
    {
        int* offsets = null;
        if (geometry.Options.Kind == PoolKind.Max)
        {
            int kernel = geometry.Options.Kernel;
            offsets = (int*)Scratch(PanelScratch, (nuint)(kernel * kernel));
            for (int place = 0; place < kernel * kernel; place++)
            {
                offsets[place] = ((place / kernel * geometry.Width) + (place % kernel)) * geometry.Channels;
            }
        }

        pool.For(geometry.Batch, new PoolBackwardJob
        {
            Windows = new PoolWindows(geometry),
            Offsets = offsets,
            X = x.Pointer,
            Y = y.Pointer,
            Places = places == null ? null : places.Pointer,
            Dy = dy.Pointer,
            Dx = dx.Pointer,
        });
    }

    /// <summary>A window's rows and columns inside the image, [first, end), and where the whole window begins.</summary>
    private readonly struct PoolWindow
    {
        public required int Row { get; init; }

        public required int Column { get; init; }

        public required int FirstRow { get; init; }

        public required int EndRow { get; init; }

        public required int FirstColumn { get; init; }

        public required int EndColumn { get; init; }

        /// <summary>1 / (pixels that an average counts).</summary>
        public required float Share { get; init; }
    }

    /// <summary>The windows of an image.</summary>
    private readonly struct PoolWindows(PoolGeometry geometry)
    {
        public readonly PoolOptions Options = geometry.Options;
        public readonly int Height = geometry.Height, Width = geometry.Width, Channels = geometry.Channels;
        public readonly int OutHeight = geometry.OutHeight, OutWidth = geometry.OutWidth;

        public nint ImageLength => (nint)Height * Width * Channels;

        public nint OutputLength => (nint)OutHeight * OutWidth * Channels;

        public PoolWindow At(int oh, int ow)
        {
            int row = (oh * Options.Stride) - Options.Padding, column = (ow * Options.Stride) - Options.Padding;
            int rows = Math.Min(row + Options.Kernel, Height + Options.Padding) - row;
            int columns = Math.Min(column + Options.Kernel, Width + Options.Padding) - column;
            return new PoolWindow
            {
                Row = row,
                Column = column,
                FirstRow = Math.Max(row, 0),
                EndRow = Math.Min(row + Options.Kernel, Height),
                FirstColumn = Math.Max(column, 0),
                EndColumn = Math.Min(column + Options.Kernel, Width),
                Share = 1f / (rows * columns),
            };
        }
    }

    private struct PoolForwardJob : IParallelJob
    {
        public PoolWindows Windows;
        public float* X;
        public float* Y;
        public ushort* Places;

        public readonly void Run(int index, int worker)
        {
            float* image = X + (index * Windows.ImageLength), y = Y + (index * Windows.OutputLength);
            ushort* places = Places == null ? null : Places + (index * Windows.OutputLength);
            for (int oh = 0; oh < Windows.OutHeight; oh++)
            {
                for (int ow = 0; ow < Windows.OutWidth; ow++, y += Windows.Channels)
                {
                    PoolWindow window = Windows.At(oh, ow);
                    switch (Windows.Options.Kind)
                    {
                        case PoolKind.Max:
                            Max(image, window, y, places);
                            places = places == null ? null : places + Windows.Channels;
                            break;
                        case PoolKind.Average:
                            Average(image, window, y);
                            break;
                        default:
                            Root(image, window, y);
                            break;
                    }
                }
            }
        }

        private readonly void Max(float* image, in PoolWindow window, float* y, ushort* places)
        {
            int channels = Windows.Channels, kernel = Windows.Options.Kernel, c = 0;
            int* lanes = stackalloc int[Vector<int>.Count];
            int firstPlace = ((window.FirstRow - window.Row) * kernel) + window.FirstColumn - window.Column;
            for (; c <= channels - Vector<float>.Count; c += Vector<float>.Count)
            {
                var best = new Vector<float>(float.NegativeInfinity);
                var place = new Vector<int>(firstPlace);
                for (int row = window.FirstRow; row < window.EndRow; row++)
                {
                    float* pixel = image + ((((nint)row * Windows.Width) + window.FirstColumn) * channels) + c;
                    int which = ((row - window.Row) * kernel) + window.FirstColumn - window.Column;
                    for (int column = window.FirstColumn; column < window.EndColumn; column++, which++, pixel += channels)
                    {
                        // A NaN wins, but not the place of one before it.
                        Vector<float> v = Vector.Load(pixel);
                        Vector<int> wins = Vector.GreaterThan(v, best) | ~Vector.Equals(v, v);
                        place = Vector.ConditionalSelect(wins & Vector.Equals(best, best), new Vector<int>(which), place);
                        best = Vector.ConditionalSelect(wins, v, best);
                    }
                }

                best.Store(y + c);
                if (places != null)
                {
                    place.Store(lanes);
                    for (int i = 0; i < Vector<int>.Count; i++)
                    {
                        places[c + i] = (ushort)lanes[i];
                    }
                }
            }

            for (; c < channels; c++)
            {
                float best = float.NegativeInfinity;
                int place = firstPlace;
                for (int row = window.FirstRow; row < window.EndRow; row++)
                {
                    for (int column = window.FirstColumn; column < window.EndColumn; column++)
                    {
                        float v = image[((((nint)row * Windows.Width) + column) * channels) + c];
                        if (v > best || float.IsNaN(v))
                        {
                            place = float.IsNaN(best) ? place : ((row - window.Row) * kernel) + column - window.Column;
                            best = v;
                        }
                    }
                }

                y[c] = best;
                if (places != null)
                {
                    places[c] = (ushort)place;
                }
            }
        }

        private readonly void Average(float* image, in PoolWindow window, float* y)
        {
            int channels = Windows.Channels, c = 0;
            for (; c <= channels - Vector<float>.Count; c += Vector<float>.Count)
            {
                Vector<float> sum = Vector<float>.Zero;
                for (int row = window.FirstRow; row < window.EndRow; row++)
                {
                    float* pixel = image + ((((nint)row * Windows.Width) + window.FirstColumn) * channels) + c;
                    for (int column = window.FirstColumn; column < window.EndColumn; column++, pixel += channels)
                    {
                        sum += Vector.Load(pixel);
                    }
                }

                (sum * window.Share).Store(y + c);
            }

            for (; c < channels; c++)
            {
                float sum = 0;
                for (int row = window.FirstRow; row < window.EndRow; row++)
                {
                    for (int column = window.FirstColumn; column < window.EndColumn; column++)
                    {
                        sum += image[((((nint)row * Windows.Width) + column) * channels) + c];
                    }
                }

                y[c] = sum * window.Share;
            }
        }

        private readonly void Root(float* image, in PoolWindow window, float* y)
        {
            int channels = Windows.Channels, c = 0;
            for (; c <= channels - Vector<float>.Count; c += Vector<float>.Count)
            {
                Vector<float> sum = Vector<float>.Zero;
                for (int row = window.FirstRow; row < window.EndRow; row++)
                {
                    float* pixel = image + ((((nint)row * Windows.Width) + window.FirstColumn) * channels) + c;
                    for (int column = window.FirstColumn; column < window.EndColumn; column++, pixel += channels)
                    {
                        Vector<float> v = Vector.Load(pixel);
                        sum = Vector.FusedMultiplyAdd(v, v, sum);
                    }
                }

                Vector.SquareRoot(sum).Store(y + c);
            }

            for (; c < channels; c++)
            {
                float sum = 0;
                for (int row = window.FirstRow; row < window.EndRow; row++)
                {
                    for (int column = window.FirstColumn; column < window.EndColumn; column++)
                    {
                        float v = image[((((nint)row * Windows.Width) + column) * channels) + c];
                        sum = MathF.FusedMultiplyAdd(v, v, sum);
                    }
                }

                y[c] = MathF.Sqrt(sum);
            }
        }
    }

    private struct PoolBackwardJob : IParallelJob
    {
        public PoolWindows Windows;

        /// <summary>[kernel][kernel]: floats from a window's beginning to a pixel; for the largest value only.</summary>
        public int* Offsets;
        public float* X;
        public float* Y;
        public ushort* Places;
        public float* Dy;
        public float* Dx;

        public readonly void Run(int index, int worker)
        {
            int channels = Windows.Channels;
            float* dx = Dx + (index * Windows.ImageLength);
            nint at = index * Windows.OutputLength;
            NativeMemory.Clear(dx, (nuint)Windows.ImageLength * sizeof(float));
            for (int oh = 0; oh < Windows.OutHeight; oh++)
            {
                for (int ow = 0; ow < Windows.OutWidth; ow++, at += channels)
                {
                    PoolWindow window = Windows.At(oh, ow);
                    switch (Windows.Options.Kind)
                    {
                        case PoolKind.Max:
                            float* begin = dx + ((((nint)window.Row * Windows.Width) + window.Column) * channels);
                            for (int c = 0; c < channels; c++)
                            {
                                begin[Offsets[Places[at + c]] + c] += Dy[at + c];
                            }

                            break;
                        case PoolKind.Average:
                            Average(dx, window, Dy + at);
                            break;
                        default:
                            Root(dx, window, Y + at, Dy + at);
                            break;
                    }
                }
            }

            if (Windows.Options.Kind == PoolKind.L2)
            {
                Multiply(X + (index * Windows.ImageLength), dx, Windows.ImageLength);
            }
        }

        private readonly void Average(float* dx, in PoolWindow window, float* dy)
        {
            int channels = Windows.Channels, c = 0;
            for (; c <= channels - Vector<float>.Count; c += Vector<float>.Count)
            {
                Vector<float> share = new(window.Share), g = Vector.Load(dy + c);
                for (int row = window.FirstRow; row < window.EndRow; row++)
                {
                    float* pixel = dx + ((((nint)row * Windows.Width) + window.FirstColumn) * channels) + c;
                    for (int column = window.FirstColumn; column < window.EndColumn; column++, pixel += channels)
                    {
                        Vector.FusedMultiplyAdd(share, g, Vector.Load(pixel)).Store(pixel);
                    }
                }
            }

            for (; c < channels; c++)
            {
                for (int row = window.FirstRow; row < window.EndRow; row++)
                {
                    for (int column = window.FirstColumn; column < window.EndColumn; column++)
                    {
                        float* pixel = dx + ((((nint)row * Windows.Width) + column) * channels) + c;
                        *pixel = MathF.FusedMultiplyAdd(window.Share, dy[c], *pixel);
                    }
                }
            }
        }

        /// <summary>Adds dy / y, or 0 where y is 0, to the window's pixels.</summary>
        private readonly void Root(float* dx, in PoolWindow window, float* y, float* dy)
        {
            int channels = Windows.Channels, c = 0;
            for (; c <= channels - Vector<float>.Count; c += Vector<float>.Count)
            {
                Vector<float> root = Vector.Load(y + c);
                Vector<float> ratio = Vector.ConditionalSelect(Vector.Equals(root, Vector<float>.Zero), Vector<float>.Zero, Vector.Load(dy + c) / root);
                for (int row = window.FirstRow; row < window.EndRow; row++)
                {
                    float* pixel = dx + ((((nint)row * Windows.Width) + window.FirstColumn) * channels) + c;
                    for (int column = window.FirstColumn; column < window.EndColumn; column++, pixel += channels)
                    {
                        (Vector.Load(pixel) + ratio).Store(pixel);
                    }
                }
            }

            for (; c < channels; c++)
            {
                float ratio = y[c] == 0 ? 0 : dy[c] / y[c];
                for (int row = window.FirstRow; row < window.EndRow; row++)
                {
                    for (int column = window.FirstColumn; column < window.EndColumn; column++)
                    {
                        dx[((((nint)row * Windows.Width) + column) * channels) + c] += ratio;
                    }
                }
            }
        }

        private static void Multiply(float* x, float* y, nint length)
        {
            nint i = 0;
            for (; i <= length - Vector<float>.Count; i += Vector<float>.Count)
            {
                (Vector.Load(x + i) * Vector.Load(y + i)).Store(y + i);
            }

            for (; i < length; i++)
            {
                y[i] *= x[i];
            }
        }
    }
}
