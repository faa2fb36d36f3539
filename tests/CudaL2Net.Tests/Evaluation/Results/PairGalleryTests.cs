using CudaL2Net.Evaluation.Results;

namespace CudaL2Net.Tests.Evaluation.Results;

public sealed class PairGalleryTests
{
    [Test]
    public void TheWorstOfEachKindAreChosen()
    {
        float[] distances = [0.1f, 0.9f, 0.5f, 0.3f, 0.2f, 0.7f];
        bool[] matches = [true, true, true, false, false, false];
        (int[] hardest, int[] closest) = PairGallery.Choose(distances, matches, 2);
        Assert.That(hardest, Is.EqualTo(new[] { 1, 2 }));
        Assert.That(closest, Is.EqualTo(new[] { 4, 3 }));
        Assert.That(PairGallery.Choose(distances, matches, 9).HardestMatches, Is.EqualTo(new[] { 1, 2, 0 }));
    }
}
