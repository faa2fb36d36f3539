namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void PoolForward(in PoolGeometry geometry, Tensor<float> x, Tensor<float> y, Tensor<ushort>? places)
    {
        var windows = new PoolArguments(geometry);
        var layout = new PoolLayout(geometry.OutHeight, geometry.OutWidth, geometry.Channels);
        int blocks = ElementBlocks(y.Length, geometry.Channels);
        KernelArgument order = KernelArgument.Structure(&layout), sizes = KernelArgument.Structure(&windows);
        switch (geometry.Options.Kind)
        {
            case PoolKind.Max:
                Launch("pool", "pool_max_forward", blocks, 256, 0, x, y, places == null ? null : places.Pointer, y.Length, order, sizes);
                break;
            case PoolKind.Average:
                Launch("pool", "pool_average_forward", blocks, 256, 0, x, y, y.Length, order, sizes);
                break;
            default:
                Launch("pool", "pool_l2_forward", blocks, 256, 0, x, y, y.Length, order, sizes);
                break;
        }
    }

    public void PoolBackward(in PoolGeometry geometry, Tensor<float> x, Tensor<float> y, Tensor<ushort>? places, Tensor<float> dy, Tensor<float> dx)
    {
        var windows = new PoolArguments(geometry);
        var layout = new PoolLayout(geometry.Height, geometry.Width, geometry.Channels);
        int blocks = ElementBlocks(dx.Length, geometry.Channels);
        KernelArgument order = KernelArgument.Structure(&layout), sizes = KernelArgument.Structure(&windows);
        switch (geometry.Options.Kind)
        {
            case PoolKind.Max:
                Launch("pool", "pool_max_backward", blocks, 256, 0, places!.Pointer, dy, dx, dx.Length, order, sizes);
                break;
            case PoolKind.Average:
                Launch("pool", "pool_average_backward", blocks, 256, 0, dy, dx, dx.Length, order, sizes);
                break;
            default:
                Launch("pool", "pool_l2_backward", blocks, 256, 0, x, y, dy, dx, dx.Length, order, sizes);
                break;
        }
    }

    /// <summary><c>Pool</c> of pool.cu.</summary>
    private readonly struct PoolArguments(in PoolGeometry g)
    {
        public readonly int Height = g.Height, Width = g.Width, Channels = g.Channels, OutHeight = g.OutHeight, OutWidth = g.OutWidth;
        public readonly int Kernel = g.Options.Kernel, Stride = g.Options.Stride, Padding = g.Options.Padding;
        public readonly Divider ByStride = new(g.Options.Stride);
    }

    /// <summary><c>Layout</c> of pool.cu: how the elements that threads go over lie.</summary>
    private readonly struct PoolLayout(int rows, int columns, int channels)
    {
        public readonly Divider Groups = new(channels % 4 == 0 ? channels / 4 : channels), Columns = new(columns), Rows = new(rows);
    }
}
