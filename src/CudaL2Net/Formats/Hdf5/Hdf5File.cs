using System.Text;

namespace CudaL2Net.Formats.Hdf5;

/// <summary>
/// Reads the part of HDF5 in which MATLAB writes its files of version 7.3: superblocks 0 and 1, object headers 1, groups as trees of symbols, datasets
/// in one piece or in chunks, packed by deflate. All addresses are checked, and no node of a tree is visited twice: a damaged file is refused, and takes
/// neither memory nor time beyond its size.
/// </summary>
internal sealed class Hdf5File
{
    private const int MostLevels = 50;

    private static readonly byte[] Signature = [0x89, (byte)'H', (byte)'D', (byte)'F', (byte)'\r', (byte)'\n', 0x1a, (byte)'\n'];

    private readonly ReadOnlyMemory<byte> bytes;

    // Bytes of headers, trees and names that were not read yet. All of them together are fewer than the file has, for each is read once.
    private long unread;

    private Hdf5File(ReadOnlyMemory<byte> bytes) => (this.bytes, unread, Budget) = (bytes, bytes.Length, new ContentBudget(bytes.Length));

    /// <summary>The address of the root group.</summary>
    public long Root { get; private init; }

    /// <summary>What all datasets together may take.</summary>
    public ContentBudget Budget { get; }

    /// <summary>Opens a file's bytes.</summary>
    /// <exception cref="ContentException">It is no HDF5 file, or one of a newer form.</exception>
    public static Hdf5File Open(byte[] file)
    {
        // Behind what other programs put before: at 0, 512, 1024, 2048 and so on.
        long start = 0;
        while (start + Signature.Length <= file.Length && !file.AsSpan((int)start).StartsWith(Signature))
        {
            start = start == 0 ? 512 : start * 2;
        }

        if (start + Signature.Length > file.Length)
        {
            throw new ContentException("it has no HDF5 signature");
        }

        var cursor = new ByteCursor(file, (int)start + Signature.Length);
        int version = cursor.Byte();
        cursor.Take(4);
        (int offsets, int lengths) = (cursor.Byte(), cursor.Byte());
        if (version is not (0 or 1) || offsets != 8 || lengths != 8)
        {
            throw new ContentException($"its HDF5 superblock is of version {version} with addresses of {offsets} bytes; MATLAB's have version 0 and 8 bytes");
        }

        cursor.Take(version == 0 ? 9 : 13);
        long basis = cursor.Int64();
        cursor.Take(3 * 8); // free space, end of file, driver
        cursor.Take(8); // the root's name
        long root = cursor.Int64();
        return basis >= 0 && basis <= file.Length
            ? new Hdf5File(file.AsMemory((int)basis)) { Root = root }
            : throw new ContentException("its base address lies outside");
    }

    /// <summary>A cursor at an address.</summary>
    public ByteCursor At(long address) => ByteCursor.At(bytes, address);

    /// <summary>Reads the header of an object.</summary>
    public Hdf5Object Object(long address)
    {
        ByteCursor cursor = At(address);
        int version = cursor.Byte();
        if (version != 1)
        {
            throw new ContentException($"an object header of version {version} at {address} is not known");
        }

        cursor.Take(1);
        int messages = cursor.UInt16();
        cursor.Take(4); // references
        uint size = cursor.UInt32();
        cursor.Take(4); // to a multiple of 8 bytes
        var found = new Hdf5Object(this);
        var blocks = new Queue<ByteCursor>([new ByteCursor(cursor.Take(size))]);
        while (messages > 0 && blocks.TryDequeue(out ByteCursor? block))
        {
            for (; messages > 0 && block.Left >= 8; messages--)
            {
                (int type, int length) = (block.UInt16(), block.UInt16());
                block.Take(4);
                Spend(8 + length);
                var content = new ByteCursor(block.Take(length));
                if (type == Hdf5Messages.Continuation)
                {
                    long next = content.Int64();
                    blocks.Enqueue(new ByteCursor(At(next).Take(content.Int64())));
                }
                else
                {
                    found.Add(type, content);
                }
            }
        }

        return found;
    }

    /// <summary>The members of a group by name: a tree whose leaves list symbols, and a heap with their names.</summary>
    /// <param name="table">The message that says where they are.</param>
    public Dictionary<string, long> Members(ByteCursor table)
    {
        const int EntryRest = 24;
        (long tree, long heap) = (table.Int64(), table.Int64());
        ByteCursor head = Expect(heap, "HEAP"u8);
        head.Take(4);
        long length = head.Int64();
        head.Take(8);
        ReadOnlyMemory<byte> names = At(head.Int64()).Take(length);
        var members = new Dictionary<string, long>();
        foreach ((_, long leaf) in Leaves(tree, 0, keyBytes: 8))
        {
            ByteCursor symbols = Expect(leaf, "SNOD"u8);
            symbols.Take(2);
            for (int left = symbols.UInt16(); left > 0; left--)
            {
                (long name, long address) = (symbols.Int64(), symbols.Int64());
                symbols.Take(EntryRest);
                ByteCursor text = ByteCursor.At(names, name);
                ReadOnlySpan<byte> rest = text.Take(text.Left).Span;
                int end = rest.IndexOf((byte)0);
                end = end < 0 ? rest.Length : end;
                Spend(16 + EntryRest + end);
                members[Encoding.UTF8.GetString(rest[..end])] = address;
            }
        }

        return members;
    }

    /// <summary>The leaves of a tree.</summary>
    /// <param name="root">The address of its first node.</param>
    /// <param name="type">What it is of: 0 symbols, 1 chunks.</param>
    /// <param name="keyBytes">Bytes of a key.</param>
    /// <returns>Of each leaf the key before it, and its address.</returns>
    public List<(ReadOnlyMemory<byte> Key, long Address)> Leaves(long root, int type, int keyBytes)
    {
        var leaves = new List<(ReadOnlyMemory<byte>, long)>();
        var visited = new HashSet<long>();
        Visit(root, MostLevels);
        return leaves;

        void Visit(long address, int mostLevel)
        {
            if (!visited.Add(address))
            {
                throw new ContentException("a tree leads back into itself");
            }

            ByteCursor node = Expect(address, "TREE"u8);
            (int kind, int level) = (node.Byte(), node.Byte());
            int entries = node.UInt16();
            node.Take(16); // siblings
            if (kind != type || level > mostLevel)
            {
                throw new ContentException("a node of a tree is damaged");
            }

            for (int i = 0; i < entries; i++)
            {
                ReadOnlyMemory<byte> key = node.Take(keyBytes);
                long child = node.Int64();
                Spend(keyBytes + 8);
                if (level == 0)
                {
                    leaves.Add((key, child));
                }
                else
                {
                    Visit(child, level - 1);
                }
            }
        }
    }

    private void Spend(long count)
    {
        unread -= count;
        if (unread < 0)
        {
            throw new ContentException("its headers and trees lie in one another");
        }
    }

    private ByteCursor Expect(long address, ReadOnlySpan<byte> signature)
    {
        ByteCursor cursor = At(address);
        return cursor.Take(signature.Length).Span.SequenceEqual(signature)
            ? cursor
            : throw new ContentException($"there is no {Encoding.ASCII.GetString(signature)} at {address}");
    }
}
