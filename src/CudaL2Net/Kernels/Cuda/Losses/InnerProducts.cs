namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void InnerProductsForward(Tensor<float> x, Tensor<float> y, Tensor<float> products)
    {
        (int rows, int columns, int width) = InnerProductShape(x, y);
        if (x.Length == 0 || y.Length == 0)
        {
            products.Clear();
            return;
        }

        int range = ProductRange(Tiles(rows) * Tiles(columns), width), ranges = Tiles(width, range);
        float* parts = ranges == 1 ? products.Pointer : (float*)Scratch((nuint)ranges * (nuint)products.Length * sizeof(float));
        RowProducts(new(x.Pointer, width), rows, new(y.Pointer, width), columns, width, range, parts);
        if (ranges > 1)
        {
            Launch("conv2d_parts", "conv2d_sum", Blocks(products.Length), 256, 0, parts, ranges, products.Length, columns, (Tensor<float>?)null, 0, products);
        }
    }

    public void InnerProductsBackward(Tensor<float> x, Tensor<float> y, Tensor<float> dProducts, Tensor<float>? dx, Tensor<float>? dy)
    {
        (int rows, int columns, int width) = InnerProductShape(x, y);
        if (x.Length == 0 || y.Length == 0)
        {
            dx?.Clear();
            dy?.Clear();
            return;
        }

        if (dx != null)
        {
            RowProducts(new(dProducts.Pointer, columns), rows, new(y.Pointer, width, transposed: true), width, columns, columns, dx.Pointer);
        }

        if (dy != null)
        {
            RowProducts(new(dProducts.Pointer, columns, transposed: true), columns, new(x.Pointer, width, transposed: true), width, rows, rows, dy.Pointer);
        }
    }
}
