using System.Text;

namespace CudaL2Net.Tests.Formats.Torch7;

/// <summary>Writes values byte by byte as Torch 7's <c>torch.save</c> does in its binary form.</summary>
internal sealed class Torch7Files
{
    private readonly MemoryStream bytes = new();
    private readonly Dictionary<object, int> numbers = [];

    /// <summary>A float tensor: sizes, strides in elements, and where it begins in its storage, from 0.</summary>
    public sealed record Tensor(float[] Storage, int Offset, int[] Sizes, int[] Strides, string Kind = "Float")
    {
        public static Tensor Of(float[] values, params int[] sizes)
        {
            var strides = new int[sizes.Length];
            for (int i = sizes.Length - 1, stride = 1; i >= 0; stride *= sizes[i], i--)
            {
                strides[i] = stride;
            }

            return new Tensor(values, 0, sizes, strides);
        }
    }

    /// <summary>An object of a class, as <c>nn.Tanh</c>.</summary>
    public sealed record Made(string Class, Dictionary<object, object?> Fields, bool HasVersion = true);

    /// <summary>A file's bytes. Tables are dictionaries; what stands in several places is written once.</summary>
    public static byte[] Of(object? value)
    {
        var file = new Torch7Files();
        file.Write(value);
        return file.bytes.ToArray();
    }

    /// <summary>A table of 1, 2 and so on.</summary>
    public static Dictionary<object, object?> List(params object?[] items) => items.Select((item, i) => (Key: (object)(i + 1.0), item)).ToDictionary(pair => pair.Key, pair => pair.item);

    /// <summary>A module of <c>nn</c>.</summary>
    public static Made Module(string name, params (string Field, object? Value)[] fields) =>
        new($"nn.{name}", fields.ToDictionary(field => (object)field.Field, field => field.Value));

    private void Write(object? value)
    {
        switch (value)
        {
            case null:
                Int(0);
                break;
            case double number:
                Int(1);
                bytes.Write(BitConverter.GetBytes(number));
                break;
            case string text:
                Int(2);
                Text(text);
                break;
            case bool flag:
                Int(5);
                Int(flag ? 1 : 0);
                break;
            case Dictionary<object, object?> table when IsNew(3, table):
                Int(table.Count);
                foreach ((object key, object? item) in table)
                {
                    Write(key);
                    Write(item);
                }

                break;
            case Made made when IsNew(4, made):
                Class(made.Class, made.HasVersion);
                Write(made.Fields);
                break;
            case Tensor tensor when IsNew(4, tensor):
                Class($"torch.{tensor.Kind}Tensor");
                Int(tensor.Sizes.Length);
                Array.ForEach(tensor.Sizes, size => Long(size));
                Array.ForEach(tensor.Strides, stride => Long(stride));
                Long(tensor.Offset + 1);
                if (IsNew(4, tensor.Storage))
                {
                    Class($"torch.{tensor.Kind}Storage");
                    Long(tensor.Storage.Length);
                    Array.ForEach(tensor.Storage, item => bytes.Write(BitConverter.GetBytes(item)));
                }

                break;
        }
    }

    // Writes what it is and its number.
    private bool IsNew(int kind, object value)
    {
        bool isNew = numbers.TryAdd(value, numbers.Count + 1);
        Int(kind);
        Int(numbers[value]);
        return isNew;
    }

    private void Class(string name, bool hasVersion = true)
    {
        if (hasVersion)
        {
            Text("V 1");
        }

        Text(name);
    }

    private void Int(int value) => bytes.Write(BitConverter.GetBytes(value));

    private void Long(long value) => bytes.Write(BitConverter.GetBytes(value));

    private void Text(string text)
    {
        Int(text.Length);
        bytes.Write(Encoding.ASCII.GetBytes(text));
    }
}
