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
            PatchArray array = PatchesOf(*patches, white);
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
    private static PatchArray PatchesOf(in DlManagedTensor managed, double white)
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

        ElementType type = (tensor.Code, tensor.Bits, tensor.Lanes) switch
        {
            (DlCode.UInt, 8, 1) => ElementType.Byte,
            (DlCode.Float, 32, 1) => ElementType.Float,
            _ => throw new ArgumentException(
                $"the tensor's elements are of DLPack's type {tensor.Code} with {tensor.Bits} bits and {tensor.Lanes} lanes: expected uint8 or float32"),
        };
        long side = tensor.Shape[n - 1];
        if (side is < 1 or > 65)
        {
            throw new ArgumentException($"patches of {side} x {side} pixels: expected 32 x 32, 64 x 64 or 65 x 65");
        }

        long size = type == ElementType.Float ? sizeof(float) : 1;
        bool dense = tensor.Strides == null;
        return new PatchArray
        {
            Data = tensor.Data + tensor.ByteOffset,
            Count = tensor.Shape[0],
            Side = (int)side,
            Type = (int)type,
            PatchStride = size * (dense ? side * side : tensor.Strides[0]),
            RowStride = size * (dense ? side : tensor.Strides[n - 2]),
            PixelStride = size * (dense ? 1 : tensor.Strides[n - 1]),
            White = white,
        };
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
