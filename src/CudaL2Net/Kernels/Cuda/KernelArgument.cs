namespace CudaL2Net.Kernels.Cuda;

/// <summary>One argument of a kernel: a number, the address of a tensor (null is the address 0), or a structure.</summary>
internal readonly unsafe struct KernelArgument
{
    /// <summary>The value's bits, the low bytes first, as the launch reads them.</summary>
    public readonly ulong Bits;

    /// <summary>Whether the bits are the host address of the argument, which is a structure.</summary>
    public readonly bool IsStructure;

    private KernelArgument(ulong bits, bool isStructure = false)
    {
        Bits = bits;
        IsStructure = isStructure;
    }

    /// <summary>A structure, passed by value; it must lie still until the launch has returned.</summary>
    public static KernelArgument Structure(void* value) => new((ulong)value, isStructure: true);

    public static implicit operator KernelArgument(int value) => new((uint)value);

    public static implicit operator KernelArgument(uint value) => new(value);

    public static implicit operator KernelArgument(long value) => new((ulong)value);

    public static implicit operator KernelArgument(ulong value) => new(value);

    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value));

    public static implicit operator KernelArgument(bool value) => new(value ? 1UL : 0);

    public static implicit operator KernelArgument(void* address) => new((ulong)address);

    public static implicit operator KernelArgument(Tensor<float>? tensor) => new(tensor == null ? 0 : (ulong)tensor.Pointer);

    public static implicit operator KernelArgument(Tensor<int>? tensor) => new(tensor == null ? 0 : (ulong)tensor.Pointer);

    public static implicit operator KernelArgument(Tensor<byte>? tensor) => new(tensor == null ? 0 : (ulong)tensor.Pointer);

    public static implicit operator KernelArgument(Tensor<StepParameters>? tensor) => new(tensor == null ? 0 : (ulong)tensor.Pointer);
}
