using System.Globalization;
using System.Text;
using CudaL2Net.Interop;

namespace CudaL2Net.Tests.Emulator;

/// <summary>The emulator's machine for PTX (<c>tests/emulator/ptx</c>): instructions as the PTX ISA defines them, branches, barriers, and what
/// must end a launch.</summary>
[Category("Cuda")]
public sealed class PtxMachineTests
{
    private EmulatedDevice device = null!;
    private long before;

    [SetUp]
    public void SetUp()
    {
        device = new EmulatedDevice();
        before = EmulatedDevice.Get("ptx");
        EmulatedDevice.Set("ptx", 1);
    }

    [TearDown]
    public void TearDown()
    {
        if (device != null)
        {
            EmulatedDevice.Set("ptx", before);
            device.Dispose();
        }
    }

    // Operands in %r1 to %r4 (%f1 to %f4 have their bits, %rd1 is %r2:%r1, %rd2 is %r4:%r3), the result in %r9.
    [TestCase("add.s32 %r9, %r1, -3", 0x00000002u, 0u, 0u, 0xffffffffu)]
    [TestCase("mul.hi.u32 %r9, %r1, %r2", 0xffffffffu, 0xffffffffu, 0u, 0xfffffffeu)]
    [TestCase("mul.hi.s32 %r9, %r1, %r2", 0xffffffffu, 7u, 0u, 0xffffffffu)]
    [TestCase("mad.lo.s32 %r9, %r1, %r2, %r3", 5u, 0xfffffffeu, 3u, 0xfffffff9u)]
    [TestCase("mul.wide.s32 %rd9, %r1, %r2; shr.u64 %rd9, %rd9, 32; cvt.u32.u64 %r9, %rd9", 0xffffffffu, 2u, 0u, 0xffffffffu)]
    [TestCase("mul.wide.u32 %rd9, %r1, %r2; shr.u64 %rd9, %rd9, 32; cvt.u32.u64 %r9, %rd9", 0xffffffffu, 2u, 0u, 1u)]
    [TestCase("mul.wide.s16 %r9, %rs1, 8192", 0x1234ffffu, 0u, 0u, 0xffffe000u)]
    [TestCase("div.s32 %r9, %r1, %r2", 0x80000000u, 0xffffffffu, 0u, 0x80000000u)]
    [TestCase("div.u32 %r9, %r1, %r2", 0x80000000u, 3u, 0u, 0x2aaaaaaau)]
    [TestCase("rem.s32 %r9, %r1, %r2", 0xfffffff9u, 4u, 0u, 0xfffffffdu)]
    [TestCase("shl.b32 %r9, %r1, %r2", 1u, 32u, 0u, 0u)]
    [TestCase("shr.s32 %r9, %r1, %r2", 0x80000000u, 40u, 0u, 0xffffffffu)]
    [TestCase("shr.u32 %r9, %r1, %r2", 0x80000000u, 31u, 0u, 1u)]
    [TestCase("bfe.u32 %r9, %r1, 12, 8", 0xabcde123u, 0u, 0u, 0xdeu)]
    [TestCase("bfe.s32 %r9, %r1, 12, 8", 0xabcde123u, 0u, 0u, 0xffffffdeu)]
    [TestCase("bfe.s32 %r9, %r1, 28, 8", 0x80000000u, 0u, 0u, 0xfffffff8u)]
    [TestCase("bfe.s32 %r9, %r1, 30, 1", 0x40000000u, 0u, 0u, 0xffffffffu)]
    [TestCase("bfe.u32 %r9, %r1, 4, 0", 0xffffffffu, 0u, 0u, 0u)]
    [TestCase("bfi.b32 %r9, %r1, %r2, 8, 4", 0xffu, 0x12345678u, 0u, 0x12345f78u)]
    [TestCase("bfind.shiftamt.u32 %r9, %r1", 0x00010000u, 0u, 0u, 15u)]
    [TestCase("dp4a.u32.u32 %r9, %r1, %r2, %r3", 0x0102ff04u, 0x01010201u, 5u, 522u)]
    [TestCase("shfl.sync.idx.b32 %r9|%p1, %r1, 0, 31, 1", 7u, 0u, 0u, 7u)]
    [TestCase("prmt.b32 %r9, %r1, %r2, %r3", 0x33221100u, 0x77665584u, 0x4c17u, 0x84ff1177u, Description = "c: the sign of byte 4")]
    [TestCase("popc.b32 %r9, %r1", 0xf0f01u, 0u, 0u, 9u)]
    [TestCase("clz.b32 %r9, %r1", 0x00010000u, 0u, 0u, 15u)]
    [TestCase("shf.l.wrap.b32 %r9, %r1, %r2, 8", 0xaabbccddu, 0x11223344u, 0u, 0x223344aau)]
    [TestCase("not.b32 %r9, %r1", 0x0f0f0f0fu, 0u, 0u, 0xf0f0f0f0u)]
    [TestCase("cvt.s32.s16 %r9, %r1", 0x12348000u, 0u, 0u, 0xffff8000u)]
    [TestCase("cvt.s16.s8 %rs9, %rs1; cvt.s32.s16 %r9, %rs9", 0x80u, 0u, 0u, 0xffffff80u)]
    [TestCase("cvt.u32.u8 %r9, %r1", 0x12345678u, 0u, 0u, 0x78u)]
    [TestCase("mov.b64 {%r8, %r9}, %rd1", 1u, 2u, 0u, 2u)]
    [TestCase("{ .reg .b32 %r1; mov.b64 {%r1, %r9}, %rd1; }", 1u, 2u, 0u, 2u, Description = "a register of an inner scope")]
    [TestCase("fma.rn.f32 %f9, %f1, %f2, %f3", 0x3f800001u, 0x3f800001u, 0xbf800002u, 0x28800000u, Description = "rounded once")]
    [TestCase("fma.rm.f32 %f9, %f1, %f2, %f3", 0x3f800000u, 0x3f800000u, 0xb0800000u, 0x3f7fffffu, Description = "1 - 2^-30, rounded down")]
    [TestCase("mul.f32 %f9, %f1, %f2", 0x3f800001u, 0x3f800001u, 0u, 0x3f800002u)]
    [TestCase("max.f32 %f9, %f1, %f2", 0x7fc00000u, 0xbf800000u, 0u, 0xbf800000u, Description = "NaN is no number")]
    [TestCase("min.f32 %f9, %f1, %f2", 0x00000000u, 0x80000000u, 0u, 0x80000000u, Description = "-0 is less than 0")]
    [TestCase("cvt.sat.f32.f32 %f9, %f1", 0x7fc00000u, 0u, 0u, 0u)]
    [TestCase("cvt.rzi.s32.f32 %r9, %f1", 0xcf800000u, 0u, 0u, 0x80000000u, Description = "-2^32 is the least")]
    [TestCase("cvt.rzi.s32.f32 %r9, %f1", 0xbfc00000u, 0u, 0u, 0xffffffffu)]
    [TestCase("cvt.rn.f32.u32 %f9, %r1", 0xffffffffu, 0u, 0u, 0x4f800000u)]
    [TestCase("cvt.rna.tf32.f32 %r9, %f1", 0x3f801000u, 0u, 0u, 0x3f802000u, Description = "a tie, away from zero")]
    [TestCase("cvt.rn.bf16x2.f32 %r9, %f1, %f2", 0x3f800000u, 0x40008000u, 0u, 0x3f804000u, Description = "the first is the high one; a tie, to even")]
    [TestCase("setp.neu.f32 %p1, %f1, %f2; selp.b32 %r9, 1, 2, %p1", 0x7fc00000u, 0u, 0u, 1u)]
    [TestCase("setp.ne.f32 %p1, %f1, %f2; selp.b32 %r9, 1, 2, %p1", 0x7fc00000u, 0u, 0u, 2u)]
    [TestCase("setp.lt.s32 %p1, %r1, %r2; selp.b32 %r9, 1, 2, %p1", 0xffffffffu, 0u, 0u, 1u)]
    [TestCase("setp.lt.u32 %p1, %r1, %r2; selp.b32 %r9, 1, 2, %p1", 0xffffffffu, 0u, 0u, 2u)]
    [TestCase("setp.eq.s32 %p1, %r1, %r2; mov.u32 %r9, 7; @!%p1 mov.u32 %r9, 8", 1u, 2u, 0u, 8u)]
    [TestCase("mov.pred %p1, 0; not.pred %p2, %p1; xor.pred %p3, %p1, %p2; selp.u32 %r9, 1, 0, %p3", 0u, 0u, 0u, 1u)]
    public unsafe void AnInstructionDoesWhatTheIsaSays(string instructions, uint a, uint b, uint c, uint expected)
    {
        string result = instructions.Contains("%f9", StringComparison.Ordinal) ? "mov.b32 %r9, %f9;" : "";
        float[] values = Run($$"""
            ld.global.u32 %r1, [%rd10];
            ld.global.u32 %r2, [%rd10+4];
            ld.global.u32 %r3, [%rd10+8];
            mov.b32 %f1, %r1;
            mov.b32 %f2, %r2;
            mov.b32 %f3, %r3;
            mov.b64 %rd1, {%r1, %r2};
            cvt.u16.u32 %rs1, %r1;
            {{instructions}}{{(instructions.EndsWith('}') ? "" : ";")}}
            {{result}}
            st.global.u32 [%rd10+12], %r9;
            """, 1, [a, b, c, 0]);
        Assert.That(BitConverter.SingleToUInt32Bits(values[3]), Is.EqualTo(expected), () => BitConverter.SingleToUInt32Bits(values[3]).ToString("x8", CultureInfo.InvariantCulture));
    }

    /// <summary>Numbers narrower than their register: the rules that the ISA has for loads, stores and conversions only.</summary>
    [TestCase("st.global.u32 [%rd10+12], %r1; ld.global.s32 %rd9, [%rd10+12]; shr.u64 %rd9, %rd9, 32; cvt.u32.u64 %r9, %rd9", 0x80000000u, 0xffffffffu)]
    [TestCase("st.global.u32 [%rd10+12], %r1; ld.global.s8 %r9, [%rd10+12]", 0x80u, 0xffffff80u)]
    [TestCase("cvt.s64.s32 %rd9, %r1; cvt.rn.f32.s64 %f9, %rd9", 0xffffffffu, 0xbf800000u)]
    [TestCase("mov.b64 %rd9, {%r1, %r2}; st.global.u16 [%rd10+12], %rd9; ld.global.u16 %rs9, [%rd10+12]; cvt.u32.u16 %r9, %rs9", 0x12345678u, 0x5678u)]
    [TestCase("ld.param.u32 %r9, [kernel_param_1]", 0u, 100u)]
    [TestCase("mov.b64 %rd9, kernel_param_0; ld.param.u32 %r9, [%rd9+8]", 0u, 100u)]
    public void NumbersAreExtendedAndCutOff(string instructions, uint a, uint expected) => AnInstructionDoesWhatTheIsaSays(instructions, a, 0, 0, expected);

    [Test]
    public void SidesOfBranchesMeetAgain()
    {
        // Lane l counts down from l in a loop that each leaves when it is done, odd ones twice as fast; then all add up what each counted.
        float[] values = Run("""
            mov.u32 %r1, %tid.x;
            mov.u32 %r2, %r1;
            mov.u32 %r3, 0;
            and.b32 %r4, %r1, 1;
            setp.eq.s32 %p1, %r4, 1;
            LOOP:
            setp.le.s32 %p2, %r2, 0;
            @%p2 bra DONE;
            @%p1 bra ODD;
            sub.s32 %r2, %r2, 1;
            bra.uni NEXT;
            ODD:
            sub.s32 %r2, %r2, 2;
            NEXT:
            add.s32 %r3, %r3, 1;
            bra.uni LOOP;
            DONE:
            mov.u32 %r5, %r3;
            shfl.sync.bfly.b32 %r6, %r5, 16, 31, -1;
            add.s32 %r5, %r5, %r6;
            shfl.sync.bfly.b32 %r6, %r5, 8, 31, -1;
            add.s32 %r5, %r5, %r6;
            shfl.sync.bfly.b32 %r6, %r5, 4, 31, -1;
            add.s32 %r5, %r5, %r6;
            shfl.sync.bfly.b32 %r6, %r5, 2, 31, -1;
            add.s32 %r5, %r5, %r6;
            shfl.sync.bfly.b32 %r6, %r5, 1, 31, -1;
            add.s32 %r5, %r5, %r6;
            mul.wide.u32 %rd1, %r1, 4;
            add.s64 %rd1, %rd10, %rd1;
            cvt.rn.f32.s32 %f1, %r5;
            st.global.f32 [%rd1], %f1;
            """, 32, new uint[32]);
        float total = Enumerable.Range(0, 32).Sum(l => l % 2 == 0 ? l : (l + 1) / 2);
        Assert.That(values, Is.All.EqualTo(total));
    }

    [Test]
    public void BarriersLetWarpsSeeWhatOthersWrote()
    {
        // Thread t reads what thread 95 - t wrote; bar.red says whether any of them is thread 70.
        float[] values = Run("""
            mov.u32 %r1, %tid.x;
            mul.lo.s32 %r2, %r1, 4;
            mov.u32 %r3, memory;
            add.s32 %r4, %r3, %r2;
            st.shared.u32 [%r4], %r1;
            bar.sync 0;
            sub.s32 %r4, %r3, %r2;
            ld.shared.u32 %r5, [%r4+380];
            setp.eq.s32 %p1, %r1, 70;
            bar.red.or.pred %p2, 0, %p1;
            selp.b32 %r6, 1000, 0, %p2;
            add.s32 %r5, %r5, %r6;
            cvt.rn.f32.s32 %f1, %r5;
            cvt.u64.u32 %rd1, %r2;
            add.s64 %rd1, %rd10, %rd1;
            st.global.f32 [%rd1], %f1;
            """, 96, new uint[96]);
        Assert.That(values, Is.EqualTo(Enumerable.Range(0, 96).Select(t => 1095f - t)));
    }

    [Test]
    public void ThreadsMayEndBeforeABarrier()
    {
        float[] values = Run("""
            mov.u32 %r1, %tid.x;
            setp.ge.s32 %p1, %r1, 40;
            @%p1 ret;
            bar.sync 0;
            mul.wide.u32 %rd1, %r1, 4;
            add.s64 %rd1, %rd10, %rd1;
            mov.f32 %f1, 0f40000000;
            st.global.f32 [%rd1], %f1;
            """, 64, new uint[64]);
        Assert.That(values[..40], Is.All.EqualTo(2f));
        Assert.That(values[40..], Is.All.EqualTo(0f));
    }

    [Test]
    public void ACopyIsThereOnceItWasWaitedFor()
    {
        float[] values = Run("""
            mov.u32 %r1, memory;
            mov.u32 %r2, 8;
            cp.async.cg.shared.global [%r1], [%rd10], 16, %r2;
            cp.async.commit_group;
            ld.shared.f32 %f1, [%r1];
            cp.async.wait_group 0;
            ld.shared.v4.f32 {%f2, %f3, %f4, %f5}, [%r1];
            st.global.v4.f32 [%rd10+16], {%f2, %f3, %f4, %f1};
            """, 1, [0x3f800000, 0x40000000, 0x40400000, 0x40800000, 0, 0, 0, 0]);
        Assert.That(values[4..7], Is.EqualTo(new[] { 1f, 2f, 0f }), "8 of 16 bytes are read, the others are zero");
        Assert.That(values[7], Is.NaN, "read before the wait");
    }

    [TestCase("bar.sync 0; fly:", "@%p1 bra fly;", CudaError.LaunchFailed, "divergent __syncthreads")]
    [TestCase("@!%p1 bra fly; bar.sync 0; bra.uni over; fly: bar.sync 0; over:", "setp.lt.s32 %p1, %r1, 32;", CudaError.LaunchFailed, "threads wait at PTX lines")]
    [TestCase("shfl.sync.bfly.b32 %r2, %r1, 1, 31, -1; fly:", "@%p1 bra fly;", CudaError.LaunchFailed, "are elsewhere")]
    [TestCase("shfl.sync.bfly.b32 %r2, %r1, 1, 31, -1;", "@%p1 ret;", CudaError.LaunchFailed, "have ended")]
    [TestCase("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r2, %r3}, [memory]; fly:", "@%p1 bra fly;", CudaError.LaunchFailed, "a matrix operation in 8 lanes")]
    [TestCase("mov.u32 %r2, memory; cp.async.cg.shared.global [%r2], [%rd10], 16;", "", CudaError.LaunchFailed, "never waited for")]
    [TestCase("mov.u32 %r2, memory; cp.async.cg.shared.global [%r2+8], [%rd10], 16; cp.async.wait_all;", "", CudaError.MisalignedAddress, "not 16-byte aligned")]
    [TestCase("ld.global.v2.u32 {%r2, %r3}, [%rd10+4];", "", CudaError.MisalignedAddress, "not 8-byte aligned")]
    [TestCase("ld.shared.u32 %r2, [memory+100000];", "", CudaError.IllegalAddress, "of shared memory")]
    [TestCase("mov.u64 %rd1, 64; ld.global.u32 %r2, [%rd1];", "", CudaError.IllegalAddress, "illegal memory access at address 0x40")]
    public void AFaultEndsTheLaunchAndSaysWhere(string instructions, string before, CudaError error, string report)
    {
        Assert.That(Try($"mov.u32 %r1, %tid.x; setp.ge.s32 %p1, %r1, 8; {before} {instructions}", 64, new uint[64]), Is.EqualTo(error));
        Assert.That(EmulatedDevice.Report, Does.Contain("block (0,0,0)").And.Contain(report));
    }

    [TestCase("wgmma.fence.sync.aligned;", "'wgmma.fence.sync.aligned' is not emulated")]
    [TestCase("mov.u32 %r1, %clock;", "'%clock' is not emulated")]
    [TestCase("add.s32 %r1, %r2;", "2 operands instead of 3")]
    [TestCase("add.s32 %rd1, %r2, %r3;", "'%rd1' has 8 bytes")]
    [TestCase("shfl.sync.idx.b32 %r1|%p1, %r2, 0, 31, -1; @%p1 mov.u32 %r1, 0;", "a shuffle's second result")]
    [TestCase("bar.sync 1;", "a barrier other than barrier 0")]
    [TestCase("bra nowhere;", "no label nowhere")]
    public void WhatItDoesNotKnowIsAnErrorThatNamesTheLine(string instructions, string message)
    {
        Assert.That(Load(instructions, out _), Is.EqualTo(CudaError.InvalidPtx));
        Assert.That(EmulatedDevice.Report, Does.Contain(message).And.Match("kernel, line [0-9]+: "));
    }

    /// <summary>All instructions of all kernels of the library.</summary>
    [TestCaseSource(typeof(PtxLintTests), nameof(PtxLintTests.Files))]
    public unsafe void EveryKernelOfTheLibraryCanBeRun(object file)
    {
        var ptx = (PtxFile)file;
        EmulatedDevice.Succeed(device.TryLoad(Encoding.UTF8.GetBytes(ptx.Code + "\0"), out nint module, out string log));
        Assert.That(log, Is.Empty);
        foreach (string name in ptx.Entries.Select(entry => entry.Name))
        {
            nint function;
            EmulatedDevice.Succeed(Driver.cuModuleGetFunction(&function, module, name));
        }
    }

    private unsafe CudaError Load(string instructions, out nint function)
    {
        byte[] text = Encoding.UTF8.GetBytes($$"""
            .version 7.0
            .target sm_80
            .address_size 64
            .visible .entry kernel(.param .u64 kernel_param_0, .param .u32 kernel_param_1)
            {
                .reg .pred %p<5>;
                .reg .b16 %rs<10>;
                .reg .b32 %r<10>;
                .reg .f32 %f<10>;
                .reg .b64 %rd<11>;
                .shared .align 16 .b8 memory[1024];
                ld.param.u64 %rd10, [kernel_param_0];
                {{instructions.Replace(";", ";\n").Replace(":", ":\n")}}
                ret;
            }
            """ + "\0");
        nint found = 0;
        CudaError error = device.TryLoad(text, out nint module, out _);
        error = error != CudaError.Success ? error : Driver.cuModuleGetFunction(&found, module, "kernel");
        function = found;
        return error;
    }

    private unsafe CudaError Try(string instructions, int threads, uint[] memory)
    {
        EmulatedDevice.Succeed(Load(instructions, out nint function));
        nint y = device.Allocate(memory.Length);
        fixed (uint* host = memory)
        {
            EmulatedDevice.Succeed(Driver.cuMemcpyHtoDAsync_v2(y, host, (nuint)memory.Length * sizeof(uint), device.Stream));
            EmulatedDevice.Succeed(device.Launch(function, y, threads: (uint)threads));
            CudaError error = device.Synchronize();
            if (error == CudaError.Success)
            {
                EmulatedDevice.Succeed(Driver.cuMemcpyDtoHAsync_v2(host, y, (nuint)memory.Length * sizeof(uint), device.Stream));
                EmulatedDevice.Succeed(device.Synchronize());
            }

            return error;
        }
    }

    private float[] Run(string instructions, int threads, uint[] memory)
    {
        EmulatedDevice.Succeed(Try(instructions, threads, memory));
        return [.. memory.Select(BitConverter.UInt32BitsToSingle)];
    }
}
