using System.Buffers;
using System.Runtime.InteropServices;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Matching;

public sealed unsafe class DescriptorSetTests
{
    [Test]
    public void APartOfAnArrayIsTakenWhereItLies()
    {
        float[] values = Samples.UnitRows(1, 40, 24);
        byte[] bits = [.. Enumerable.Range(0, 40).Select(i => (byte)(i * 37))];
        DescriptorSet part = DescriptorSet.FromValues(values.AsMemory(24, 20 * 24), 24), bytes = DescriptorSet.FromBits(bits.AsMemory(2, 20), 16);
        Assert.That((part.Count, part.Dimension, part.IsBinary), Is.EqualTo((20, 24, false)));
        Assert.That((bytes.Count, bytes.Dimension, bytes.IsBinary), Is.EqualTo((10, 16, true)));
        Assert.That(part.ValueSpan == values.AsSpan(24, 20 * 24), Is.True, "the same memory");
        Assert.That(bytes.BitSpan == bits.AsSpan(2, 20), Is.True, "the same memory");
        Assert.That((part.Values, bytes.Bits), Is.EqualTo((values[24..(21 * 24)], bits[2..22])), "copies for whoever wants an array");
        Assert.That((part.Bits, bytes.Values), Is.EqualTo(((byte[]?)null, (float[]?)null)));
        Assert.That(DescriptorSet.FromValues(values, 24).Values, Is.SameAs(values));
        Assert.That(DescriptorSet.FromBits(bits.AsMemory(), 16).Bits, Is.SameAs(bits));
        using Device device = Device.Open("cpu");
        var search = new DescriptorSearch(device);
        DescriptorSet whole = DescriptorSet.FromValues(values, 24);
        Assert.That(search.Nearest(part, whole).Select(match => (match.Target, match.Distance)), Is.EqualTo(Enumerable.Range(1, 20).Select(i => (i, 0f))));
        Assert.That(part.Distance(3, whole, 9), Is.EqualTo(whole.Distance(4, whole, 9)));
        Assert.That(new SquaredDistances(part, whole).Pair(3, 9), Is.EqualTo(new SquaredDistances(whole, whole).Pair(4, 9)));
        Assert.That(bytes.Distance(0, bytes, 1), Is.EqualTo(DescriptorSet.FromBits(bits, 16).Distance(1, DescriptorSet.FromBits(bits, 16), 2)));
    }

    [Test]
    public void MemoryOfOthersIsTakenWhereItLies()
    {
        float[] values = Samples.UnitRows(1, 50, 8);
        float* native = (float*)NativeMemory.Alloc((nuint)values.Length, sizeof(float));
        values.CopyTo(new Span<float>(native, values.Length));
        using var owner = new NativeValues(native, values.Length);
        DescriptorSet set = DescriptorSet.FromValues(owner.Memory, 8), same = DescriptorSet.FromValues(values, 8);
        using Device device = Device.Open("cpu");
        var search = new DescriptorSearch(device);
        Assert.That(search.Match(set, same, new MatchOptions(true, 0.9)), Is.EqualTo(search.Match(same, same, new MatchOptions(true, 0.9))));
        Assert.That(NearerTargets.Count(set, set, [.. Enumerable.Repeat(1.0, 50)], 1, new int[50], [.. Enumerable.Repeat(1, 50)], [[50]]),
            Is.EqualTo(NearerTargets.Count(same, same, [.. Enumerable.Repeat(1.0, 50)], 1, new int[50], [.. Enumerable.Repeat(1, 50)], [[50]])));
    }

    [Test]
    public void SpansAreCopied()
    {
        Span<float> values = [1, 2, 3, 4];
        Span<byte> bits = [1, 2];
        DescriptorSet floats = DescriptorSet.CopyValues(values, 2), binary = DescriptorSet.CopyBits(bits, 8);
        values.Clear();
        bits.Clear();
        Assert.That(floats.Values, Is.EqualTo(new float[] { 1, 2, 3, 4 }));
        Assert.That(binary.Bits, Is.EqualTo(new byte[] { 1, 2 }));
        Assert.That((floats.Count, binary.Count), Is.EqualTo((2, 2)));
    }

    [Test]
    public void EveryHalfIsTheFloatThatItStandsFor()
    {
        var all = new Half[1 << 16];
        for (int i = 0; i < all.Length; i++)
        {
            all[i] = BitConverter.UInt16BitsToHalf((ushort)i);
        }

        DescriptorSet set = DescriptorSet.CopyValues(all.AsSpan(), 256);
        Assert.That((set.Count, set.Dimension), Is.EqualTo((256, 256)));
        for (int i = 0; i < all.Length; i++)
        {
            Assert.That(set.ValueSpan[i], Is.EqualTo((float)all[i]));
        }

        // Of the format itself: the least above 0, the largest, 1.5.
        Assert.That((set.ValueSpan[1], set.ValueSpan[0x7bff], set.ValueSpan[0x3e00]), Is.EqualTo((MathF.Pow(2, -24), 65504f, 1.5f)));
    }

    [Test]
    public void RefusesWhatIsNoWholeNumberOfDescriptors()
    {
        Assert.That(() => DescriptorSet.FromValues(new float[7].AsMemory(1), 4), Throws.ArgumentException.With.Message.Contains("6"));
        Assert.That(() => DescriptorSet.CopyValues(new float[5].AsSpan(), 4), Throws.ArgumentException);
        Assert.That(() => DescriptorSet.CopyValues(new Half[5].AsSpan(), 4), Throws.ArgumentException);
        Assert.That(() => DescriptorSet.CopyBits([1, 2, 3], 16), Throws.ArgumentException);
        Assert.That(() => DescriptorSet.FromBits(new byte[3].AsMemory(), 12), Throws.ArgumentException.With.Message.Contains("12"));
        Assert.That(() => DescriptorSet.FromValues([], 0), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    private sealed class NativeValues(float* values, int length) : MemoryManager<float>
    {
        public override Span<float> GetSpan() => new(values, length);

        public override MemoryHandle Pin(int elementIndex = 0) => new(values + elementIndex);

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing) => NativeMemory.Free(values);
    }
}
