namespace CudaL2Net.Tests.Cli.Faults;

/// <summary>What tests of faults on purpose share: a network that costs next to nothing, and how long they may take.</summary>
internal static class FaultyRuns
{
    /// <summary>A network as JSON.</summary>
    public const string TinyNetwork = """
        {
          "name": "tiny",
          "towers": [ { "layers": [
            { "type": "convolution", "out": 8, "kernel": 8, "stride": 8 },
            { "type": "batchNormalization" },
            { "type": "relu" },
            { "type": "linear", "out": 16 },
            { "type": "unitVector" } ] } ]
        }
        """;

    /// <summary>Whether every place of a run gets its fault, instead of a few: CUDAL2NET_LONG=1.</summary>
    public static bool Long => Environment.GetEnvironmentVariable("CUDAL2NET_LONG") == "1";

    /// <summary>The places from 1 to a number that get a fault: all, or so many that lie evenly between, the first and the last ones among them.</summary>
    public static IEnumerable<long> Places(long all, int few) => Long || all <= few
        ? Enumerable.Range(1, (int)all).Select(place => (long)place)
        : Enumerable.Range(0, few).Select(i => 1 + (i * (all - 1) / (few - 1)));
}
