using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Autograd;

/// <summary>Losses on scores of pairs against their formulas in double precision.</summary>
public sealed class ScoreObjectiveTests
{
    // Matches first, then as many others: in between, at 0, far from right and far from wrong.
    private static readonly float[] Scores = [0.3f, -0.7f, 0, 90, -90, 2.5f, -0.2f, 0.4f, 0, -90, 90, -3];

    [Test]
    public void ValuesAndGradientsAreThoseOfTheFormulas([Values("cpu", "cuda")] string kind, [Values] ScoreLoss form)
    {
        if (kind == "cuda")
        {
            CudaDriver.Require();
        }

        double[] scores = Array.ConvertAll(Scores, score => (double)score), gradient = [.. scores.Select((score, i) => Gradient(form, score, i))];
        using Device device = Device.Open(kind);
        using var tape = new Tape(device);
        using Tensor<float> values = device.Upload<float>(Scores, Scores.Length, 1);
        Variable parameter = tape.Parameter(values);
        var objective = new ScoreObjective { Form = form };
        objective.Record(tape, new ObjectiveInputs { Descriptors = parameter, Scores = parameter });
        tape.Forward();
        tape.Backward();
        Assert.That(tape.Losses.Single().Name, Is.EqualTo(objective.Terms.Single()));
        Assert.That(tape.Losses.Single().Value.ToArray().Single(), Is.EqualTo(Mean(form, scores)).Within(1e-5 * Mean(form, scores)));
        Assert.That(parameter.Gradient!.ToArray(), Is.EqualTo(gradient).Within(1e-6));
    }

    [Test]
    public void TheGradientsAreThoseOfTheValues([Values] ScoreLoss form)
    {
        // Where the hinge has no kink.
        double[] scores = Array.ConvertAll(Scores, score => (double)score);
        FiniteDifferences.Check(x => Mean(form, x), scores, [.. scores.Select((score, i) => Gradient(form, score, i))]);
    }

    private static double Mean(ScoreLoss form, double[] scores) => scores.Select((score, i) => Loss(form, Sign(i, scores.Length) * score)).Average();

    private static int Sign(int row, int rows) => row < rows / 2 ? 1 : -1;

    private static double Loss(ScoreLoss form, double right) =>
        form == ScoreLoss.Hinge ? Math.Max(0, 1 - right) : Math.Max(0, -right) + Math.Log(1 + Math.Exp(-Math.Abs(right)));

    private static double Gradient(ScoreLoss form, double score, int i)
    {
        int y = Sign(i, Scores.Length);
        double slope = form == ScoreLoss.Hinge ? y * score < 1 ? -1 : 0 : -1 / (1 + Math.Exp(y * score));
        return y * slope / Scores.Length;
    }
}
