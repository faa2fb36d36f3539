namespace CudaL2Net.Kernels.Cpu;

/// <summary>Working memory that kernels share: grown when a larger size is first asked for, so a replayed step allocates nothing.</summary>
internal sealed unsafe partial class CpuDevice
{
    // What convolutions and normalizations, which call one another, keep apart. The first four slots other operations use as they need them.
    private const int PanelScratch = 0;
    private const int ImageScratch = 1;
    private const int GradientScratch = 2;
    private const int StatisticsScratch = 3;
    private const int WinogradFilterScratch = 4;
    private const int WinogradScratch = 5;
    private const int InputCoefficientScratch = 6;
    private const int OutputCoefficientScratch = 7;
    private const int GradientSumScratch = 8;
    private const int ProductInputScratch = 9;
    private const int ProductGradientScratch = 10;
    private const int ScratchSlots = 11;

    private readonly ScratchBlock[] scratch = new ScratchBlock[ScratchSlots];

    /// <summary>At least <paramref name="length"/> floats, aligned to 64 bytes, contents undefined, valid until the next call for the same slot.</summary>
    private float* Scratch(int slot, nuint length)
    {
        ref ScratchBlock block = ref scratch[slot];
        if (block.Length < length)
        {
            HostMemory.Free(block.Pointer);
            block.Pointer = (float*)HostMemory.Allocate(length * sizeof(float));
            block.Length = length;
        }

        return block.Pointer;
    }

    private void FreeScratch()
    {
        foreach (ref ScratchBlock block in scratch.AsSpan())
        {
            HostMemory.Free(block.Pointer);
            block = default;
        }
    }

    private struct ScratchBlock
    {
        public float* Pointer;
        public nuint Length;
    }
}
