using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>The kernels that measure peaks must do the arithmetic that they are credited with.</summary>
[Category("Cuda")]
public sealed class BenchPeakTests
{
    private const int Steps = 3;

    [OneTimeSetUp]
    public void RequireDevice() => CudaDriver.Require();

    [Test]
    public void MultiplyAddsAreDone()
    {
        (float[] sums, long operations) = Run(Arithmetic.Float32);
        for (uint thread = 0; thread < 40; thread++)
        {
            double expected = 0;
            for (uint k = 0; k < 16; k++)
            {
                double s = (Mixed((16 * thread) + k) >> 8) / 16777216.0;
                for (int i = 0; i < Steps * 8; i++)
                {
                    s = (s * 0.999f) + 0.001f;
                }

                expected += s;
            }

            Assert.That(sums[thread], Is.EqualTo(expected).Within(1e-5 * expected));
        }

        Assert.That(operations, Is.EqualTo(2L * sums.Length * Steps * 8 * 16));
    }

    [Test]
    public void CountsAreDone()
    {
        (float[] sums, long operations) = Run(Arithmetic.Popcount);
        for (uint thread = 0; thread < 40; thread++)
        {
            uint y = Mixed((16 * thread) + 8);
            int expected = 0;
            for (int i = 0; i < Steps * 8; i++)
            {
                for (uint k = 0; k < 8; k++)
                {
                    expected += System.Numerics.BitOperations.PopCount(Mixed((16 * thread) + k) ^ y);
                }

                y += 0x9e3779b9;
            }

            Assert.That(sums[thread], Is.EqualTo(expected));
        }

        Assert.That(operations, Is.EqualTo((long)sums.Length * Steps * 8 * 8));
    }

    // The sum of all elements of A B is the sum over k of (column k of A) (row k of B); which lane holds which element is the same for all tiles.
    [TestCase(1u, 1e-4)]
    [TestCase(2u, 1e-4)]
    [TestCase(4u, 0)]
    public void MatrixProductsAreDone(uint numbersOfRegister, double tolerance)
    {
        (float[] sums, long operations) = Run(numbersOfRegister switch { 1 => Arithmetic.Tf32, 2 => Arithmetic.Bf16, _ => Arithmetic.Int8 });
        uint depth = 8 * numbersOfRegister;
        for (int warp = 0; warp < 3; warp++)
        {
            var columns = new double[2, depth];
            var rows = new double[4, depth];
            for (uint lane = 0; lane < 32; lane++)
            {
                uint thread = ((uint)warp * 32) + lane, t = lane % 4;
                for (uint register = 0; register < 16; register++)
                {
                    uint bits = Mixed((16 * thread) + register), place = numbersOfRegister * t;
                    foreach (double value in Values(bits, numbersOfRegister, register < 8))
                    {
                        if (register < 8)
                        {
                            // Registers 2 and 3 of a fragment hold the second half of the depth.
                            columns[register / 4, (depth / 2 * (register % 4 / 2)) + place] += value;
                        }
                        else
                        {
                            rows[(register - 8) / 2, (depth / 2 * (register % 2)) + place] += value;
                        }

                        place++;
                    }
                }
            }

            double expected = 0, magnitude = 0;
            for (int a = 0; a < 2; a++)
            {
                for (int b = 0; b < 4; b++)
                {
                    for (int k = 0; k < depth; k++)
                    {
                        expected += Steps * columns[a, k] * rows[b, k];
                    }
                }
            }

            magnitude = sums.Skip(warp * 32).Take(32).Sum(Math.Abs);
            Assert.That(sums.Skip(warp * 32).Take(32).Sum(sum => (double)sum), Is.EqualTo(expected).Within(tolerance * magnitude));
        }

        Assert.That(operations, Is.EqualTo((long)sums.Length / 32 * Steps * 8 * 2 * 16 * 8 * depth));
    }

    [Test]
    public void AnOutputOfAnotherLengthIsRefused()
    {
        using var device = (CudaDevice)Device.Open("cuda");
        using Tensor<float> output = device.Allocate<float>(device.PeakOutputs - 1);
        Assert.That(() => device.RunPeak(Arithmetic.Float32, 1, output), Throws.ArgumentException);
    }

    private static (float[] Sums, long Operations) Run(Arithmetic kind)
    {
        using var device = (CudaDevice)Device.Open("cuda");
        using Tensor<float> output = device.Allocate<float>(device.PeakOutputs);
        long operations = device.RunPeak(kind, Steps, output);
        return (output.ToArray(), operations);
    }

    private static double[] Values(uint bits, uint numbersOfRegister, bool left) => numbersOfRegister switch
    {
        1 => [BitConverter.UInt32BitsToSingle(0x3f800000 | (bits & 0x807fe000))],
        2 => [BitConverter.UInt32BitsToSingle((0x3f80 | (bits & 0x807f)) << 16), BitConverter.UInt32BitsToSingle(0x3f800000 | (bits & 0x807f0000))],
        _ => [.. BitConverter.GetBytes(bits).Select(value => left ? value : (double)(sbyte)value)],
    };

    private static uint Mixed(uint x)
    {
        x = (x ^ (x >> 16)) * 0x7feb352d;
        x = (x ^ (x >> 15)) * 0x846ca68b;
        return x ^ (x >> 16);
    }
}
