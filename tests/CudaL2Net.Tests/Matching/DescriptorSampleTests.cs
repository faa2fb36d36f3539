using CudaL2Net.Matching;

namespace CudaL2Net.Tests.Matching;

public sealed class DescriptorSampleTests
{
    [Test]
    public void FewAreAllKept()
    {
        var sample = new DescriptorSample(2, binary: false, capacity: 3);
        sample.Add(DescriptorSet.FromValues([1, 2, 3, 4], 2));
        sample.Add(DescriptorSet.FromValues([5, 6], 2));
        Assert.That(sample.ToSet().Values, Is.EqualTo(new float[] { 1, 2, 3, 4, 5, 6 }));
    }

    [Test]
    public void OfManyAnEvenShareIsKept()
    {
        var sample = new DescriptorSample(1, binary: false, capacity: 400);
        for (int block = 0; block < 100; block++)
        {
            sample.Add(DescriptorSet.FromValues([.. Enumerable.Range(block * 100, 100).Select(i => (float)i)], 1));
        }

        float[] kept = sample.ToSet().Values!;
        Assert.That(kept, Has.Length.EqualTo(400));
        Assert.That(kept, Is.Unique);

        // Mean of 10,000 numbers from 0 on, with the sample's deviation of 144: four of them.
        Assert.That(kept.Average(), Is.EqualTo(5000).Within(580));
    }

    [Test]
    public void BitsAreKeptWhole()
    {
        var sample = new DescriptorSample(16, binary: true, capacity: 2);
        sample.Add(DescriptorSet.FromBits([1, 2, 3, 4], 16));
        Assert.That(sample.ToSet().Bits, Is.EqualTo(new byte[] { 1, 2, 3, 4 }));
        Assert.That(() => sample.Add(DescriptorSet.FromValues(new float[16], 16)), Throws.ArgumentException);
    }
}
