namespace CudaL2Net.Devices.Cpu;

/// <summary>Working memory that kernels share: grown when a larger size is first asked for, so a replayed step allocates nothing.</summary>
internal sealed unsafe partial class CpuDevice
{
    private readonly ScratchBlock[] scratch = new ScratchBlock[11];

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
