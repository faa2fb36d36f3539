using BenchmarkDotNet.Running;
using CudaL2Net.Benchmarks.Operations;

// `./build.sh bench operations`: BenchmarkDotNet's suites of the CPU operations; takes its arguments (--filter '*Convolution*', --list flat).
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args.Length == 0 ? ["--filter", "*"] : args, new OperationsConfig());
