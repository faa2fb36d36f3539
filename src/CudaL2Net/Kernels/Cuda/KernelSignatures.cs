using System.Runtime.InteropServices;
using System.Text;

namespace CudaL2Net.Kernels.Cuda;

/// <summary>What a PTX file says about its kernels: the parameters that they take, as their <c>.entry</c> declares them, and the constants that the file has for
/// the host (<c>HOST_CONSTANT</c>).</summary>
internal sealed class KernelSignatures
{
    private readonly string file;
    private readonly Dictionary<string, int[]> parameters = [];
    private readonly Dictionary<string, int[]> constants = [];

    /// <summary>Reads all declarations.</summary>
    /// <param name="file">What messages call the file.</param>
    /// <param name="ptx">Its text.</param>
    /// <exception cref="InvalidDataException">A declaration is not as PTX has them.</exception>
    public KernelSignatures(string file, ReadOnlySpan<byte> ptx)
    {
        this.file = file;
        ReadConstants(ptx);
        ReadOnlySpan<byte> entry = ".entry "u8;
        for (int at = ptx.IndexOf(entry); at >= 0; at = ptx.IndexOf(entry))
        {
            ptx = ptx[(at + entry.Length)..];
            int head = ptx.IndexOfAny((byte)'(', (byte)'{');
            if (head < 0)
            {
                throw new InvalidDataException($"{file} ends in the declaration of a kernel: build the kernels again");
            }

            // A kernel without parameters may have no parentheses.
            int end = ptx[head] == '(' ? ptx.IndexOf((byte)')') : head;
            string name = Encoding.UTF8.GetString(ptx[..head]).Split('\n')[0].Trim();
            string list = end > head ? Encoding.UTF8.GetString(ptx[(head + 1)..end]) : "";
            parameters.Add(name, [.. list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Bytes)]);
        }
    }

    /// <summary>The names of the kernels.</summary>
    public IReadOnlyCollection<string> Kernels => parameters.Keys;

    /// <summary>The bytes of each parameter of a kernel, in order.</summary>
    /// <exception cref="InvalidOperationException">The file has no kernel of that name.</exception>
    public int[] Of(string kernel) => parameters.TryGetValue(kernel, out int[]? bytes)
        ? bytes
        : throw new InvalidOperationException($"{file} has no kernel {kernel}: it has {string.Join(", ", parameters.Keys.Order(StringComparer.Ordinal))}");

    /// <summary>The numbers of a constant: one, or those of a structure, field by field.</summary>
    /// <exception cref="InvalidOperationException">The file has no constant of that name.</exception>
    public int[] Constant(string name) => constants.TryGetValue(name, out int[]? values)
        ? values
        : throw new InvalidOperationException(
            $"{file} has no constant {name}: it has {(constants.Count == 0 ? "none" : string.Join(", ", constants.Keys.Order(StringComparer.Ordinal)))}; "
                + "library and kernels are of different builds: build both again");

    /// <summary>Throws if a launch does not give what the kernel takes: the driver would read past the arguments, or read them shifted.</summary>
    /// <param name="file">The kernel's file, for the message.</param>
    /// <param name="kernel">The kernel.</param>
    /// <param name="parameters">The bytes of each parameter, from <see cref="Of"/>.</param>
    /// <param name="arguments">The arguments of the launch.</param>
    /// <exception cref="InvalidOperationException">Count or sizes differ; the message has both lists.</exception>
    public static void Require(string file, string kernel, int[] parameters, ReadOnlySpan<KernelArgument> arguments)
    {
        bool fits = arguments.Length == parameters.Length;
        for (int i = 0; i < arguments.Length && fits; i++)
        {
            fits = arguments[i].Bytes == parameters[i];
        }

        if (!fits)
        {
            throw new InvalidOperationException(
                $"a launch does not fit the kernel {kernel} of {file}: the kernel takes {Describe(parameters)}, the launch gives "
                    + $"{Describe([.. arguments.ToArray().Select(argument => argument.Bytes)])}; library and kernels are of different builds, or a change of one "
                    + "was not made in the other");
        }
    }

    private static string Describe(int[] sizes) =>
        $"{sizes.Length} {(sizes.Length == 1 ? "parameter" : "parameters")} of [{string.Join(", ", sizes)}] bytes";

    /// <summary>Reads <c>.const .align 4 .u32 name = 128;</c> and <c>.const .align 4 .b8 name[8] = {128, 0, 0, 0, 1};</c>, where zeros at the end may be
    /// missing.</summary>
    private void ReadConstants(ReadOnlySpan<byte> ptx)
    {
        ReadOnlySpan<byte> constant = ".const "u8;
        for (int at = ptx.IndexOf(constant); at >= 0; at = ptx.IndexOf(constant))
        {
            ptx = ptx[(at + constant.Length)..];
            int end = ptx.IndexOf((byte)';');
            string declaration = Encoding.UTF8.GetString(end < 0 ? ptx : ptx[..end]);
            string[] sides = declaration.Split('=');
            string[] words = sides[0].Replace('[', ' ').Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (end < 0 || sides.Length != 2 || words is not [".align", _, var type, var name, ..])
            {
                // Without a value: no constant for the host.
                continue;
            }

            var bytes = new byte[Bytes(sides[0])];
            int width = Bytes(type);
            string[] values = sides[1].Split(',', StringSplitOptions.TrimEntries);
            for (int i = 0; i < values.Length; i++)
            {
                if (width > sizeof(long) || !long.TryParse(values[i].Trim('{', '}', ' '), out long value) || (i + 1) * width > bytes.Length)
                {
                    throw new InvalidDataException($"{file} declares a constant as '{declaration}', which is not whole numbers: build the kernels again");
                }

                BitConverter.GetBytes(value).AsSpan(0, width).CopyTo(bytes.AsSpan(i * width));
            }

            constants.Add(name, MemoryMarshal.Cast<byte, int>(bytes).ToArray());
        }
    }

    /// <summary>The bytes of one parameter: <c>.param .u64 .ptr .global .align 16 name</c>, or <c>.param .align 8 .b8 name[296]</c>.</summary>
    private int Bytes(string declaration)
    {
        string[] words = declaration.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        string? type = Array.Find(words, word => word.Length > 2 && ".busf".Contains(word[1], StringComparison.Ordinal) && char.IsAsciiDigit(word[2]));
        int open = declaration.IndexOf('[', StringComparison.Ordinal), count = 1;
        if (type == null || !int.TryParse(type.AsSpan(2), out int bits)
            || (open >= 0 && !int.TryParse(declaration.AsSpan(open + 1).TrimEnd().TrimEnd(']'), out count)))
        {
            throw new InvalidDataException($"{file} declares a parameter as '{declaration}', which is not a number, an address or an array of bytes");
        }

        return bits / 8 * count;
    }
}
