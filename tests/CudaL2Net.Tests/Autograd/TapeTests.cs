using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Autograd;

/// <summary>
/// Gradients of a small network (three convolutions with batch normalization, the maps of the second tapped, dropout, unit vector) as the tape computes them in
/// float32, against finite differences of the same network put together from the double references.
/// </summary>
public sealed class TapeTests(string device) : OperationTests(device)
{
    private const int Pairs = 5, Side = 7, First = 3, Second = 4, Dimension = 6, MapLayer = 2, FeaturesLayer = 3;

    private static readonly BatchNormOptions Statistics = new(2, 1e-3f, 0.1f, false);
    private static readonly DropoutOptions Dropped = new(0.3f, 17);

    private static readonly int[][] Shapes = [[First, 3, 3, 1], [First], [First], [Second, 2, 3, First], [Dimension, 3, 3, Second], [Dimension]];

    [Test]
    public void HardNetsLossWithBothPenalties() => CheckGradients(
        new HardestTripletObjective { Orthogonal = 0.7f, Correlation = 0.3f, ExactCorrelation = true },
        (descriptors, features, _) =>
        {
            int[] negatives = Plain.HardestNegative(new HardestNegativeOptions(DescriptorDistance.Euclidean, 0.008f), descriptors, Pairs).NegativePair;
            return Plain.Triplet(new TripletOptions(TripletLoss.Margin, DescriptorDistance.Euclidean, 1, 1), descriptors, Pairs, negatives)
                + (0.7f * Plain.GlobalOrthogonal(descriptors, Pairs, negatives).Value)
                + (0.3f * Plain.Correlation(new CorrelationOptions(true, true), features, Pairs));
        });

    [TestCase(IntermediateSimilarity.PerValue)]
    [TestCase(IntermediateSimilarity.Literal)]
    public void L2NetsLossOfThreeTerms(IntermediateSimilarity similarity) => CheckGradients(
        new L2NetObjective { IntermediateLayers = [FeaturesLayer, MapLayer], IntermediateSimilarity = similarity },
        (descriptors, features, map) => (Plain.DistanceSoftmax(descriptors, Pairs).Value
            + Plain.Correlation(new CorrelationOptions(false, false), features, Pairs)
            + Plain.IntermediateSoftmax(similarity == IntermediateSimilarity.Literal ? 1 : 2.0 * Pairs / map.Length, map, Pairs).Value
            + Plain.IntermediateSoftmax(similarity == IntermediateSimilarity.Literal ? 1 : 1.0 / Dimension, features, Pairs).Value) / Pairs);

    [Test]
    public void RalNetsLoss() => CheckGradients(
        new HardestTripletObjective { Form = TripletLoss.Tanh, Metric = DescriptorDistance.Angular, NearDuplicate = 6.4e-5f },
        (descriptors, _, _) =>
        {
            int[] negatives = Plain.HardestNegative(new HardestNegativeOptions(DescriptorDistance.Angular, 6.4e-5f), descriptors, Pairs).NegativePair;
            return Plain.Triplet(new TripletOptions(TripletLoss.Tanh, DescriptorDistance.Angular, 1, 1), descriptors, Pairs, negatives);
        });

    [Test]
    public void AParameterReadTwiceGetsTheSumOfBothGradients()
    {
        // Both halves of the descriptor come from one bank of filters, at different strides.
        float[] image = Samples.Gaussian(1, 4 * 5 * 5), bank = Samples.Gaussian(2, 3 * 5 * 5);
        var wide = new Conv2dGeometry(4, 5, 5, 1, 3, 5, 5, 1, 0);
        double[] filters = Samples.Widen(bank);
        double Loss(double[] v) => Plain.IntermediateSoftmax(1, Plain.Conv2d(wide, Samples.Widen(image), v, null), 2).Value
            + Plain.DistanceSoftmax(Plain.UnitVector(Plain.Conv2d(wide, Samples.Widen(image), v, null), 3), 2).Value;
        float[] gradient = RunOnDevice(device =>
        {
            using var tape = new Tape(device);
            using Tensor<float> x = device.Upload<float>(image, 4, 5, 5, 1), weights = device.Upload<float>(bank, 3, 5, 5, 1);
            Variable shared = tape.Parameter(weights), input = tape.Input(x);
            tape.IntermediateSoftmax(tape.Conv2d(input, shared, null, 1, 0), 1);
            tape.DistanceSoftmax(tape.UnitVector(tape.Conv2d(input, shared, null, 1, 0)));
            tape.Forward();
            tape.Backward();
            return [Copy(device, shared.Gradient!)];
        })[0];
        FiniteDifferences.Check(Loss, filters, Samples.Widen(gradient), tolerance: 2e-5);
    }

    [Test]
    public void AFrozenTowerBesideATrainedOne()
    {
        // [left | right] with the left one constant: E1's gradient on the concatenation reaches the right one only.
        float[] left = Samples.UnitRows(1, 6, 3), image = Samples.Gaussian(2, 6 * 4), bank = Samples.Gaussian(3, 5 * 4);
        var geometry = new Conv2dGeometry(6, 2, 2, 1, 5, 2, 2, 1, 0);
        double[] filters = Samples.Widen(bank);
        double Loss(double[] v)
        {
            double[] right = Plain.UnitVector(Plain.Conv2d(geometry, Samples.Widen(image), v, null), 5);
            double[] both = Enumerable.Range(0, 6).SelectMany(row =>
                Samples.Widen(left)[(3 * row)..(3 * (row + 1))].Concat(right[(5 * row)..(5 * (row + 1))])).ToArray();
            return Plain.DistanceSoftmax(both, 3).Value;
        }

        float[] gradient = RunOnDevice(device =>
        {
            using var tape = new Tape(device);
            using Tensor<float> frozen = device.Upload<float>(left, 6, 3), x = device.Upload<float>(image, 6, 2, 2, 1),
                weights = device.Upload<float>(bank, 5, 2, 2, 1);
            Variable trained = tape.Parameter(weights);
            tape.DistanceSoftmax(tape.Concatenate(tape.Input(frozen), tape.UnitVector(tape.Conv2d(tape.Input(x), trained, null, 1, 0))));
            tape.Forward();
            tape.Backward();
            return [Copy(device, trained.Gradient!)];
        })[0];
        FiniteDifferences.Check(Loss, filters, Samples.Widen(gradient), tolerance: 2e-5);
    }

    [Test]
    public void AReplayedStepGivesTheSameBitsAndAllocatesNothing()
    {
        using Device device = Device.Open("cpu", 2);
        using var tape = new Tape(device);
        float[][] start = Start();
        Tensor<float>[] tensors = [.. start.Zip(Shapes, (values, shape) => device.Upload<float>(values, shape))];
        using Tensor<float> images = device.Upload<float>(Images(), 2 * Pairs, Side, Side, 1);
        using Tensor<StepParameters> step = device.Step(3);
        Variable[] parameters = Record(device, tape, images, tensors, step, (t, descriptors, features, map) =>
        {
            t.DistanceSoftmax(descriptors);
            t.Correlation(features, new CorrelationOptions(false, true));
            t.IntermediateSoftmax(map, 0.1f);
            t.HardestTriplet(descriptors, new TripletOptions(TripletLoss.Margin, DescriptorDistance.Euclidean, 1, 1), 0.008f, 0.1f);
        });
        float[] Replay()
        {
            tape.Forward();
            tape.Backward();
            return parameters[0].Gradient!.ToArray();
        }

        float[] first = Replay();
        Assert.That(Replay(), Is.EqualTo(first));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 5; i++)
        {
            tape.Forward();
            tape.Backward();
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Array.ForEach(tensors, tensor => tensor.Dispose());
    }

    private void CheckGradients(Objective objective, Func<double[], double[], double[], double> loss)
    {
        float[][] start = Start();
        float[][] actual = RunOnDevice(device =>
        {
            using var tape = new Tape(device);
            Tensor<float>[] tensors = [.. start.Zip(Shapes, (values, shape) => device.Upload<float>(values, shape))];
            using Tensor<float> images = device.Upload<float>(Images(), 2 * Pairs, Side, Side, 1);
            using Tensor<StepParameters> step = device.Step(3);
            Variable[] parameters = Record(device, tape, images, tensors, step, (t, descriptors, features, map) => objective.Record(t, new ObjectiveInputs
            {
                Descriptors = descriptors,
                Features = features,
                Maps = new Dictionary<int, Variable> { [MapLayer] = map, [FeaturesLayer] = features },
                Step = step,
            }));
            Assert.That(tape.Losses.Select(loss => loss.Name), Is.EqualTo(objective.Terms));
            tape.Forward();
            tape.Backward();
            Tensor<float> value = device.Upload<float>([tape.Losses.Sum(term => term.Value.ToArray()[0])]);
            return [value, .. parameters.Select(parameter => Copy(device, parameter.Gradient!))];
        });
        double[][] weights = Array.ConvertAll(start, Samples.Widen);
        Assert.That((double)actual[0][0], Is.EqualTo(ReferenceLoss(weights, loss)).Within(2e-5));
        for (int i = 0; i < weights.Length; i++)
        {
            FiniteDifferences.Check(_ => ReferenceLoss(weights, loss), weights[i], Samples.Widen(actual[i + 1]), step: 1e-6, tolerance: 1e-4);
        }
    }

    /// <summary>The network on a tape: filters, scale and shift of layer 1; filters of layer 2; filters and bias of layer 3.</summary>
    private static Variable[] Record(
        Device device, Tape tape, Tensor<float> images, Tensor<float>[] tensors, Tensor<StepParameters> step, Action<Tape, Variable, Variable, Variable> record)
    {
        Variable[] parameters = [.. tensors.Select(tape.Parameter)];
        Variable x = tape.Conv2d(tape.Input(images), parameters[0], null, 1, 1);
        x = BatchNorm(device, tape, x, true, parameters[1], parameters[2]);
        Variable map = BatchNorm(device, tape, tape.Conv2d(x, parameters[3], null, 2, 0), false, null, null);
        x = tape.Dropout(tape.Relu(map), Dropped, step);
        Variable features = BatchNorm(device, tape, tape.Conv2d(x, parameters[4], parameters[5], 1, 0), false, null, null);
        record(tape, tape.UnitVector(features), features, map);
        return parameters;
    }

    private static Variable BatchNorm(Device device, Tape tape, Variable x, bool relu, Variable? scale, Variable? shift)
    {
        int channels = x.Value.Shape[^1];
        Tensor<float> mean = tape.Own(device.Allocate<float>(channels)), variance = tape.Own(device.Allocate<float>(channels));
        return tape.BatchNorm(x, Statistics with { Relu = relu }, scale, shift, mean, variance);
    }

    private static double ReferenceLoss(double[][] w, Func<double[], double[], double[], double> loss)
    {
        double[] x = Plain.Conv2d(new Conv2dGeometry(2 * Pairs, Side, Side, 1, First, 3, 3, 1, 1), Samples.Widen(Images()), w[0], null);
        x = Plain.BatchNorm(Statistics with { Relu = true }, x, First, w[1], w[2], new double[First], new double[First]);
        double[] map = Plain.Conv2d(new Conv2dGeometry(2 * Pairs, Side, Side, First, Second, 2, 3, 2, 0), x, w[3], null);
        map = Plain.BatchNorm(Statistics, map, Second, null, null, new double[Second], new double[Second]);
        x = Plain.Dropout(Dropped.Rate, Dropped.Seed, 3, Plain.Relu(map));
        double[] features = Plain.Conv2d(new Conv2dGeometry(2 * Pairs, 3, 3, Second, Dimension, 3, 3, 1, 0), x, w[4], w[5]);
        features = Plain.BatchNorm(Statistics, features, Dimension, null, null, new double[Dimension], new double[Dimension]);
        return loss(Plain.UnitVector(features, Dimension), features, map);
    }

    private static float[] Images() => Samples.Pairs(1, Pairs, Side * Side, 0.5f).Select(v => 7 * v).ToArray();

    private static float[][] Start() => [.. Shapes.Select((shape, i) =>
        Samples.Gaussian((ulong)(20 + i), shape.Aggregate(1, (product, extent) => product * extent)).Select(v => shape.Length == 1 ? 1 + (0.2f * v)
            : 0.5f * v).ToArray())];

    private static Tensor<float> Copy(Device device, Tensor<float> tensor) => device.Upload<float>(tensor.ToArray());
}
