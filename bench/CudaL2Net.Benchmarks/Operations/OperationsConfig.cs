using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using CudaL2Net.Bench.Measuring;
using Perfolizer.Horology;

namespace CudaL2Net.Benchmarks.Operations;

/// <summary>In this process, so that no project is built a second time; with the rate of the arithmetic and its share of the machine's.</summary>
internal sealed class OperationsConfig : ManualConfig
{
    public OperationsConfig()
    {
        AddLogger(ConsoleLogger.Default);
        AddColumnProvider(DefaultColumnProviders.Descriptor, DefaultColumnProviders.Params, DefaultColumnProviders.Statistics);
        AddColumn(new RateColumn(share: false), new RateColumn(share: true));
        AddExporter(MarkdownExporter.GitHub, BenchmarkDotNet.Exporters.Json.JsonExporter.FullCompressed);
        AddJob(Job.ShortRun.WithIterationTime(TimeInterval.FromMilliseconds(100)).WithToolchain(InProcessEmitToolchain.Instance));
        WithOptions(ConfigOptions.DisableLogFile);
    }

    /// <summary>GFLOP/s, or their share of the rate of fused multiply-adds, where a suite says how many operations it does.</summary>
    private sealed class RateColumn(bool share) : IColumn
    {
        private static readonly Dictionary<int, double> Peaks = [];

        public string Id => ColumnName;

        public string ColumnName => share ? "Share" : "GFLOP/s";

        public bool AlwaysShow => true;

        public ColumnCategory Category => ColumnCategory.Custom;

        public int PriorityInCategory => share ? 1 : 0;

        public bool IsNumeric => true;

        public UnitType UnitType => UnitType.Dimensionless;

        public string Legend => share
            ? "Share of the machine's rate of fused multiply-adds with as many threads"
            : "Floating-point operations by the median time";

        public bool IsAvailable(Summary summary) => true;

        public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase) => GetValue(summary, benchmarkCase, SummaryStyle.Default);

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style)
        {
            var suite = (OperationSuite)Activator.CreateInstance(benchmarkCase.Descriptor.Type)!;
            foreach (BenchmarkDotNet.Parameters.ParameterInstance parameter in benchmarkCase.Parameters.Items)
            {
                suite.GetType().GetProperty(parameter.Name)!.SetValue(suite, parameter.Value);
            }

            double flop = suite.Flop(benchmarkCase.Descriptor.WorkloadMethod.Name);
            if (flop == 0 || summary[benchmarkCase]?.ResultStatistics is not { } statistics)
            {
                return "-";
            }

            double rate = flop / statistics.Median;
            return share ? (rate / Peak(suite.Threads)).ToString("0%", CultureInfo.InvariantCulture) : rate.ToString("0", CultureInfo.InvariantCulture);
        }

        private static double Peak(int threads) => Peaks.TryGetValue(threads, out double peak) ? peak : Peaks[threads] = CpuPeaks.MultiplyAdds(threads) / 1e9;
    }
}
