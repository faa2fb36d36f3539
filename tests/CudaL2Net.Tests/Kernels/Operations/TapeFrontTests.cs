using System.Reflection;
using System.Runtime.CompilerServices;
using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>
/// Whatever a public operation of the tape is given, it records or throws one of three exceptions that say what is wrong; and what was recorded runs. Arguments
/// are right ones, of which none, one or two are replaced by wrong ones. Launches of these tests are among those that run again under the sanitizers.
/// </summary>
public sealed class TapeFrontTests(string device) : OperationTests(device)
{
    private const int Cases = 40;

    /// <summary>All public operations: the methods of a tape that take values, and the extension methods of tapes.</summary>
    private static IEnumerable<MethodInfo> Operations =>
        typeof(Tape).Assembly.GetExportedTypes()
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Static))
            .Where(method => method.IsDefined(typeof(ExtensionAttribute)) && method.GetParameters()[0].ParameterType == typeof(Tape))
            .Concat(typeof(Tape).GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
                .Where(method => !method.IsSpecialName && method.GetParameters().Length > 0))
            .OrderBy(method => method.Name, StringComparer.Ordinal);

    private static IEnumerable<TestCaseData> Named => Operations.Select(method => new TestCaseData(method).SetArgDisplayNames(method.Name));

    [Test]
    public void EveryOperationHasArguments() => Assert.That(Operations.Select(method => method.Name), Is.EquivalentTo(TapeArguments.Known));

    [TestCaseSource(nameof(Named))]
    public void RecordsOrRefuses(MethodInfo operation)
    {
        using Device opened = Open(), foreign = Device.Open("cpu", 1);
        int recorded = 0, refused = 0;
        for (int seed = 0; seed < Cases; seed++)
        {
            using var tape = new Tape(opened);
            using var other = new Tape(foreign);
            var random = new Random(seed);
            using var arguments = new TapeArguments(tape, other, random);
            string what = $"{operation.Name}, case {seed}";
            try
            {
                object?[] given = arguments.Right(operation);
                int wrong = seed % 3;
                for (int i = 0; i < wrong; i++)
                {
                    int at = random.Next(given.Length);
                    given[at] = arguments.Odd(operation.GetParameters()[^given.Length..][at].ParameterType, given[at]);
                }

                what = $"{what}: ({string.Join(", ", given.Select(Describe))})";
                object? result = Invoke(operation, tape, given);
                Assert.That(wrong > 0 || result != null || operation.ReturnType == typeof(void), what);
                Run(opened, tape, result as Variable, arguments, random);
                recorded++;
            }
            catch (Exception error) when (error is ArgumentException or ObjectDisposedException or InvalidOperationException)
            {
                Assert.That(seed % 3, Is.Positive, $"{what}: right arguments were refused: {error.Message}");
                Assert.That(error.Message, Is.Not.Empty);
                Assert.That(error is not ArgumentException { ParamName: null }, $"{what}: no argument is named: {error.Message}");
                refused++;
            }
            catch (Exception error)
            {
                Assert.Fail($"{what}: {error}");
            }
        }

        opened.Synchronize();
        Assert.That(recorded, Is.GreaterThanOrEqualTo(Cases / 3));
        Assert.That(refused, Is.Positive);
    }

    [Test]
    public void ATapeThatIsNotThereIsRefused()
    {
        foreach (MethodInfo operation in Operations.Where(method => method.IsStatic))
        {
            object?[] nothing = [.. operation.GetParameters().Select(parameter =>
                parameter.ParameterType.IsValueType ? RuntimeHelpers.GetUninitializedObject(parameter.ParameterType) : null)];
            Assert.That(() => Call(operation, null, nothing), Throws.InstanceOf<ArgumentException>(), operation.Name);
        }
    }

    /// <summary>Runs what was recorded, as it is and as a recorded step; then without one of its tensors.</summary>
    private static void Run(Device opened, Tape tape, Variable? result, TapeArguments arguments, Random random)
    {
        if (result is { NeedsGradient: true })
        {
            result.ClaimGradient().Write(Samples.Gaussian(1, result.Length));
        }

        using IReplay replay = opened.Record(() =>
        {
            tape.Forward();
            tape.Backward();
        });
        for (int i = 0; i < 3; i++)
        {
            replay.Run();
        }

        opened.Synchronize();
        arguments.Tensors[random.Next(arguments.Tensors.Count)].Dispose();
        try
        {
            replay.Run();
        }
        catch (ObjectDisposedException)
        {
            // Not every tensor is read.
        }

        opened.Synchronize();
    }

    private static object? Invoke(MethodInfo operation, Tape tape, object?[] arguments) =>
        operation.IsStatic ? Call(operation, null, [tape, .. arguments]) : Call(operation, tape, arguments);

    private static object? Call(MethodInfo operation, object? target, object?[] arguments) =>
        operation.Invoke(target, BindingFlags.DoNotWrapExceptions, null, arguments, null);

    private static string Describe(object? argument) => argument switch
    {
        null => "null",
        Variable variable => $"[{string.Join("][", variable.Shape.ToArray())}]{(variable.NeedsGradient ? " trained" : "")}{(variable.IsDisposed ? " disposed" : "")}",
        Tensor<float> tensor => $"[{string.Join("][", tensor.Shape.ToArray())}] of {tensor.Device.Name}{(tensor.IsDisposed ? " disposed" : "")}",
        _ => argument.ToString() ?? "",
    };
}
