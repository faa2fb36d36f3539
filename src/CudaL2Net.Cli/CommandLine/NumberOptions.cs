using System.CommandLine;
using System.CommandLine.Parsing;
using System.Numerics;
using CudaL2Net.Formats;

namespace CudaL2Net.Cli.CommandLine;

/// <summary>Makes every option of a number read its text by <see cref="NumberText"/>, so that "0,05" is an error and not 5.</summary>
internal static class NumberOptions
{
    /// <summary>Takes care of all options of a command and of the commands below it.</summary>
    /// <exception cref="NotSupportedException">An option has a type of number that is not known here.</exception>
    public static void ReadStrictly(Command command)
    {
        foreach (Option option in command.Options)
        {
            ReadStrictly(option);
        }

        foreach (Command sub in command.Subcommands)
        {
            ReadStrictly(sub);
        }
    }

    /// <summary>The type of number that an option takes, one or several of; null where it takes something else.</summary>
    public static Type? NumberOf(Option option)
    {
        Type type = option.ValueType.GetElementType() ?? option.ValueType;
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsEnum || !type.GetInterfaces().Any(known => known.IsGenericType && known.GetGenericTypeDefinition() == typeof(INumber<>)) ? null : type;
    }

    private static void ReadStrictly(Option option)
    {
        switch (option)
        {
            case Option<int> one: one.CustomParser = One<int>; break;
            case Option<int?> one: one.CustomParser = Optional<int>; break;
            case Option<int[]> several: several.CustomParser = Several<int>; break;
            case Option<long?> one: one.CustomParser = Optional<long>; break;
            case Option<ulong> one: one.CustomParser = One<ulong>; break;
            case Option<ulong?> one: one.CustomParser = Optional<ulong>; break;
            case Option<float?> one: one.CustomParser = Optional<float>; break;
            case Option<double> one: one.CustomParser = One<double>; break;
            case Option<double[]> several: several.CustomParser = Several<double>; break;
            case Option<double?> one: one.CustomParser = Optional<double>; break;
            case var _ when NumberOf(option) is { } type: throw new NotSupportedException($"{option.Name} takes {type.Name}: say here how it is read");
        }
    }

    private static T One<T>(ArgumentResult result)
        where T : struct, INumber<T>, IMinMaxValue<T> => Several<T>(result) is [.., var last] ? last : default;

    private static T? Optional<T>(ArgumentResult result)
        where T : struct, INumber<T>, IMinMaxValue<T> => One<T>(result);

    private static T[] Several<T>(ArgumentResult result)
        where T : struct, INumber<T>, IMinMaxValue<T>
    {
        var values = new T[result.Tokens.Count];
        for (int i = 0; i < values.Length; i++)
        {
            try
            {
                values[i] = NumberText.Parse<T>((result.Parent as OptionResult)?.Option.Name ?? result.Argument.Name, result.Tokens[i].Value);
            }
            catch (FormatException error)
            {
                result.AddError(error.Message);
                return [];
            }
        }

        return values;
    }
}
