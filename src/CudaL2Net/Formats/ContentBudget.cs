namespace CudaL2Net.Formats;

/// <summary>What a file's content may take in memory. A damaged file may claim any number, and packed bytes may become a thousand times as many.</summary>
/// <param name="fileBytes">The bytes of the file.</param>
internal sealed class ContentBudget(long fileBytes)
{
    // Arrays of one value pack well: momenta, mean images of nothing. Weights do not.
    private const long Always = 64L << 20, PerByte = 4;

    private long left = Always + (PerByte * fileBytes);

    /// <summary>Takes so many bytes.</summary>
    /// <exception cref="ContentException">A file of this size has not as many left.</exception>
    public void Take(long bytes)
    {
        left = bytes >= 0 && bytes <= left ? left - bytes : throw new ContentException("it claims far more content than a file of its size has");
    }

    /// <summary>The number of elements of an array.</summary>
    /// <param name="sizes">Its sizes.</param>
    /// <exception cref="ContentException">A size is negative, or no array has as many elements.</exception>
    public static int Elements(IEnumerable<long> sizes)
    {
        long count = 1;
        bool empty = false;
        foreach (long size in sizes)
        {
            if (size is < 0 or > int.MaxValue)
            {
                throw new ContentException($"an array has the size {size}");
            }

            empty |= size == 0;
            count = size == 0 || count > int.MaxValue ? count : count * size;
        }

        return empty ? 0 : count <= Array.MaxLength ? (int)count : throw new ContentException("an array claims more elements than its bytes hold");
    }
}
