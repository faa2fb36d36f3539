using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace CudaL2Net.Formats.PyTorch;

/// <summary>
/// Reads Python's pickles (protocols 2 to 5) as far as PyTorch's files need them. A pickle is a program for a stack machine that may call any function of
/// Python; here only these have a meaning: <c>OrderedDict()</c> and the functions that rebuild a tensor from a storage. All other names end the reading.
/// </summary>
/// <param name="bytes">One or several pickles, one after the other.</param>
internal sealed class PickleReader(byte[] bytes)
{
    private static readonly object Mark = new();

    private readonly List<object?> stack = [];
    private readonly Dictionary<long, object?> memo = [];

    /// <summary>Where the next pickle starts.</summary>
    public int Position { get; private set; }

    /// <summary>The storages that the pickles read so far refer to, by key.</summary>
    public Dictionary<string, PickleElement> Storages { get; } = [];

    /// <summary>Reads the next pickle.</summary>
    /// <returns>
    /// null, bool, long, <see cref="BigInteger"/> (beyond long), double, string, byte[], object?[] (a tuple), List (a list), <see cref="PickleDictionary"/>,
    /// <see cref="PickleGlobal"/>, <see cref="PickleStorage"/> or <see cref="PickleTensor"/>.
    /// </returns>
    /// <exception cref="PickleException">The pickle is damaged, or asks for something that is not known.</exception>
    public object? Read()
    {
        stack.Clear();
        memo.Clear();
        while (true)
        {
            byte code = Take(1)[0];
            switch (code)
            {
                case (byte)'.':
                    return stack.Count == 1 ? Pop() : throw Damaged("it ends with values left over");
                case 0x80: // PROTO
                    byte protocol = Take(1)[0];
                    if (protocol is < 2 or > 5)
                    {
                        throw Damaged($"pickle protocol {protocol} is unknown");
                    }

                    break;
                case 0x95: // FRAME
                    Take(8);
                    break;
                case (byte)'(':
                    stack.Add(Mark);
                    break;
                case (byte)'0':
                    Pop();
                    break;
                case (byte)'1':
                    PopToMark();
                    break;
                case (byte)'2':
                    stack.Add(Peek());
                    break;
                default:
                    if (!ReadConstant(code) && !ReadMemo(code) && !ReadContainer(code))
                    {
                        ReadObject(code);
                    }

                    break;
            }
        }
    }

    private static PickleException Damaged(string reason) => new(reason);

    private bool ReadConstant(byte code)
    {
        object? value;
        switch (code)
        {
            case (byte)'N':
                value = null;
                break;
            case 0x88:
                value = true;
                break;
            case 0x89:
                value = false;
                break;
            case (byte)'J':
                value = (long)BinaryPrimitives.ReadInt32LittleEndian(Take(4));
                break;
            case (byte)'K':
                value = (long)Take(1)[0];
                break;
            case (byte)'M':
                value = (long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2));
                break;
            case 0x8a: // LONG1
                var big = new BigInteger(Take(Take(1)[0]));
                value = big >= long.MinValue && big <= long.MaxValue ? (long)big : big;
                break;
            case (byte)'G':
                value = BinaryPrimitives.ReadDoubleBigEndian(Take(8));
                break;
            case (byte)'X' or (byte)'T':
                value = Text(Length());
                break;
            case 0x8c or (byte)'U':
                value = Text(Take(1)[0]);
                break;
            case (byte)'B':
                value = Take(Length()).ToArray();
                break;
            case (byte)'C':
                value = Take(Take(1)[0]).ToArray();
                break;
            default:
                return false;
        }

        stack.Add(value);
        return true;
    }

    private bool ReadMemo(byte code)
    {
        switch (code)
        {
            case (byte)'q':
                memo[Take(1)[0]] = Peek();
                return true;
            case (byte)'r':
                memo[Length()] = Peek();
                return true;
            case 0x94:
                memo[memo.Count] = Peek();
                return true;
            case (byte)'h':
                stack.Add(Recall(Take(1)[0]));
                return true;
            case (byte)'j':
                stack.Add(Recall(Length()));
                return true;
            default:
                return false;
        }
    }

    private bool ReadContainer(byte code)
    {
        switch (code)
        {
            case (byte)')':
                stack.Add(Array.Empty<object?>());
                return true;
            case 0x85 or 0x86 or 0x87:
                int count = code - 0x84;
                if (stack.Count < count)
                {
                    throw Damaged("a tuple has too few elements");
                }

                object?[] items = [.. stack[^count..]];
                stack.RemoveRange(stack.Count - count, count);
                stack.Add(items);
                return true;
            case (byte)'t':
                stack.Add(PopToMark());
                return true;
            case (byte)']':
                stack.Add(new List<object?>());
                return true;
            case (byte)'a':
                object? last = Pop();
                Top<List<object?>>().Add(last);
                return true;
            case (byte)'e':
                object?[] added = PopToMark();
                Top<List<object?>>().AddRange(added);
                return true;
            case (byte)'}':
                stack.Add(new PickleDictionary());
                return true;
            case (byte)'s':
                object? value = Pop(), key = Pop();
                Top<PickleDictionary>().Entries.Add((key, value));
                return true;
            case (byte)'u':
                object?[] pairs = PopToMark();
                List<(object?, object?)> entries = Top<PickleDictionary>().Entries;
                for (int i = 0; i + 1 < pairs.Length; i += 2)
                {
                    entries.Add((pairs[i], pairs[i + 1]));
                }

                return true;
            default:
                return false;
        }
    }

    private void ReadObject(byte code)
    {
        switch (code)
        {
            case (byte)'c':
                string module = Line();
                stack.Add(Global(module, Line()));
                break;
            case 0x93: // STACK_GLOBAL
                stack.Add(Pop() is string name && Pop() is string from ? Global(from, name) : throw Damaged("a name is no text"));
                break;
            case (byte)'Q': // BINPERSID
                stack.Add(Storage(Pop()));
                break;
            case (byte)'R': // REDUCE
                object?[] arguments = Pop() as object?[] ?? throw Damaged("a call has no arguments");
                stack.Add(Call(Pop() as PickleGlobal ?? throw Damaged("what is called is no function"), arguments));
                break;
            case (byte)'b': // BUILD: attributes of a dictionary, which do not matter
                Pop();
                Top<PickleDictionary>();
                break;
            default:
                throw Damaged($"its pickle has the instruction 0x{code:x2} at {Position - 1}, which no state dictionary needs");
        }
    }

    private static PickleGlobal Global(string module, string name)
    {
        var global = new PickleGlobal(module, name);
        bool known = (module, name) is ("collections", "OrderedDict")
            or ("torch._utils", "_rebuild_tensor_v2" or "_rebuild_tensor" or "_rebuild_parameter") || global.Element is not null;
        return known
            ? global
            : throw Damaged($"it names {Printable(module)}.{Printable(name)}, and files are read without running what they name; save model.state_dict()");
    }

    // Names come from the file and end up on a terminal.
    private static string Printable(string name) => string.Concat(name.Take(80).Select(letter => char.IsControl(letter) ? '?' : letter));

    private static object? Call(PickleGlobal function, object?[] arguments) => function.Name switch
    {
        "OrderedDict" when arguments.Length == 0 => new PickleDictionary(),
        "_rebuild_parameter" when arguments.Length >= 1 && arguments[0] is PickleTensor tensor => tensor,
        "_rebuild_tensor" or "_rebuild_tensor_v2" when arguments.Length >= 4 && arguments[0] is PickleStorage storage && arguments[1] is long offset =>
            Tensor(storage, offset, Sizes(arguments[2]), Sizes(arguments[3])),
        _ => throw Damaged($"it calls {function.Module}.{function.Name} with unknown arguments"),
    };

    private static PickleTensor Tensor(PickleStorage storage, long offset, long[] shape, long[] strides) => shape.Length == strides.Length
        ? new PickleTensor(storage, offset, shape, strides)
        : throw Damaged("a tensor has not as many strides as sizes");

    private static long[] Sizes(object? value) => value is object?[] items && items.All(item => item is long)
        ? [.. items.Select(item => (long)item!)]
        : throw Damaged("a tensor's sizes are no whole numbers");

    // ("storage", class, key, location, number of elements[, view]).
    private PickleStorage Storage(object? id)
    {
        if (id is not object?[] { Length: >= 5 } parts || parts[0] is not "storage" || parts[1] is not PickleGlobal { Element: { } element }
            || parts[2] is not string key || (parts.Length > 5 && parts[5] is not null))
        {
            throw Damaged("it refers to something that is no storage of numbers");
        }

        return Storages.TryAdd(key, element) || Storages[key] == element
            ? new PickleStorage(element, key)
            : throw Damaged($"storage {Printable(key)} has two element types");
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > bytes.Length - Position)
        {
            throw Damaged("it ends inside a pickle");
        }

        ReadOnlySpan<byte> taken = bytes.AsSpan(Position, count);
        Position += count;
        return taken;
    }

    private int Length()
    {
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
        return length <= int.MaxValue ? (int)length : throw Damaged("a length is beyond 2 GB");
    }

    private string Text(int length) => Encoding.UTF8.GetString(Take(length));

    private string Line()
    {
        int length = bytes.AsSpan(Position).IndexOf((byte)'\n');
        string line = length < 0 ? throw Damaged("it ends inside a name") : Text(length);
        Position++;
        return line;
    }

    private object? Peek() => stack.Count > 0 && stack[^1] != Mark ? stack[^1] : throw Damaged("its pickle takes more values than it has");

    private object? Pop()
    {
        object? top = Peek();
        stack.RemoveAt(stack.Count - 1);
        return top;
    }

    private object?[] PopToMark()
    {
        int mark = stack.LastIndexOf(Mark);
        if (mark < 0)
        {
            throw Damaged("its pickle lacks a mark");
        }

        object?[] items = [.. stack[(mark + 1)..]];
        stack.RemoveRange(mark, stack.Count - mark);
        return items;
    }

    private T Top<T>()
        where T : class => Peek() as T ?? throw Damaged("its pickle adds to something that is no list or dictionary");

    private object? Recall(long index) => memo.TryGetValue(index, out object? value)
        ? value
        : throw Damaged($"its pickle recalls a value it has not kept");
}
