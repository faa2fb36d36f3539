using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Native;

/// <summary><c>DLTensor</c> of DLPack 1.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct DlTensor
{
    public byte* Data;
    public DlDevice DeviceType;
    public int DeviceId, Dimensions;
    public DlCode Code;
    public byte Bits;
    public ushort Lanes;
    public long* Shape, Strides;
    public ulong ByteOffset;
}

/// <summary><c>DLManagedTensorVersioned</c> of DLPack 1.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct DlManagedTensor
{
    public uint Major, Minor;
    public void* Context;
    public delegate* unmanaged[Cdecl]<DlManagedTensor*, void> Deleter;
    public ulong Flags;
    public DlTensor Tensor;
}

/// <summary><c>DLDeviceType</c>: where a tensor lies.</summary>
internal enum DlDevice
{
    Cpu = 1,
    Cuda = 2,
    CudaHost = 3,
}

/// <summary><c>DLDataTypeCode</c>.</summary>
internal enum DlCode : byte
{
    Int,
    UInt,
    Float,
}

/// <summary>The table's function that takes and gives tensors of DLPack.</summary>
internal static unsafe class DlpackCalls
{
    // As DLPack asks for.
    private const int Alignment = 256;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Describe(nint model, DlManagedTensor* patches, double white, int type, DlManagedTensor** descriptors) =>
        Guard.Run(() =>
        {
            Argument.Output(descriptors, "descriptors");
            *descriptors = null;
            ModelEntry entry = Handles.Get<ModelEntry>(model);
            PatchModel network = entry.Model;
            DescribeCalls.RequireDescriptors(network);
            Argument.Output(patches, "patches");
            PatchMemory array = PatchesOf(*patches, white);
            DescribeCalls.Check(network, array);
            bool bits = Argument.IsBits(type);
            DlManagedTensor* result = Allocate(entry, array.Count, bits, patches->Tensor);
            try
            {
                if (patches->Tensor.DeviceType == DlDevice.Cuda)
                {
                    DescribeCalls.OnDevice(entry, array, bits, (nint)result->Tensor.Data);
                }
                else if (bits)
                {
                    DescribeCalls.Bits(network, array, result->Tensor.Data);
                }
                else
                {
                    DescribeCalls.Floats(network, array, (float*)result->Tensor.Data);
                }
            }
            catch
            {
                Free(result);
                throw;
            }

            *descriptors = result;
        });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Delete(DlManagedTensor* tensor) => Guard.Try(() =>
    {
        if (tensor != null)
        {
            Free(tensor);
        }

        return 0;
    });

    private static void Free(DlManagedTensor* tensor)
    {
        if (tensor->Context != null)
        {
            var memory = GCHandle.FromIntPtr((nint)tensor->Context);
            ((IDisposable)memory.Target!).Dispose();
            memory.Free();
        }

        NativeMemory.AlignedFree(tensor);
    }

    /// <summary>The patches of a tensor: [n][side][side], or [n][1][side][side].</summary>
    /// <exception cref="ArgumentException">It holds none.</exception>
    private static PatchMemory PatchesOf(in DlManagedTensor managed, double white)
    {
        if (managed.Major != 1)
        {
            throw new NotSupportedException($"a tensor of DLPack {managed.Major}.{managed.Minor}: this library knows DLPack 1");
        }

        DlTensor tensor = managed.Tensor;
        if (!Enum.IsDefined(tensor.DeviceType))
        {
            throw new ArgumentException($"the tensor lies on a device of DLPack's type {(int)tensor.DeviceType}: expected a CPU or a CUDA GPU");
        }

        int n = tensor.Dimensions;
        if (n is not (3 or 4) || tensor.Shape == null || (n == 4 && tensor.Shape[1] != 1) || tensor.Shape[n - 1] != tensor.Shape[n - 2])
        {
            throw new ArgumentException("the tensor's shape is not [n][side][side] or [n][1][side][side]");
        }

        bool floats = (tensor.Code, tensor.Bits, tensor.Lanes) switch
        {
            (DlCode.UInt, 8, 1) => false,
            (DlCode.Float, 32, 1) => true,
            _ => throw new ArgumentException(
                $"the tensor's elements are of DLPack's type {tensor.Code} with {tensor.Bits} bits and {tensor.Lanes} lanes: expected uint8 or float32"),
        };
        int side = (int)Math.Clamp(tensor.Shape[n - 1], 0, int.MaxValue), size = floats ? sizeof(float) : 1;
        white = white is 0 ? 255 : white;

        // Strides of 0 are one pixel for all; here they do not mean that the patches are dense.
        PatchLayout layout = tensor.Strides == null
            ? PatchLayout.Dense(side, floats, white)
            : new PatchLayout(side, floats, size * tensor.Strides[0], size * tensor.Strides[n - 2], size * tensor.Strides[n - 1], white);
        return new PatchMemory(tensor.Data + tensor.ByteOffset, tensor.Shape[0], layout);
    }

    // One block: the tensor, its shape and, in the host's memory, its elements. On a GPU these are a tensor of the device's.
    private static DlManagedTensor* Allocate(ModelEntry model, long rows, bool bits, in DlTensor like)
    {
        int width = bits ? model.Model.Dimension / 8 : model.Model.Dimension;
        bool host = like.DeviceType != DlDevice.Cuda;
        string where = host ? "cpu" : $"cuda:{like.DeviceId}";
        if (!host && model.Home.Device.Name != where)
        {
            throw new ArgumentException($"the patches are on {where}, and the model is on {model.Home.Device.Name}");
        }

        long bytes = host ? rows * width * (bits ? 1 : sizeof(float)) : 0;
        var result = (DlManagedTensor*)NativeMemory.AlignedAlloc((nuint)(Alignment + bytes), Alignment);
        long* shape = (long*)(result + 1);
        shape[0] = rows;
        shape[1] = width;
        shape[2] = width;
        shape[3] = 1;
        *result = new DlManagedTensor
        {
            Major = 1,
            Deleter = &Delete,
            Tensor = new DlTensor
            {
                Data = (byte*)result + Alignment,
                DeviceType = host ? DlDevice.Cpu : DlDevice.Cuda,
                DeviceId = host ? 0 : like.DeviceId,
                Dimensions = 2,
                Code = bits ? DlCode.UInt : DlCode.Float,
                Bits = (byte)(bits ? 8 : 32),
                Lanes = 1,
                Shape = shape,
                Strides = shape + 2,
            },
        };
        if (host)
        {
            return result;
        }

        try
        {
            Device device = model.Home.Device;
            IDisposable memory;
            if (bits)
            {
                Tensor<byte> signs = device.Allocate<byte>((int)rows, width);
                memory = signs;
                result->Tensor.Data = (byte*)signs.DevicePointer;
            }
            else
            {
                Tensor<float> values = device.Allocate<float>((int)rows, width);
                memory = values;
                result->Tensor.Data = (byte*)values.DevicePointer;
            }

            result->Context = (void*)GCHandle.ToIntPtr(GCHandle.Alloc(memory));
            return result;
        }
        catch
        {
            NativeMemory.AlignedFree(result);
            throw;
        }
    }
}
