using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using BenchmarkDotNet.Running;
using CudaL2Net.Benchmarks;
using CudaL2Net.Benchmarks.Operations;

// `./build.sh bench NAME`: the benchmarks of this folder; see README.md beside it.
if (args is ["operations", ..])
{
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args.Length == 1 ? ["--filter", "*"] : args[1..], new OperationsConfig());
    return 0;
}

var benchmarks = new (string Name, string Description, Func<Settings, IEnumerable<Table>> Run)[]
{
    ("fma", "The machine's rate of fused multiply-adds, which bounds the convolutions.", FmaBenchmark.Run),
    ("convolution", "The three passes of L2-Net's convolutions as shares of that rate.", ConvolutionBenchmark.Run),
    ("ladder", "One layer from plain loops to the library's kernel, step by step.", LadderBenchmark.Run),
    ("describe", "Describing 2,048 patches: this library and ONNX Runtime, in turn.", DescribeBenchmark.Run),
    ("train", "The training step: patches/s, allocation, and the time of each kernel.", TrainBenchmark.Run),
};
var threads = new Option<int[]>("--threads")
{
    Description = "Numbers of threads to measure with (default: 1 and one a core).",
    HelpName = "N",
    AllowMultipleArgumentsPerToken = true,
    DefaultValueFactory = _ => [.. new[] { 1, Environment.ProcessorCount }.Distinct()],
};
var rounds = new Option<int>("--rounds") { Description = "Measurements of each figure, whose median counts.", HelpName = "N", DefaultValueFactory = _ => 9 };
var preset = new Option<string>("--preset")
{
    Description = "The training preset that `train` measures.",
    HelpName = "NAME",
    DefaultValueFactory = _ => "hardnet-200k",
};
var json = new Option<FileInfo?>("--json") { Description = "Also write the figures to this file.", HelpName = "FILE" };
var markdown = new Option<FileInfo?>("--markdown") { Description = "Also write the tables to this file.", HelpName = "FILE" };
threads.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int[]>() is { } counts && counts.Any(count => count < 1))
    {
        result.AddError("--threads: at least 1");
    }
});
rounds.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int>() < 1)
    {
        result.AddError("--rounds: at least 1");
    }
});

var root = new RootCommand("Benchmarks of CudaL2Net on the CPU.");
foreach ((string name, string description, var run) in benchmarks)
{
    root.Add(Command(name, description, run));
}

root.Add(Command("all", "All of the above, one after another.", settings => benchmarks.SelectMany(benchmark => benchmark.Run(settings))));
root.Add(new Command("operations", "BenchmarkDotNet suites of every operation; takes BenchmarkDotNet's arguments (--filter '*Conv*')."));
return root.Parse(args.Length == 0 ? ["--help"] : args).Invoke();

Command Command(string name, string description, Func<Settings, IEnumerable<Table>> run)
{
    var command = new Command(name, description) { threads, rounds, preset, json, markdown };
    command.SetAction(line =>
    {
        var machine = Machine.Current();
        Console.WriteLine($"{machine}\n");
        var tables = new List<Table>();
        foreach (Table table in run(new Settings(line.GetRequiredValue(threads), line.GetRequiredValue(rounds), line.GetRequiredValue(preset))))
        {
            Console.WriteLine(table.ToMarkdown());
            tables.Add(table);
        }

        if (line.GetValue(markdown) is { } text)
        {
            File.WriteAllText(text.FullName, $"{machine}\n\n{string.Join('\n', tables.Select(table => table.ToMarkdown()))}");
        }

        if (line.GetValue(json) is { } file)
        {
            var options = new JsonSerializerOptions
            {
                WriteIndented = true,
                PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
                NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
            };
            var report = new { machine, tables = tables.Select(table => new { table.Title, table.Rows }) };
            File.WriteAllText(file.FullName, JsonSerializer.Serialize(report, options) + "\n");
        }
    });
    return command;
}
