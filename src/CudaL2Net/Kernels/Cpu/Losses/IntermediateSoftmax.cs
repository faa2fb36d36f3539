namespace CudaL2Net.Kernels.Cpu;

// L2-Net's E3, equations 9 and 10, for one layer: -1/2 sum_i (log v^c_ii + log v^r_ii), v the column and row softmax of z_ij = similarity g_ij,
// g_ij = f1_i . f2_j. With w = dE3/dg: df1_i = sum_j w_ij f2_j, df2_j = sum_i w_ij f1_i. Three products of p x p with maps of up to 32,768 values:
// 2 p^2 operations per value, beside 8 bytes read and 4 written, so for p of 64 and more bound by arithmetic.
internal sealed unsafe partial class CpuDevice
{
    public void IntermediateSoftmax(float similarity, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient)
    {
        (int pairs, int width) = PairShape(features);
        float* first = features.Pointer, second = first + ((long)pairs * width);
        float* dFirst = gradient.Pointer, dSecond = dFirst + ((long)pairs * width);
        float* matrix = Scratch(2, (nuint)pairs * (nuint)pairs);
        MultiplyRows(new MatrixOperand(first, width, 1), pairs, new MatrixOperand(second, width, 1), pairs, width, matrix, pairs);
        *loss.Pointer = (float)(weight * PairSoftmax(matrix, pairs, similarity, weight, perValue: false));
        MultiplyRows(new MatrixOperand(matrix, pairs, 1), pairs, new MatrixOperand(second, 1, width), width, pairs, dFirst, width);
        MultiplyRows(new MatrixOperand(matrix, 1, pairs), pairs, new MatrixOperand(first, 1, width), width, pairs, dSecond, width);
    }
}
