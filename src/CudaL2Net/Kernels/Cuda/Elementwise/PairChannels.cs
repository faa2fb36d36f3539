namespace CudaL2Net.Kernels.Cuda;

internal partial class CudaDevice
{
    public void PairChannelsForward(Tensor<float> x, Tensor<float> y)
    {
        PairChannelsGeometry g = PairChannelsGeometry.Of(x.Shape, y.Shape);
        Launch("pair_channels", "pair_channels_forward", PairBlocks(g), 256, 0, x, y, g.Pairs, g.Pixels, g.Channels);
    }

    public void PairChannelsBackward(Tensor<float> dy, Tensor<float> dx)
    {
        PairChannelsGeometry g = PairChannelsGeometry.Of(dx.Shape, dy.Shape);
        Launch("pair_channels", "pair_channels_backward", PairBlocks(g), 256, 0, dy, dx, g.Pairs, g.Pixels, g.Channels);
    }

    private int PairBlocks(in PairChannelsGeometry g) => Blocks(2L * g.Pairs * g.RowLength / (g.Channels % 4 == 0 ? 4 : 1));
}
