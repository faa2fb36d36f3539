using System.Reflection;
using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>Arguments of the tape's operations: right ones of random small sizes, and ways to make any of them wrong.</summary>
/// <param name="tape">The tape that operations are recorded on.</param>
/// <param name="other">A tape of another device.</param>
/// <param name="random">The draws.</param>
internal sealed class TapeArguments(Tape tape, Tape other, Random random) : IDisposable
{
    private readonly List<IDisposable> made = [];

    /// <summary>The operations for which there are right arguments.</summary>
    public static IReadOnlyCollection<string> Known => Rights.Keys;

    /// <summary>The tensors that right arguments are made of.</summary>
    public IReadOnlyList<IDisposable> Tensors => made;

    /// <summary>Right arguments by the operation's name, in the order of its parameters behind the tape.</summary>
    private static Dictionary<string, Func<TapeArguments, object?[]>> Rights { get; } = new()
    {
        [nameof(Tape.Input)] = a => [a.Tensor(a.Size(), a.Size())],
        [nameof(Tape.Parameter)] = a => [a.Tensor(a.Size(), a.Size())],
        [nameof(TapeOperations.GatherPatches)] = a => a.Gather(),
        [nameof(TapeOperations.Conv2d)] = a => [.. a.Convolution(out int stride, out int padding), stride, padding],
        [nameof(ConvolutionStage.ConvolutionBatchNorm)] = a =>
        {
            Variable?[] read = a.Convolution(out int stride, out int padding);
            return [.. read, stride, padding, .. a.Normalization(read[1]!.Shape[0])];
        },
        [nameof(TapeOperations.BatchNorm)] = a =>
        {
            int channels = a.Size();
            return [a.Variable(2 * a.Size(), a.Size(), channels), .. a.Normalization(channels)];
        },
        [nameof(TapeOperations.Relu)] = a => [a.Variable(a.Size(), a.Size())],
        [nameof(TapeOperations.Tanh)] = a => [a.Variable(a.Size(), a.Size())],
        [nameof(TapeOperations.PairChannels)] = a => [a.Variable(4 + (2 * a.Pick(3)), a.Size(), a.Size())],
        [nameof(MapOperations.Reshape)] = a =>
        {
            (int rows, int width) = (a.Size(), a.Size());
            return [a.Variable(rows, 2, width), new[] { rows, 2 * width }];
        },
        [nameof(TapeOperations.Dropout)] = a => [a.Variable(a.Size(), a.Size()), new DropoutOptions(0.3f, 5), a.Step()],
        [nameof(TapeOperations.Lrn)] = a =>
        {
            int channels = a.Size();
            return [a.Variable(a.Size(), channels), new LrnOptions(channels, a.Size(), 1, 0.5f, a.Chance() ? 0.5f : 0.75f)];
        },
        [nameof(TapeOperations.UnitVector)] = a => [a.Variable(a.Size(), a.Size())],
        [nameof(TapeOperations.Concatenate)] = a =>
        {
            int rows = a.Size();
            return [a.Variable(rows, a.Size()), a.Variable(rows, a.Size())];
        },
        [nameof(TapeOperations.PairChannels)] = a => [a.Variable(2 * (2 + a.Pick(3)), a.Size(), a.Size())],
        [nameof(TapeOperations.Pool)] = a =>
        {
            int kernel = 1 + a.Pick(3);
            return [a.Variable(a.Size(), a.Side(), a.Side(), a.Size()), new PoolOptions((PoolKind)a.Pick(3), kernel, 1 + a.Pick(3), a.Pick((kernel / 2) + 1), a.Chance())];
        },
        [nameof(TapeOperations.SubtractiveNorm)] = a =>
        {
            int kernel = 1 + (2 * a.Pick(3));
            return [a.Variable(a.Size(), a.Side(), a.Side(), a.Size()), a.Tensor(kernel, kernel)];
        },
        [nameof(TapeOperations.FilterResponseNorm)] = a =>
        {
            int channels = a.Size();
            return [a.Variable(a.Size(), a.Size(), channels), 1e-3f, a.Optional(channels), a.Optional(channels), a.Optional(channels)];
        },
        [nameof(TapeOperations.Linear)] = a =>
        {
            int inputs = a.Size(), outputs = a.Size();
            return [a.Variable(a.Size(), inputs), a.Variable(outputs, inputs), a.Optional(outputs)];
        },
        [nameof(TapeArithmetic.Add)] = a => a.TwoAlike(),
        [nameof(TapeArithmetic.Subtract)] = a => a.TwoAlike(),
        [nameof(TapeArithmetic.Multiply)] = a => a.TwoAlike(),
        [nameof(TapeArithmetic.Affine)] = a => [a.Variable(a.Size(), a.Size()), 0.5f, -2f],
        [nameof(TapeArithmetic.Exp)] = a => [a.Variable(a.Size(), a.Size())],
        [nameof(TapeArithmetic.Log)] = a => [a.Variable(a.Size(), a.Size())],
        [nameof(TapeArithmetic.SquareRoot)] = a => [a.Variable(a.Size(), a.Size())],
        [nameof(TapeRows.Rows)] = a => [a.Variable(a.Size(), a.Size()), 0, 1],
        [nameof(TapeRows.FirstHalf)] = a => [a.Pairs()],
        [nameof(TapeRows.SecondHalf)] = a => [a.Pairs()],
        [nameof(TapeRows.RowSums)] = a => [a.Variable(a.Size(), a.Size())],
        [nameof(TapeRows.RowDots)] = a => a.TwoAlike(),
        [nameof(TapeRows.InnerProducts)] = a =>
        {
            int width = a.Size();
            return [a.Variable(a.Size(), width), a.Variable(a.Size(), width)];
        },
        [nameof(TapeRows.ScaleRows)] = a =>
        {
            int rows = a.Size();
            return [a.Variable(rows), a.Variable(rows, a.Size())];
        },
        [nameof(TapeCustom.Custom)] = a =>
        {
            int rows = a.Size(), width = a.Size();
            void Forward(CustomOperation o) => Copy(o.Inputs.Count > 0 ? o.Inputs[0] : null, o.Output);
            void Backward(CustomOperation o) => Copy(o.OutputGradient, o.InputGradients[0]);
            static void Copy(Tensor<float>? from, Tensor<float>? to)
            {
                if (from != null && to?.Length == from.Length)
                {
                    to.CopyFrom(from);
                }
            }

            return [new[] { a.Variable(rows, width) }, new[] { rows, width }, (Action<CustomOperation>)Forward, (Action<CustomOperation>)Backward];
        },
        [nameof(TapeLosses.Loss)] = a => ["mean", a.Variable(a.Size(), a.Size()), 0.5f],
        [nameof(TapeLosses.DistanceSoftmax)] = a => [a.Pairs(), 0.5f],
        [nameof(TapeLosses.Correlation)] = a => [a.Pairs(), new CorrelationOptions(a.Chance(), a.Chance()), 0.5f],
        [nameof(TapeLosses.IntermediateSoftmax)] = a => [a.Pairs(), 0.1f, "E3", 0.5f],
        [nameof(TapeLosses.HardestTriplet)] = a =>
            [a.Pairs(), new TripletOptions((TripletLoss)a.Pick(4), (DescriptorDistance)a.Pick(2), 1, 1), 0.008f, a.Chance() ? 0.5f : 0],
    };

    /// <summary>Right arguments of an operation.</summary>
    public object?[] Right(MethodInfo operation) => Rights[operation.Name](this);

    /// <summary>A value of a parameter's type that is wrong, or at least odd.</summary>
    public object? Odd(Type type, object? right)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(Variable))
        {
            return OddVariable();
        }

        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Tensor<>))
        {
            return GetType().GetMethod(nameof(OddTensor), BindingFlags.Instance | BindingFlags.NonPublic)!
                .MakeGenericMethod(type.GenericTypeArguments).Invoke(this, [right]);
        }

        return type switch
        {
            _ when type == typeof(int) => Choose(-1, 0, 1, 2, 3, 5, 17, int.MaxValue, int.MinValue),
            _ when type == typeof(float) => Choose(float.NaN, float.PositiveInfinity, float.NegativeInfinity, -1, 0, 1, 1e30f, -1e30f, float.Epsilon),
            _ when type == typeof(ulong) => (ulong)random.NextInt64(),
            _ when type == typeof(bool) => Chance(),
            _ when type == typeof(IReadOnlyList<Variable>) => Choose<Variable?[]?>(null, [], [OddVariable()]),
            _ when type == typeof(IReadOnlyList<int>) => Choose<int[]?>(null, [], [0], [-1], [2, int.MinValue], [int.MaxValue, int.MaxValue]),
            _ when type == typeof(Action<CustomOperation>) => null,
            _ when type == typeof(string) => Choose(null, "", " ", "E1"),
            { IsEnum: true } => Enum.ToObject(type, Choose(-1, 0, 1, 2, 3, 99)),
            { IsValueType: true } => OddOptions(type, right),
            _ => throw new AssertionException($"an operation takes a {type.Name}: say in {nameof(TapeArguments)} what a wrong one is"),
        };
    }

    public void Dispose()
    {
        foreach (IDisposable tensor in made)
        {
            tensor.Dispose();
        }
    }

    private bool Chance() => random.Next(2) == 0;

    private int Pick(int below) => random.Next(below);

    /// <summary>Rows or channels: odd and even ones, and more than a warp.</summary>
    private int Size() => Choose(1, 2, 3, 4, 5, 8, 33);

    /// <summary>A side of an image.</summary>
    private int Side() => 3 + random.Next(4);

    private T Choose<T>(params ReadOnlySpan<T> values) => values[random.Next(values.Length)];

    private T Keep<T>(T tensor)
        where T : IDisposable
    {
        made.Add(tensor);
        return tensor;
    }

    private Tensor<float> Tensor(params ReadOnlySpan<int> shape)
    {
        int length = 1;
        foreach (int extent in shape)
        {
            length *= extent;
        }

        return Keep(tape.Device.Upload<float>(Samples.Gaussian((ulong)random.Next(), length), shape));
    }

    private Variable Variable(params ReadOnlySpan<int> shape) => Chance() ? tape.Parameter(Tensor(shape)) : tape.Input(Tensor(shape));

    private Variable? Optional(int length) => Chance() ? Variable(length) : null;

    private object?[] TwoAlike()
    {
        int[] shape = [Size(), Size()];
        return [Variable(shape), Variable(shape)];
    }

    private Variable Pairs() => Variable(2 * Size(), Size());

    private Tensor<StepParameters> Step() => Keep(tape.Device.Upload<StepParameters>([new StepParameters { Step = 3, LearningRate = 0.1f }]));

    private object?[] Gather()
    {
        int rows = 2 * (1 + Pick(3)), side = 32 * (1 + Pick(2));
        Tensor<byte> patches = Keep(tape.Device.Upload<byte>(new byte[5 * side * side], 5, side, side));
        Tensor<int> indices = Keep(tape.Device.Upload<int>([.. Enumerable.Range(0, rows).Select(_ => Choose(-1, 0, 1, 4, 5, int.MaxValue))]));
        Tensor<StepParameters> step = Keep(tape.Device.Upload<StepParameters>([new StepParameters { BatchOffset = Choose(0, -1, 2, int.MinValue, int.MaxValue) }]));
        var options = new GatherOptions((PatchNormalization)Pick(4), (PatchAugmentation)Pick(3), 7);
        return [patches, indices, step, options, Chance() ? Tensor(side, side) : null, rows];
    }

    private Variable?[] Convolution(out int stride, out int padding)
    {
        int inputs = Size(), outputs = Size();
        (stride, padding) = (1 + Pick(3), Pick(2));
        return [Variable(2 * (1 + Pick(3)), Side(), Side(), inputs), Variable(outputs, 1 + Pick(3), 1 + Pick(3), inputs), Optional(outputs)];
    }

    private object?[] Normalization(int channels) =>
        [new BatchNormOptions(1 + Pick(2), 1e-3f, 0.1f, Chance()), Optional(channels), Optional(channels), Tensor(channels), Tensor(channels)];

    private int[] OddShape() => [.. Enumerable.Range(0, 1 + Pick(5)).Select(_ => Choose(1, 2, 3, 4, 5))];

    private Variable? OddVariable()
    {
        switch (Pick(5))
        {
            case 0:
                return null;
            case 1:
                return other.Input(Keep(other.Device.Allocate<float>(OddShape())));
            case 2:
                Tensor<float> gone = Tensor(OddShape());
                Variable variable = tape.Parameter(gone);
                gone.Dispose();
                return variable;
            case 3:
                using (Tensor<float> owner = tape.Device.Allocate<float>(4, 4))
                {
                    return tape.Input(owner.Rows(1, 2));
                }

            default:
                return Variable(OddShape());
        }
    }

    private Tensor<T>? OddTensor<T>(Tensor<T>? right)
        where T : unmanaged
    {
        switch (Pick(7))
        {
            case 0:
                return null;
            case 1:
                return Keep(other.Device.Allocate<T>(right == null ? OddShape() : right.Shape));
            case 2:
                Tensor<T> gone = tape.Device.Allocate<T>(right == null ? OddShape() : right.Shape);
                gone.Dispose();
                return gone;
            case 3:
                using (Tensor<T> owner = tape.Device.Allocate<T>(2 * (right?.Length ?? 3)))
                {
                    return owner.Rows(0, owner.Length / 2);
                }

            case 4:
                // Where it begins, no four floats can be loaded at once.
                int length = right?.Length ?? 3;
                return Keep(tape.Device.Allocate<T>(length + 1)).Rows(1, length);
            case 5:
                return Keep(tape.Device.Allocate<T>(Choose(0, 1, 2, (right?.Length ?? 3) + 1)));
            default:
                return Keep(tape.Device.Allocate<T>(OddShape()));
        }
    }

    /// <summary>Options of which one is odd.</summary>
    private object OddOptions(Type type, object? right)
    {
        ConstructorInfo constructor = type.GetConstructors().Single(found => found.GetParameters().Length > 0);
        ParameterInfo[] parameters = constructor.GetParameters();
        object?[] values = [.. parameters.Select(parameter => type.GetProperty(parameter.Name!)!.GetValue(right))];
        int wrong = Pick(values.Length);
        values[wrong] = Odd(parameters[wrong].ParameterType, values[wrong]);
        return constructor.Invoke(values);
    }
}
