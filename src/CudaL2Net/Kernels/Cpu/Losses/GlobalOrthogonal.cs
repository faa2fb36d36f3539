namespace CudaL2Net.Kernels.Cpu;

// Global orthogonal regularization: with s_k = a_k . n_k over the negative pairs, m1 = mean s, m2 = mean s^2: L = m1^2 + max(0, m2 - 1/q).
// dL/ds_k = (2 m1 + [m2 > 1/q] 2 s_k) / count; ds/da = n, ds/dn = a. O(p q): one thread, in order of the pairs, as in the triplet losses.
internal sealed unsafe partial class CpuDevice
{
    public void GlobalOrthogonal(float weight, Tensor<float> descriptors, Tensor<int> negativePair, Tensor<float> loss, Tensor<float> gradient)
    {
        (int pairs, int width) = PairShape(descriptors);
        gradient.Clear();
        float* products = Scratch(3, (nuint)pairs);
        double sum = 0, squares = 0;
        int count = 0;
        for (int pair = 0; pair < pairs; pair++)
        {
            int first = negativePair.Pointer[2 * pair], second = negativePair.Pointer[(2 * pair) + 1];
            if (first >= 0)
            {
                products[pair] = Vectors.Dot(descriptors.Pointer + ((long)first * width), descriptors.Pointer + ((long)second * width), width);
                sum += products[pair];
                squares += (double)products[pair] * products[pair];
                count++;
            }
        }

        double mean = sum / Math.Max(count, 1), excess = (squares / Math.Max(count, 1)) - (1.0 / width);
        *loss.Pointer = count == 0 ? 0 : (float)(weight * ((mean * mean) + Math.Max(0, excess)));
        for (int pair = 0; pair < pairs; pair++)
        {
            int first = negativePair.Pointer[2 * pair], second = negativePair.Pointer[(2 * pair) + 1];
            if (first >= 0)
            {
                float slope = (float)(2 * weight * (mean + (excess > 0 ? products[pair] : 0)) / count);
                long a = (long)first * width, n = (long)second * width;
                Vectors.AddScaled(slope, descriptors.Pointer + n, gradient.Pointer + a, width);
                Vectors.AddScaled(slope, descriptors.Pointer + a, gradient.Pointer + n, width);
            }
        }
    }
}
