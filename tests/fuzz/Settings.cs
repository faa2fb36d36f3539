using System.Globalization;

namespace CudaL2Net.Fuzz;

/// <summary>What the command line asks for.</summary>
internal sealed record Settings
{
    /// <summary>Inputs of all readers together.</summary>
    public long Count { get; init; } = 10_000;

    /// <summary>Decides all inputs.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>The readers under test.</summary>
    public IReadOnlyList<string> Readers { get; init; } = [];

    /// <summary>The one input that is wanted, or null.</summary>
    public long? Case { get; init; }

    /// <summary>Where files go that a reader fails on.</summary>
    public string Out { get; init; } = Path.Combine("artifacts", "fuzz");

    /// <summary>The command that is run with faults of the disk, or null.</summary>
    public string? Disk { get; init; }

    /// <summary>The most places of that command that get a fault of each kind.</summary>
    public long Places { get; init; } = long.MaxValue;

    /// <summary>For the worker: the file of the <see cref="Board"/>.</summary>
    public string? Board { get; init; }

    /// <summary>Reads the arguments.</summary>
    public static bool TryParse(string[] args, IReadOnlyList<string> known, IReadOnlyList<string> usual, out Settings settings, out string wrong)
    {
        settings = new Settings { Readers = usual };
        List<string> readers = [];
        wrong = "";
        for (int i = 0; i < args.Length && wrong.Length == 0; i += 2)
        {
            string value = i + 1 < args.Length ? args[i + 1] : "";
            bool whole = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long number);
            switch (args[i])
            {
                case "--count" when whole && number > 0:
                    settings = settings with { Count = number };
                    break;
                case "--seed" when whole:
                    settings = settings with { Seed = (ulong)number };
                    break;
                case "--case" when whole:
                    settings = settings with { Case = number };
                    break;
                case "--reader" when known.Contains(value):
                    readers.Add(value);
                    break;
                case "--reader":
                    wrong = $"there is no reader '{value}'; there are {string.Join(", ", known)}";
                    break;
                case "--out" when value.Length > 0:
                    settings = settings with { Out = value };
                    break;
                case "--disk" when value.Length > 0:
                    settings = settings with { Disk = value };
                    break;
                case "--places" when whole && number > 0:
                    settings = settings with { Places = number };
                    break;
                case "--board" when value.Length > 0:
                    settings = settings with { Board = value };
                    break;
                default:
                    wrong = $"'{args[i]} {value}' is not understood";
                    break;
            }
        }

        settings = readers.Count > 0 ? settings with { Readers = readers } : settings;
        if (wrong.Length == 0 && settings.Case is not null && readers.Count != 1)
        {
            wrong = "--case needs the --reader whose case it is";
        }

        return wrong.Length == 0;
    }
}
