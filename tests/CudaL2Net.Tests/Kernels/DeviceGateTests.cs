using CudaL2Net.Kernels;
using CudaL2Net.Numerics;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels;

public sealed class DeviceGateTests
{
    [Test]
    public void OneThreadAtATimeIsInsideAndAllLeftWorkIsDoneOnce()
    {
        int inside = 0, most = 0, done = 0, released = 0;
        var gate = new DeviceGate(this, () => released++);
        Threads.Run(8, thread =>
        {
            var random = new PhiloxStream(1, DrawPurpose.Evaluation, (uint)thread);
            for (int i = 0; i < 2000; i++)
            {
                if (random.Next(3) == 0)
                {
                    // Plain increments: two at once would lose one.
                    gate.WhenFree(() => done++);
                    continue;
                }

                using DeviceGate.Entry entry = gate.Enter();
                most = Math.Max(most, ++inside);
                using (gate.Enter())
                {
                    gate.WhenFree(() => done++);
                    Assert.That(released, Is.Zero);
                }

                inside--;
            }
        });
        Assert.That((most, done), Is.EqualTo((1, 16_000)));
        gate.Close();
        gate.Close();
        Assert.That(released, Is.EqualTo(1));
    }

    [Test]
    public void WhatIsLeftWhileAThreadIsInsideIsDoneWhenItLeaves()
    {
        bool freed = false, released = false;
        var gate = new DeviceGate(this, () => released = true);
        using (gate.Enter())
        {
            using (gate.Enter())
            {
                Threads.Run(() => gate.WhenFree(() => freed = true), gate.Close);
            }

            Assert.That((freed, released), Is.EqualTo((false, false)), "while a thread is inside");
            Assert.That(() => gate.Enter().Dispose(), Throws.TypeOf<ObjectDisposedException>());
        }

        Assert.That((freed, released), Is.EqualTo((true, true)));
        Assert.That(gate.ThrowIfClosed, Throws.TypeOf<ObjectDisposedException>().With.Message.Contains(nameof(DeviceGateTests)));
        freed = false;
        gate.WhenFree(() => freed = true);
        Assert.That(freed, "after the end");
    }

    [Test]
    public void AThreadThatClosesItsOwnGateGoesOnToItsExit()
    {
        bool released = false;
        var gate = new DeviceGate(this, () => released = true);
        using (gate.Enter())
        {
            gate.Close();
            Assert.That(released, Is.False);
        }

        Assert.That(released);
    }

    [Test]
    public void AnExceptionOfLeftWorkKeepsNobodyOut()
    {
        var gate = new DeviceGate(this, () => { });
        Assert.That(() => gate.WhenFree(() => throw new IOException("broken")), Throws.TypeOf<IOException>());
        Threads.Run(() => gate.Enter().Dispose());
    }
}
