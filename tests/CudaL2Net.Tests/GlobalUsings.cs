global using CudaL2Net.Cli.Benchmarks.Reference;
global using NUnit.Framework;
