// Patches of your own, in memory: train, describe, match, evaluate. No file is read or written.
// usage: OwnPatches [cpu | cuda | auto]
using System.Globalization;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Networks;
using CudaL2Net.Training;
using OwnPatches;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
using Device device = Device.Open(args.FirstOrDefault() ?? "cpu");
Console.WriteLine($"device: {device.Description}");

// Patches with the number of the point that each shows. Yours come from wherever you have them.
PatchSet training = PatchSet.From(Waves.Draw(seed: 1, points: 400), 32, Waves.PointIds(400));
PatchSet test = PatchSet.From(Waves.Draw(seed: 2, points: 200), 32, Waves.PointIds(200));

// Train, with a look at the test patches now and then.
TrainingOptions options = Presets.Find("quick") with { Network = NetworkFile.Find("tfeat"), Batch = 32, Steps = 60 };
var pairs = new ValidationPairs(test);
var setup = new TrainerSetup
{
    ValidationInterval = 20,
    Validate = (network, progress) =>
    {
        string terms = string.Join(", ", progress.Terms.Select(term => $"{term.Key} {term.Value:0.000}"));
        Console.WriteLine($"step {progress.Step}: {terms}; FPR95 {pairs.Evaluate(network).Fpr95:0.000}");
        return true; // false would stop the training
    },
};
using var trainer = new Trainer(options, training, validation: null, device, setup);
ModelFile trained = trainer.Run().Model;
Console.WriteLine($"the model has {trained.ToBytes().Length} bytes, the checkpoint {trainer.ToCheckpoint().Length}");

// Describe the first patches of all points, and the second ones; match these with those.
using var model = new PatchModel(trained, device);
DescriptorSet first = Describe(place: 0), second = Describe(place: 1);
DescriptorMatch[] matches = new DescriptorSearch(device).Match(first, second, new MatchOptions(Mutual: true, Ratio: 0.95));
Console.WriteLine($"matches: {matches.Length}, right: {matches.Count(match => match.Query == match.Target)}");

// Evaluate, beside the network as it was before the training.
using var untrained = PatchModel.CreateRandom(options.Network, seed: 1, device);
RocCurve before = pairs.Evaluate(untrained), after = pairs.Evaluate(model);
Console.WriteLine($"untrained: FPR95 {before.Fpr95:0.000}, average precision {before.AveragePrecision:0.000}");
Console.WriteLine($"trained: FPR95 {after.Fpr95:0.000}, average precision {after.AveragePrecision:0.000}");
return after.Fpr95 < before.Fpr95 ? 0 : 1;

DescriptorSet Describe(int place)
{
    int[] places = [.. Enumerable.Range(0, test.Count).Where(i => i % 2 == place)];
    return DescriptorSet.FromValues(model.Describe(test.Select(places)), model.Dimension);
}
