using CudaL2Net.Formats;
using CudaL2Net.Formats.PyTorch;
using CudaL2Net.Formats.Torch7;

namespace CudaL2Net.Networks;

/// <summary>Networks of Lua's Torch 7: a chain of modules, or a table with one. Images of means and deviations stand beside it (<c>mean</c>, <c>std</c>).</summary>
internal static class Torch7Weights
{
    private const string Chain = "nn.Sequential";

    /// <summary>Reads the layers.</summary>
    /// <param name="root">What the file holds.</param>
    /// <exception cref="ContentException">There is no network, or one with a module that is not known.</exception>
    public static ForeignNetwork Read(object? root)
    {
        Torch7Table? table = root as Torch7Table;
        Torch7Object[] networks = table is null
            ? [.. new[] { root }.OfType<Torch7Object>()]
            : [.. table.Entries.Select(entry => entry.Value).OfType<Torch7Object>().Where(value => value.Class == Chain)];
        if (networks is not [{ Class: Chain } network])
        {
            throw new ContentException($"it holds {networks.Length} networks of the class {Chain}, and one is expected");
        }

        return new ForeignNetwork(ForeignProgram.Torch7, [ForeignTower.Of(
            Layers(network, []), (table?["mean"] as TorchTensor)?.ToFloats(), (table?["std"] as TorchTensor)?.ToFloats())]);
    }

    private static IEnumerable<ForeignLayer> Layers(Torch7Object chain, HashSet<Torch7Object> seen)
    {
        if (chain.Fields["modules"] is not Torch7Table modules)
        {
            throw new ContentException($"a module of the class {Chain} has no modules");
        }

        // Chains lie in one another. One that holds itself would have no end.
        if (!seen.Add(chain))
        {
            throw new ContentException($"a module of the class {Chain} stands in two places");
        }

        return modules.List.SelectMany(module => module switch
        {
            Torch7Object { Class: Chain } inner => Layers(inner, seen),
            Torch7Object other => Layer(other),
            _ => throw new ContentException("a chain of modules holds something else"),
        });
    }

    private static IEnumerable<ForeignLayer> Layer(Torch7Object module)
    {
        string name = module.Class[(module.Class.IndexOf('.') + 1)..];
        switch (name)
        {
            case "SpatialConvolution" or "SpatialConvolutionMM":
                int[] shape = [Size("nOutputPlane"), Size("nInputPlane"), Size("kH"), Size("kW")];
                return [new ForeignLayer(name, ForeignKind.Convolution, shape, WithBias("filters"))];
            case "Linear":
                return [new ForeignLayer(name, ForeignKind.Linear, Tensor("weight").Shape.ToArray(), WithBias("weights"))];
            case "SpatialSubtractiveNormalization":
                TorchTensor kernel = Tensor("kernel");
                return [new ForeignLayer(name, ForeignKind.SubtractiveNormalization, kernel.Shape.ToArray(), new Dictionary<string, float[]>
                {
                    ["weights"] = kernel.ToFloats(),
                })];
            case "Tanh" or "ReLU" or "SpatialLPPooling" or "SpatialMaxPooling" or "SpatialAveragePooling" or "Reshape" or "View" or "Normalize" or "Dropout":
                return [];
            default:
                throw new ContentException($"a module is of the class {module.Class}, which is not known");
        }

        int Size(string field) => module.Fields[field] is double value and >= 1 and <= 65536 && value == Math.Floor(value)
            ? (int)value
            : throw new ContentException($"the {field} of a {name} is no size");

        TorchTensor Tensor(string field) => module.Fields[field] as TorchTensor ?? throw new ContentException($"a {name} has no tensor {field}");

        Dictionary<string, float[]> WithBias(string weights)
        {
            var tensors = new Dictionary<string, float[]> { [weights] = Tensor("weight").ToFloats() };
            if (module.Fields["bias"] is TorchTensor bias)
            {
                tensors["bias"] = bias.ToFloats();
            }

            return tensors;
        }
    }
}
