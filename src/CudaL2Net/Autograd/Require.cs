using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;
using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>
/// The checks of everything that a tape records. They run once, when an operation is recorded, and are the same for all devices; the kernels check nothing.
/// What fails names the argument, says what it is, and what would fit.
/// </summary>
internal static class Require
{
    /// <summary>The most pixels of a side of an image, with its padding: kernels keep a pixel's row and column in 16 bits each.</summary>
    public const int LargestSide = 16000;

    /// <summary>The largest step of a convolution.</summary>
    public const int LargestStride = 255;

    // Kernels load four floats at once.
    private const int Alignment = 16;

    /// <summary>A variable of the tape, whose value is still there.</summary>
    public static void On(Tape tape, [NotNull] Variable? variable, [CallerArgumentExpression(nameof(variable))] string? name = null)
    {
        ArgumentNullException.ThrowIfNull(tape);
        tape.ThrowIfDisposed();
        ArgumentNullException.ThrowIfNull(variable, name);
        if (variable.Tape != tape)
        {
            throw new ArgumentException($"{name} is a variable of another tape: an operation reads variables of its own tape only", name);
        }

        ObjectDisposedException.ThrowIf(variable.IsDisposed, variable);
    }

    /// <summary>A tensor in the memory of the tape's device, still there, with elements, and where kernels can read it.</summary>
    public static unsafe void On<T>(Tape tape, [NotNull] Tensor<T>? tensor, [CallerArgumentExpression(nameof(tensor))] string? name = null)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(tape);
        tape.ThrowIfDisposed();
        ArgumentNullException.ThrowIfNull(tensor, name);
        if (tensor.Device != tape.Device)
        {
            throw new ArgumentException(
                $"{name} is in the memory of {Named(tensor.Device, tape.Device)}, the tape is of {tape.Device.Name}: upload it to the tape's device", name);
        }

        ObjectDisposedException.ThrowIf(tensor.IsDisposed, tensor);
        if (tensor.Length == 0 || tensor.Shape.IsEmpty)
        {
            throw new ArgumentException($"{name} is {Shape(tensor.Shape)}: it needs at least one dimension and one element", name);
        }

        // An array that was lent lies where it lies; no device that takes one asks for more.
        if (!tensor.IsLent && (nint)tensor.Pointer % Alignment != 0)
        {
            throw new ArgumentException(
                $"{name} is a view that does not begin at a multiple of {Alignment} bytes of its tensor: copy these rows into a tensor of their own", name);
        }
    }

    /// <summary>A tensor of a number of elements.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="length">The elements that it must have.</param>
    /// <param name="fits">The shape that would fit, for the message.</param>
    /// <param name="name">The argument's name.</param>
    public static void Length<T>(
        Tape tape, [NotNull] Tensor<T>? tensor, long length, string fits, [CallerArgumentExpression(nameof(tensor))] string? name = null)
        where T : unmanaged
    {
        On(tape, tensor, name);
        if (tensor.Length != length)
        {
            throw new ArgumentException($"{name} is {Shape(tensor.Shape)}, it must be {fits}", name);
        }
    }

    /// <summary>A variable with a number per channel, where there is one.</summary>
    public static void Channels(Tape tape, Variable? variable, int channels, [CallerArgumentExpression(nameof(variable))] string? name = null)
    {
        if (variable != null)
        {
            On(tape, variable, name);
            if (variable.Length != channels)
            {
                throw new ArgumentException($"{name} is {Shape(variable.Shape)}, it must be [{channels}]: a number for each of {channels} channels", name);
            }
        }
    }

    /// <summary>A variable of a number of dimensions.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="variable">The variable.</param>
    /// <param name="rank">The dimensions that it must have.</param>
    /// <param name="fits">Their meaning, for the message: <c>[n][h][w][c]</c>.</param>
    /// <param name="name">The argument's name.</param>
    public static void Rank(
        Tape tape, [NotNull] Variable? variable, int rank, string fits, [CallerArgumentExpression(nameof(variable))] string? name = null)
    {
        On(tape, variable, name);
        if (variable.Shape.Length != rank)
        {
            throw new ArgumentException($"{name} is {Shape(variable.Shape)}, it must be {fits}", name);
        }
    }

    /// <summary>A batch of pairs: p first rows, then p second ones.</summary>
    public static void Pairs(Tape tape, [NotNull] Variable? variable, [CallerArgumentExpression(nameof(variable))] string? name = null)
    {
        On(tape, variable, name);
        if (variable.Shape[0] % 2 != 0)
        {
            throw new ArgumentException(
                $"{name} is {Shape(variable.Shape)}: a batch of pairs has an even number of rows, the first patches and then the second ones", name);
        }
    }

    /// <summary>The sizes of a convolution.</summary>
    /// <exception cref="ArgumentException">An argument is not of the tape, the channels differ, or the filter does not fit into the padded image.</exception>
    public static Conv2dGeometry Convolution(Tape tape, Variable x, Variable filters, Variable? bias, int stride, int padding)
    {
        Rank(tape, x, 4, "[n][h][w][in]");
        Rank(tape, filters, 4, "[out][kh][kw][in]");
        Within(stride, 1, LargestStride);
        Within(padding, 0, LargestSide);
        ReadOnlySpan<int> image = x.Shape, bank = filters.Shape;
        int height = image[1] + (2 * padding), width = image[2] + (2 * padding);
        if (Math.Max(height, width) > LargestSide)
        {
            throw new ArgumentException($"x is {Shape(image)}: with a padding of {padding} a side may have at most {LargestSide} pixels", nameof(x));
        }

        if (bank[3] != image[3] || bank[1] > height || bank[2] > width)
        {
            throw new ArgumentException(
                $"filters are {Shape(bank)}, x is {Shape(image)}: they must have its {image[3]} channels and fit into {height} x {width} pixels, which is the image "
                    + $"with a padding of {padding}",
                nameof(filters));
        }

        Channels(tape, bias, bank[0]);
        return new Conv2dGeometry(image[0], image[1], image[2], image[3], bank[0], bank[1], bank[2], stride, padding);
    }

    /// <summary>What batch normalization takes besides x.</summary>
    public static void BatchNorm(Tape tape, int rows, int channels, BatchNormOptions options, Variable? scale, Variable? shift,
        Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        Within(options.Halves, 1, 2);
        if (rows % options.Halves != 0)
        {
            throw new ArgumentException($"a batch of {rows} does not divide into {options.Halves} halves", nameof(options));
        }

        Positive(options.Epsilon);
        Within(options.Momentum, 0, 1);
        Channels(tape, scale, channels);
        Channels(tape, shift, channels);
        Length(tape, runningMean, channels, $"[{channels}]");
        Length(tape, runningVariance, channels, $"[{channels}]");
    }

    /// <summary>The step's parameters.</summary>
    public static void Step(Tape tape, [NotNull] Tensor<StepParameters>? step) => Length(tape, step, 1, "[1], the parameters of one step");

    /// <summary>A finite number.</summary>
    public static void Finite(float value, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        if (!float.IsFinite(value))
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be a finite number");
        }
    }

    /// <summary>A finite number above 0.</summary>
    public static void Positive(float value, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        if (!(value > 0) || !float.IsFinite(value))
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be above 0");
        }
    }

    /// <summary>A finite number that is not below 0.</summary>
    public static void NotNegative(float value, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        if (!(value >= 0) || !float.IsFinite(value))
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must not be below 0");
        }
    }

    /// <summary>A number in a range, both ends included.</summary>
    public static void Within<T>(T value, T least, T most, [CallerArgumentExpression(nameof(value))] string? name = null)
        where T : IComparisonOperators<T, T, bool>
    {
        if (!(value >= least && value <= most))
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be from {least} to {most}");
        }
    }

    /// <summary>A member of an enumeration.</summary>
    public static void Defined<T>(T value, [CallerArgumentExpression(nameof(value))] string? name = null)
        where T : struct, Enum
    {
        if (!Enum.IsDefined(value))
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be one of {string.Join(", ", Enum.GetNames<T>())}");
        }
    }

    /// <summary>A shape as messages write it.</summary>
    public static string Shape(ReadOnlySpan<int> shape) => $"[{string.Join("][", shape.ToArray())}]";

    private static string Named(Device device, Device other) => device.Name == other.Name ? $"another device {device.Name}" : device.Name;
}
