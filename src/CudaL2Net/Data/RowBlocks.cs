using System.Runtime.InteropServices;

namespace CudaL2Net.Data;

/// <summary>
/// Rows of bytes whose number is not known in advance, in blocks outside of the managed heap. While they become one array the blocks are given back one by one, so
/// that the rows are in memory hardly more than once.
/// </summary>
/// <param name="width">Bytes of a row.</param>
/// <param name="blockBytes">About the bytes of a block.</param>
internal sealed unsafe class RowBlocks(int width, int blockBytes = RowBlocks.UsualBlock) : IDisposable
{
    private const int UsualBlock = 64 << 20;

    private readonly int rowsPerBlock = Math.Max(1, blockBytes / width);
    private readonly List<nint> blocks = [];

    /// <summary>A row to be written: one that is there, or the next.</summary>
    /// <param name="row">At most the number of rows.</param>
    public Span<byte> this[int row]
    {
        get
        {
            (int block, int offset) = Math.DivRem(row, rowsPerBlock);
            if (block == blocks.Count)
            {
                blocks.Add((nint)NativeMemory.Alloc((nuint)rowsPerBlock * (nuint)width));
            }

            return new Span<byte>((byte*)blocks[block] + ((nint)offset * width), width);
        }
    }

    /// <summary>The first rows as one array. They are no longer here afterwards.</summary>
    /// <param name="count">Their number.</param>
    public byte[] MoveToArray(int count)
    {
        // Memory that is not written yet takes no room.
        byte[] rows = GC.AllocateUninitializedArray<byte>(count * width);
        for (int block = 0, first = 0; first < count; block++, first += rowsPerBlock)
        {
            int length = Math.Min(rowsPerBlock, count - first) * width;
            new Span<byte>((void*)blocks[block], length).CopyTo(rows.AsSpan(first * width));
            NativeMemory.Free((void*)blocks[block]);
            blocks[block] = 0;
        }

        Dispose();
        return rows;
    }

    /// <summary>Gives back what is still here.</summary>
    public void Dispose()
    {
        blocks.ForEach(block => NativeMemory.Free((void*)block));
        blocks.Clear();
    }
}
