using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace CudaL2Net.Formats.PyTorch;

/// <summary>
/// Reads Python's pickles (protocols 2 to 5) as far as PyTorch's files need them. A pickle is a program for a stack machine that may call any function of
/// Python; here nothing is called. Only dictionaries and the functions that rebuild a tensor from a storage have a meaning. Whatever any other function or
/// class would make becomes a <see cref="PickleObject"/> that holds nothing.
/// </summary>
/// <param name="bytes">One or several pickles, one after the other.</param>
internal sealed class PickleReader(byte[] bytes)
{
    /// <summary>The most sizes that a tensor may have.</summary>
    public const int MostSizes = 32;

    // Beyond, a number could only be there to take time.
    private const int MostLongBytes = 1024;

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
    /// <see cref="PickleGlobal"/>, <see cref="PickleStorage"/>, <see cref="PickleTensor"/> or <see cref="PickleObject"/>.
    /// </returns>
    /// <exception cref="ContentException">The pickle is damaged.</exception>
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

    private static ContentException Damaged(string reason) => new(reason);

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
                value = Whole(new BigInteger(Take(Take(1)[0])));
                break;
            case 0x8b: // LONG4
                int bytes = Length();
                value = bytes <= MostLongBytes ? Whole(new BigInteger(Take(bytes))) : throw Damaged($"a number has {bytes} bytes");
                break;
            case (byte)'I' or (byte)'L':
                value = WrittenOut(Line());
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
            case 0x8d: // BINUNICODE8
                value = Text(LongLength());
                break;
            case (byte)'B':
                value = Take(Length()).ToArray();
                break;
            case 0x8e or 0x96: // BINBYTES8, BYTEARRAY8
                value = Take(LongLength()).ToArray();
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
            case (byte)']' or 0x8f: // EMPTY_SET, too
                stack.Add(new List<object?>());
                return true;
            case (byte)'l' or 0x91: // FROZENSET, too
                stack.Add(new List<object?>(PopToMark()));
                return true;
            case (byte)'a':
                AddItems(Pop());
                return true;
            case (byte)'e' or 0x90: // ADDITEMS, too
                AddItems(PopToMark());
                return true;
            case (byte)'}':
                stack.Add(new PickleDictionary());
                return true;
            case (byte)'d':
                stack.Add(PickleDictionary.Of(PopToMark()));
                return true;
            case (byte)'s':
                object? value = Pop(), key = Pop();
                AddEntries(key, value);
                return true;
            case (byte)'u':
                AddEntries(PopToMark());
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
                stack.Add(new PickleGlobal(module, Line()));
                break;
            case 0x93: // STACK_GLOBAL
                stack.Add(Pop() is string name && Pop() is string from ? new PickleGlobal(from, name) : throw Damaged("a name is no text"));
                break;
            case (byte)'Q': // BINPERSID
                stack.Add(Storage(Pop()));
                break;
            case (byte)'R' or 0x81 or 0x92: // REDUCE, NEWOBJ, NEWOBJ_EX
                _ = code == 0x92 ? Pop() : null; // arguments with names
                object?[] arguments = Pop() as object?[] ?? throw Damaged("a call has no arguments");
                stack.Add(Call(Pop(), arguments));
                break;
            case (byte)'o': // OBJ
                object?[] parts = PopToMark();
                stack.Add(parts.Length > 0 ? Call(parts[0], parts[1..]) : throw Damaged("an object has no class"));
                break;
            case (byte)'i': // INST
                string space = Line();
                stack.Add(Call(new PickleGlobal(space, Line()), PopToMark()));
                break;
            case (byte)'b': // BUILD: attributes, which do not matter
                Pop();
                Peek();
                break;
            default:
                throw Damaged($"its pickle has the instruction 0x{code:x2} at {Position - 1}, which no state dictionary needs");
        }
    }

    private static object? Call(object? function, object?[] arguments)
    {
        if (function is not PickleGlobal global)
        {
            return function is PickleObject made ? made : throw Damaged("what is called is no function");
        }

        switch (global.Module, global.Name)
        {
            case ("collections", "OrderedDict") or ("builtins" or "__builtin__", "dict"):
                return arguments is [List<object?> pairs]
                    ? PickleDictionary.Of([.. pairs.SelectMany<object?, object?>(pair => pair switch
                    {
                        object?[] { Length: 2 } tuple => tuple,
                        List<object?> { Count: 2 } list => list,
                        _ => throw Damaged("an entry of a dictionary is no pair"),
                    })])
                    : new PickleDictionary();
            case ("collections", "defaultdict"):
                return new PickleDictionary();
            case ("torch._tensor", "_rebuild_from_type_v2") when arguments is [var rebuild, _, object?[] inner, ..]:
                return Call(rebuild, inner);
            case ("torch._utils", "_rebuild_parameter" or "_rebuild_parameter_with_state") when arguments is [PickleTensor tensor, ..]:
                return tensor;
            case ("torch._utils", "_rebuild_tensor" or "_rebuild_tensor_v2") when arguments is [PickleStorage storage, long offset, var shape, var strides, ..]:
                return Tensor(storage, offset, Sizes(shape), Sizes(strides));
            case ("torch._utils", "_rebuild_tensor" or "_rebuild_tensor_v2") when arguments is not [PickleObject, ..]:
                throw Damaged($"it calls {global} with unknown arguments");
            default:
                return new PickleObject(global.ToString());
        }
    }

    private static PickleTensor Tensor(PickleStorage storage, long offset, long[] shape, long[] strides) => shape.Length == strides.Length
        ? new PickleTensor(storage, offset, shape, strides)
        : throw Damaged("a tensor has not as many strides as sizes");

    private static long[] Sizes(object? value)
    {
        if (value is not object?[] items || !items.All(item => item is long))
        {
            throw Damaged("a tensor's sizes are no whole numbers");
        }

        return items.Length <= MostSizes
            ? [.. items.Select(item => (long)item!)]
            : throw Damaged($"a tensor has {items.Length} dimensions, and at most {MostSizes} are supported");
    }

    // ("storage", class, key, location, number of elements[, view]); a view is (key, offset, number of elements). Other persistent objects are source texts.
    private object Storage(object? id)
    {
        if (id is not object?[] parts || parts is not ["storage", PickleGlobal { Element: { } element }, string key, _, _, ..])
        {
            return new PickleObject("a persistent object");
        }

        object? view = parts.Length > 5 ? parts[5] : null;
        long offset = view switch
        {
            null => 0,
            object?[] and [_, long start, _] => start,
            _ => throw Damaged($"the view of storage {key} is not known"),
        };
        return Storages.TryAdd(key, element) || Storages[key] == element
            ? new PickleStorage(element, key, offset)
            : throw Damaged($"storage {key} has two element types");
    }

    private void AddItems(params object?[] items)
    {
        if (Peek() is not PickleObject)
        {
            Top<List<object?>>().AddRange(items);
        }
    }

    private void AddEntries(params object?[] items)
    {
        if (Peek() is not PickleObject)
        {
            Top<PickleDictionary>().Add(items);
        }
    }

    private static object Whole(BigInteger value) => value >= long.MinValue && value <= long.MaxValue ? (object)(long)value : value;

    // As text: booleans as 00 and 01, and what Python 2 has no shorter form for.
    private static object WrittenOut(string line) => line switch
    {
        "00" => false,
        "01" => true,
        _ when line.Length <= MostLongBytes
            && BigInteger.TryParse(line.TrimEnd('L'), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger value) => Whole(value),
        _ => throw Damaged("a number is not understood"),
    };

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

    private int LongLength()
    {
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
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
