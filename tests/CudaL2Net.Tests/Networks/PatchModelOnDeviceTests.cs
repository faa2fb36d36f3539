using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Reference;
using CudaL2Net.Tests.Training;

namespace CudaL2Net.Tests.Networks;

/// <summary>Patches that are in the memory of the model's device: what comes out has the bits of what comes out for patches in host memory.</summary>
public sealed class PatchModelOnDeviceTests(string name) : DeviceTests(name)
{
    private static readonly byte[] Patches = TrainingData.Blobs(19, views: 1).Pixels;

    [Test]
    public void AnyNetworkOfOneTowerDescribesThem([Values("plan", "tape", "cosine")] string kind)
    {
        Network network = kind == "plan" ? TestNetworks.Small : NetworkFile.Parse(
            $$"""
            { "name": "{{kind}}", "towers": [{ "layers": [{ "type": "convolution", "out": 8, "kernel": 7, "stride": 5, "bias": true }, { "type": "tanh" }] }],
              "head": { "unitVectors": false, "comparison": "{{(kind == "tape" ? "l2" : "cosine")}}" } }
            """,
            "test");
        using PatchModel model = PatchModel.CreateRandom(network, 1, device);
        using Tensor<byte> pixels = device.Upload<byte>(Patches, 19, 32, 32);
        using Tensor<float> descriptors = device.Allocate<float>(19, model.Dimension);
        model.Describe(pixels, descriptors);
        float[] expected = model.Describe(Patches, 32);
        Assert.That(expected, Has.Some.Not.Zero);
        Assert.That(descriptors.ToArray(), kind == "cosine" ? Is.EqualTo(expected).Within(1e-6f) : Is.EqualTo(expected));

        using Tensor<float> three = device.Allocate<float>(3, model.Dimension);
        model.Describe(pixels.Rows(16, 3), three);
        Assert.That(three.ToArray(), kind == "cosine" ? Is.EqualTo(expected[(16 * model.Dimension)..]).Within(1e-6f) : Is.EqualTo(expected[(16 * model.Dimension)..]));
    }

    [Test]
    public void SignsAreThoseOfTheDescriptors()
    {
        using PatchModel model = PatchModel.CreateRandom(TestNetworks.Small, 1, device);
        using Tensor<byte> pixels = device.Upload<byte>(Patches, 19, 32, 32), signs = device.Allocate<byte>(19, model.Dimension / 8);
        model.DescribeBinary(pixels, signs);
        Assert.That(signs.ToArray(), Is.EqualTo(model.DescribeBinary(Patches, 32)));
    }

    [Test]
    public void WhatSeesSeveralViewsTakesPatchesOfTheHost()
    {
        using PatchModel model = PatchModel.CreateRandom(TestNetworks.CentreSurround, 1, device);
        using Tensor<byte> pixels = device.Allocate<byte>(1, 64, 64);
        using Tensor<float> descriptors = device.Allocate<float>(1, model.Dimension);
        Assert.That(() => model.Describe(pixels, descriptors), Throws.InvalidOperationException.With.Message.Contains("several views"));
    }

    [Test]
    public unsafe void MemoryThatIsWrappedIsUsedWhereItLiesAndLeftThere()
    {
        if (device.Name != "cpu")
        {
            Assert.Ignore("ForeignContextTests has device pointers");
        }

        nint memory = (nint)System.Runtime.InteropServices.NativeMemory.AlignedAlloc(64, 16);
        using (Tensor<int> tensor = device.Wrap<int>(memory, 2, 4))
        {
            tensor.Write([1, 2, 3, 4, 5, 6, 7, 8]);
            Assert.That(tensor.Rows(1, 1).ToArray(), Is.EqualTo(new[] { 5, 6, 7, 8 }));
            Assert.That(tensor.DevicePointer, Is.EqualTo(memory));
        }

        Assert.That(new ReadOnlySpan<int>((void*)memory, 8).ToArray(), Is.EqualTo(new[] { 1, 2, 3, 4, 5, 6, 7, 8 }));
        System.Runtime.InteropServices.NativeMemory.AlignedFree((void*)memory);
    }
}
