using CudaL2Net.Evaluation.Results;
using CudaL2Net.Matching;

namespace CudaL2Net.Tests.Evaluation.Results;

public sealed class EvaluationRunTests
{
    [Test]
    public void CsvHasALineAScoreAndQuotesWhatNeedsIt()
    {
        var table = new ScoreTable("AP, step", "1/P", true, ScoreUnit.Fraction, ["a", "mean"], [new("net \"x\"", [0.25, null]), new("sift", [1, 1 / 3.0])]);
        var run = new EvaluationRun("brown", "folder", new Dictionary<string, string>(), [], [table], []);
        Assert.That(run.ToCsv(), Is.EqualTo(""""
            benchmark,table,measure,method,column,value
            brown,"AP, step",1/P,"net ""x""",a,0.25
            brown,"AP, step",1/P,"net ""x""",mean,
            brown,"AP, step",1/P,sift,a,1
            brown,"AP, step",1/P,sift,mean,0.3333333333333333

            """".ReplaceLineEndings("\n")));
        Assert.That((table.Best(0), table.Best(1)), Is.EqualTo(((double?)1, (double?)(1 / 3.0))));
        Assert.That((table.Format(0.25), table.Format(null), (table with { Unit = ScoreUnit.Percent }).Format(0.25)), Is.EqualTo(("0.2500", "-", "25.00%")));
    }

    [Test]
    public void CurvesKeepTheirEndsAndTheirScoresWhenThinned()
    {
        float[] distances = [.. Enumerable.Range(0, 60_000).Select(i => (float)i)];
        bool[] matches = [.. distances.Select(d => d < 20_000 ? (int)d % 3 != 0 : (int)d % 3 == 0)];
        var whole = RocCurve.FromDistances(distances, matches);
        var curve = VerificationCurve.FromDistances("net", "set", distances, matches);
        Assert.That(curve.Roc.Points, Has.Count.EqualTo(400));
        Assert.That((curve.Roc.Points[0], curve.Roc.Points[^1]), Is.EqualTo((whole.Points[0], whole.Points[^1])));
        Assert.That((curve.Roc.Fpr95, curve.Roc.Auc), Is.EqualTo((whole.Fpr95, whole.Auc)));
        Assert.That((curve.MatchDistances.Length, curve.NonMatchDistances.Length), Is.EqualTo((20_000, 20_000)));
        Assert.That(curve.NonMatchDistances, Is.Ordered.And.Unique);
        Assert.That(curve.NonMatchDistances[^1], Is.GreaterThan(59_990));
        Assert.That(whole.Thin(100_000), Is.SameAs(whole));
    }
}
