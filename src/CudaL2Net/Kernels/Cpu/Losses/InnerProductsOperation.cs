namespace CudaL2Net.Kernels.Cpu;

// g[i][j] = x_i . y_j and its gradients dx = dg y, dy = dg' x: 2 n m d operations each, bound by arithmetic but for small matrices.
internal sealed unsafe partial class CpuDevice
{
    public void InnerProductsForward(Tensor<float> x, Tensor<float> y, Tensor<float> products)
    {
        (int rows, int columns, int width) = InnerProductShape(x, y);
        if (x.Length == 0 || y.Length == 0)
        {
            products.Clear();
            return;
        }

        MultiplyRows(new MatrixOperand(x.Pointer, width, 1), rows, new MatrixOperand(y.Pointer, width, 1), columns, width, products.Pointer, columns);
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
            MultiplyRows(new MatrixOperand(dProducts.Pointer, columns, 1), rows, new MatrixOperand(y.Pointer, 1, width), width, columns, dx.Pointer, width);
        }

        if (dy != null)
        {
            MultiplyRows(new MatrixOperand(dProducts.Pointer, 1, columns), columns, new MatrixOperand(x.Pointer, 1, width), width, rows, dy.Pointer, width);
        }
    }
}
