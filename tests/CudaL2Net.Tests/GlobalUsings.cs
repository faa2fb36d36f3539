global using CudaL2Net.Reference;
global using NUnit.Framework;
