using CudaL2Net.Numerics;

namespace CudaL2Net.Tests.Numerics;

public sealed class PhiloxTests
{
    [Test]
    public void DrawMatchesThePublishedVectorForZeroKeyAndCounter()
    {
        // Random123's known-answer file: philox4x32-10, counter 0, key 0.
        Assert.That(Philox.Draw(0, 0, 0, 0), Is.EqualTo((0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)));
    }
}
