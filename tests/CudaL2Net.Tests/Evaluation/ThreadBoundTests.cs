using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using CudaL2Net.Evaluation.Measures;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Regions;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Imaging.Sources.Scenes;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Tests.Data;
using CudaL2Net.Tests.Imaging;
using CudaL2Net.Tests.Imaging.Data;
using CudaL2Net.Tests.Reference;
using OpenCvSharp;

namespace CudaL2Net.Tests.Evaluation;

/// <summary>Whatever works on several threads works on one where one is asked for: the runtime tells of every parallel loop and task.</summary>
public sealed class ThreadBoundTests
{
    private const int Width = 32;

    private static readonly DescriptorSet Floats = DescriptorSet.FromValues(Samples.UnitRows(1, 300, Width), Width);
    private static readonly DescriptorSet Bits = DescriptorSet.FromBits([.. Enumerable.Range(0, 1200).Select(i => (byte)(i * i / 7))], Width);
    private static readonly Ellipse[] Circles = [.. Enumerable.Range(0, 60).Select(i => Ellipse.Circle(50 + (4 * i), 60 + (2 * i), 8))];
    private static readonly Keypoint[] Points = [.. Enumerable.Range(0, 60).Select(i => new Keypoint(50 + (4 * i), 60 + (2 * i), 8, 5 * i, 1, 0))];

    private static readonly Dictionary<string, Action<int>> Works = new()
    {
        ["counts of floats"] = threads => NearerTargets.Count(Floats, Floats, new double[300], 1, new int[300], new int[300], [[300]], threads),
        ["counts of bits"] = threads => NearerTargets.Count(Bits, Bits, new double[300], 1, new int[300], new int[300], [[300]], threads),
        ["one-to-one matching"] = threads => OneToOneMatching.Match(300, 300, (row, into) => new SquaredDistances(Floats, Floats).Row(row, into), threads),
        ["cut keypoints"] = threads => WithImage(image => PatchCutter.Cut(image, Points, 6, 32, threads)),
        ["describe cut keypoints"] = threads => WithImage(image => new CutPatchDescriber(new RawDescriber(), threads).Describe(image, Points)),
        ["cut regions"] = threads => WithImage(
            image => RegionPatches.Cut(image, RegionPatches.Orient(image, Circles, threads: threads), 3, 32, threads)),
        ["detect regions"] = threads => WithImage(image => RegionDetector.Open("mser", threads: threads).Detect("", image)),
        ["SIFT of patches"] = threads => new SiftDescriber(threads).Describe(BrownPixels(), 64),
        ["RootSIFT of patches"] = threads => new RootSiftDescriber(threads).Describe(BrownPixels(), 64),
        ["scenes"] = threads => new SceneRenderer(1, 64, 64, threads).Render(0).Dispose(),
        ["statistics"] = threads => DescriptorStatistics.Measure("m", Floats, threads),
        ["keypoints that correspond"] = threads => _ = new Correspondences(Points, Points, Homography.Identity, threads),
        ["regions that correspond"] = threads =>
        {
            RegionCorrespondences truth = RegionCorrespondences.Find(Circles, Circles, Homography.Identity, threads);
            DescriptorSet some = DescriptorSet.FromValues(Samples.UnitRows(1, Circles.Length, Width), Width);
            foreach (MatchingStrategy strategy in Enum.GetValues<MatchingStrategy>())
            {
                new RegionMatching(some, some, truth, threads).Score(strategy);
            }
        },
        ["W1BS"] = threads => W1bsScore.Of(Floats, Floats, threads),
        ["Brown"] = threads =>
        {
            using var folder = new TemporaryFolder();
            BrownFolder.Write(folder["liberty"], 60, pairs: 80);
            BrownEvaluation.Evaluate(BrownEvaluation.OpenAll(folder.Path), [new RawDescriber()], threads: threads);
        },
        ["HPatches"] = threads =>
        {
            using var folder = new TemporaryFolder();
            using Device device = Device.Open("cpu", threads);
            string[] sequences = ["v_c", "i_b"];
            Array.ForEach(sequences, name => HPatchesFolder.Write(folder[name], 60, seed: name[0]));
            HPatchesFolder.WriteTasks(folder.Path, "a", sequences, [60, 60], pairs: 60, queries: 15, distractors: 80);
            var options = new HPatchesOptions { Pairs = 60, Queries = 15, Distractors = 80 };
            new HPatchesEvaluation(HPatchesDataset.Open(folder.Path), device, options).Evaluate([new RawDescriber()]);
        },
        ["sequences"] = threads =>
        {
            using var folder = new TemporaryFolder();
            using Device device = Device.Open("cpu", threads);
            TestSequences.WriteSequence(folder["discs"]);
            new SequenceEvaluation(device).Evaluate(ImageSequence.LoadAll([folder.Path]), [new CutPatchDescriber(new RawDescriber(), threads)]);
        },
        ["Oxford"] = threads =>
        {
            using var folder = new TemporaryFolder();
            TestSequences.WriteSequence(folder["discs"]);
            OxfordEvaluation.Evaluate(
                "x", ImageSequence.LoadAll([folder.Path]), [new RawDescriber()], RegionDetector.Open("sift", 70, threads), images: [2], threads: threads);
        },
    };

    private static IEnumerable<string> Names => Works.Keys;

    [TestCaseSource(nameof(Names))]
    public void OneThreadDoesItAlone(string work)
    {
        Action<int> run = Works[work];
        run(1);
        Assert.That(Watch(() => run(1)), Is.Zero, "parallel loops and tasks on one thread");
        Assert.That(Watch(() => run(2)), Is.Positive, "parallel loops and tasks on two: does the test see them?");
    }

    private static int Watch(Action work)
    {
        using var listener = new ParallelWork();
        work();
        return listener.Seen;
    }

    private static void WithImage(Action<Mat> work)
    {
        using Mat image = TestSequences.Discs(400, 300, 1);
        work(image);
    }

    private static byte[] BrownPixels() => [.. Enumerable.Range(0, 20 * 64 * 64).Select(i => (byte)(i * 31 / 7))];

    /// <summary>Counts the parallel loops that this thread begins and the tasks that it starts.</summary>
    private sealed class ParallelWork : EventListener
    {
        private readonly ConcurrentQueue<string> seen = [];

        public int Seen => seen.Count;

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            const EventKeywords Tasks = (EventKeywords)2, ParallelLoops = (EventKeywords)4;
            if (eventSource.Name == "System.Threading.Tasks.TplEventSource")
            {
                EnableEvents(eventSource, EventLevel.Verbose, Tasks | ParallelLoops);
            }
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            if (eventData.EventName is "ParallelLoopBegin" or "ParallelInvokeBegin" or "TaskScheduled")
            {
                seen?.Enqueue(eventData.EventName);
            }
        }
    }
}
