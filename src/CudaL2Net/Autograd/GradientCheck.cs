using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>Checks the gradients that a tape computes, for operations and losses of your own.</summary>
public static class GradientCheck
{
    /// <summary>
    /// Compares the gradient of the sum of a tape's losses with central differences, (L(w + step) - L(w - step)) / (2 step). The losses are float32, so that a
    /// right gradient has errors of about 1e-3; a wrong one is off by much more. A value at a kink, such as that of a ReLU, may be off as well.
    /// </summary>
    /// <param name="tape">The tape. Its passes run; the parameters are as before in the end.</param>
    /// <param name="parameter">One of its <see cref="Tape.Parameters"/>.</param>
    /// <param name="step">Half the distance between the two points of a difference, above 0.</param>
    /// <param name="elements">So many elements of the parameter are tried, from first to last.</param>
    /// <returns>The largest error, relative to the largest element of the gradient that was tried.</returns>
    /// <exception cref="ArgumentException">The variable is no parameter of the tape, or a number is out of its range.</exception>
    public static double LargestError(Tape tape, Variable parameter, float step = 1e-2f, int elements = 100)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(parameter);
        ArgumentOutOfRangeException.ThrowIfLessThan(elements, 1);
        if (!(step > 0 && float.IsFinite(step)))
        {
            throw new ArgumentOutOfRangeException(nameof(step), step, "the step must be positive");
        }

        if (!tape.Parameters.Contains(parameter))
        {
            throw new ArgumentException("the variable is no parameter of the tape", nameof(parameter));
        }

        tape.Forward();
        tape.Backward();
        Tensor<float> value = parameter.Value;
        float[] values = value.ToArray(), gradient = parameter.Gradient!.ToArray();
        int count = Math.Min(elements, values.Length);
        double largest = 0, error = 0;
        for (int k = 0; k < count; k++)
        {
            int i = (int)((long)k * values.Length / count);
            float kept = values[i], above = kept + step, below = kept - step;
            double difference = LossWith(above) - LossWith(below), numeric = difference / ((double)above - below);
            values[i] = kept;
            largest = Math.Max(largest, Math.Max(Math.Abs(numeric), Math.Abs(gradient[i])));
            error = Math.Max(error, double.IsNaN(gradient[i]) ? double.PositiveInfinity : Math.Abs(numeric - gradient[i]));

            double LossWith(float moved)
            {
                values[i] = moved;
                value.Write(values);
                tape.Forward();
                return tape.TotalLoss();
            }
        }

        value.Write(values);
        tape.Forward();
        return largest == 0 ? 0 : error / largest;
    }
}
