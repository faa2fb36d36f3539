namespace CudaL2Net.Kernels.Cuda;

/// <summary>One argument of a kernel: a number, the address of a tensor (null is the address 0), or a structure.</summary>
internal readonly unsafe struct KernelArgument
{
    /// <summary>The value's bits, the low bytes first, as the launch reads them.</summary>
    public readonly ulong Bits;

    /// <summary>The bytes that the kernel's parameter must have.</summary>
    public readonly int Bytes;

    /// <summary>Whether <see cref="Bits"/> is the host address of the argument, which is a structure.</summary>
    public readonly bool IsStructure;

    private KernelArgument(ulong bits, int bytes, bool isStructure = false)
    {
        Bits = bits;
        Bytes = bytes;
        IsStructure = isStructure;
    }

    /// <summary>A structure, passed by value; it must lie still until the launch has returned.</summary>
    public static KernelArgument Structure<T>(T* value)
        where T : unmanaged => new((ulong)value, sizeof(T), isStructure: true);

    public static implicit operator KernelArgument(int value) => new((uint)value, sizeof(int));

    public static implicit operator KernelArgument(uint value) => new(value, sizeof(uint));

    public static implicit operator KernelArgument(long value) => new((ulong)value, sizeof(long));

    public static implicit operator KernelArgument(ulong value) => new(value, sizeof(ulong));

    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value), sizeof(float));

    /// <summary>The kernels take an int where something is true or false.</summary>
    public static implicit operator KernelArgument(bool value) => new(value ? 1UL : 0, sizeof(int));

    public static implicit operator KernelArgument(void* address) => new((ulong)address, sizeof(void*));

    public static implicit operator KernelArgument(Tensor<float>? tensor) => Address(tensor);

    public static implicit operator KernelArgument(Tensor<int>? tensor) => Address(tensor);

    public static implicit operator KernelArgument(Tensor<byte>? tensor) => Address(tensor);

    public static implicit operator KernelArgument(Tensor<StepParameters>? tensor) => Address(tensor);

    private static KernelArgument Address<T>(Tensor<T>? tensor)
        where T : unmanaged => tensor == null ? (void*)null : tensor.Pointer;
}
