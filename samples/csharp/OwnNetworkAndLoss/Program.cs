// A network and a loss of your own, against the public API alone: records both on a tape, checks the gradients, trains 50 steps, describes patches.
// usage: OwnNetworkAndLoss [cpu | cuda | auto]
using System.Globalization;
using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using OwnNetworkAndLoss;

const int Pairs = 16, Steps = 50;
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
using Device device = Device.Open(args.FirstOrDefault() ?? "cpu");
Console.WriteLine($"device: {device.Description}");

// Everything is recorded once. What changes from step to step is the contents of `images`.
using var tape = new Tape(device);
using Tensor<float> images = device.Allocate<float>(2 * Pairs, SmallNetwork.Side, SmallNetwork.Side, 1);
using var network = new SmallNetwork(tape, tape.Input(images));
var loss = new SoftmaxOfPairs(sharpness: 8);
loss.Record(tape, new ObjectiveInputs { Descriptors = network.Descriptors });

// The gradient of each parameter against finite differences.
var random = new Random(2);
images.Write(Patches.Batch(random, Pairs));
double error = tape.Parameters.Max(parameter => GradientCheck.LargestError(tape, parameter, step: 2e-3f, elements: 20));
Console.WriteLine($"largest relative error of the gradients: {error:0.0000}");

// One step. On a GPU the second run captures it as one graph, and every later run is one launch.
using var optimizer = Optimizer.Adam(tape, learningRate: 3e-3f);
using IReplay step = device.Record(() =>
{
    tape.Forward();
    tape.Backward();
    optimizer.Step();
});
double first = 0, last = 0;
for (int i = 1; i <= Steps; i++)
{
    images.Write(Patches.Batch(random, Pairs));
    step.Run();
    if (i == 1 || i % 10 == 0)
    {
        last = tape.TotalLoss();
        first = i == 1 ? last : first;
        Console.WriteLine($"step {i}: loss {last:0.0000}");
    }
}

// New patches, described by the forward pass. How many first patches have their own pair nearest?
images.Write(Patches.Batch(random, Pairs));
tape.Forward();
float[] descriptors = network.Descriptors.Value.ToArray();
Console.WriteLine($"a descriptor: {string.Join(" ", descriptors.Take(4).Select(v => v.ToString("0.000")))} ... ({SmallNetwork.Dimension} values)");
int right = Enumerable.Range(0, Pairs).Count(i => Enumerable.Range(0, Pairs).MaxBy(j => Similarity(i, Pairs + j)) == i);
Console.WriteLine($"nearest is the right one: {right} of {Pairs}");
return last < first ? 0 : 1;

float Similarity(int a, int b) =>
    Enumerable.Range(0, SmallNetwork.Dimension).Sum(k => descriptors[(a * SmallNetwork.Dimension) + k] * descriptors[(b * SmallNetwork.Dimension) + k]);
