namespace CudaL2Net.Formats.PyTorch;

/// <summary>A tensor of a PyTorch file. Its elements are gathered from its storage when they are asked for; tensors may share a storage.</summary>
public sealed class TorchTensor
{
    private readonly PickleTensor view;
    private readonly ReadOnlyMemory<byte> storage;
    private readonly int[] shape;

    /// <summary>A view of a storage.</summary>
    /// <exception cref="ContentException">The view does not lie in the storage.</exception>
    internal TorchTensor(string name, PickleTensor view, ReadOnlyMemory<byte> storage)
    {
        (this.view, this.storage) = (view, storage);
        long present = storage.Length / view.Storage.Type.Bytes;
        Int128 count = 1, first = (Int128)view.Storage.Offset + view.Offset, last = first;
        for (int i = 0; i < view.Shape.Length; i++)
        {
            long size = view.Shape[i], stride = view.Strides[i];
            if (size is < 0 or > int.MaxValue || stride < 0)
            {
                throw new ContentException($"tensor {name} has impossible sizes");
            }

            // At most 32 sizes below 2^31: the products would not fit, so they end where they exceed what any storage holds.
            count = count > Array.MaxLength && size > 0 ? count : count * size;
            last += (Int128)Math.Max(0, size - 1) * stride;
        }

        if (count > Array.MaxLength || (count > 0 && (first < 0 || last >= present)))
        {
            throw new ContentException($"tensor {name} reaches beyond the {present} elements of its storage");
        }

        // Repeated elements make a tensor larger than its storage: a bomb, for no file has weights of this kind.
        if (count > present)
        {
            throw new ContentException($"tensor {name} needs more than the {present} elements of its storage");
        }

        shape = Array.ConvertAll(view.Shape, size => (int)size);
        Count = (int)count;
    }

    /// <summary>The sizes, at most 32; none for a single number.</summary>
    public ReadOnlySpan<int> Shape => shape;

    /// <summary>The number of elements.</summary>
    public int Count { get; }

    /// <summary>The elements in C order, as float32: a new array at each call.</summary>
    public float[] ToFloats()
    {
        float[] values = new float[Count];
        int[] index = new int[shape.Length];
        int bytes = view.Storage.Type.Bytes;
        ReadOnlySpan<byte> source = storage.Span;
        long element = view.Storage.Offset + view.Offset;
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = view.Storage.Type.ToFloat(source.Slice((int)(element * bytes), bytes));
            for (int k = index.Length - 1; k >= 0; k--)
            {
                element += view.Strides[k];
                if (++index[k] < shape[k])
                {
                    break;
                }

                element -= view.Strides[k] * shape[k];
                index[k] = 0;
            }
        }

        return values;
    }
}
