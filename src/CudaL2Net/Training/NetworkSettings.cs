using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Training;

/// <summary>Short names for changes of a network's layers: <c>network</c>, <c>dropout</c>, <c>epsilon</c>, <c>bias</c>, <c>learnedAffine</c>,
/// <c>normalization</c>. Files of earlier versions say by these what the network was.</summary>
internal static class NetworkSettings
{
    /// <summary>The names.</summary>
    public static IReadOnlyList<string> Names { get; } = ["network", "dropout", "epsilon", "bias", "learnedAffine", "normalization"];

    /// <summary>A network with one setting changed.</summary>
    /// <exception cref="ArgumentException">The value does not fit the setting.</exception>
    public static Network Change(Network network, LossOptions loss, string name, string value)
    {
        return name switch
        {
            "network" => NetworkFile.Find(value),
            "dropout" => WithDropout(network, Number()),
            "epsilon" => network.With(layer => layer is BatchNormalization normalization ? normalization with { Epsilon = Number() } : layer),
            "bias" => network.With(layer => layer switch
            {
                Convolution convolution => convolution with { Bias = Flag() },
                Linear linear => linear with { Bias = Flag() },
                _ => layer,
            }),
            "learnedAffine" => WithLearned(network, loss, Flag()),
            _ => network with
            {
                Input = network.Input with
                {
                    Normalization = Enum.TryParse(value, ignoreCase: true, out PatchNormalization normalization) && Enum.IsDefined(normalization)
                        ? normalization
                        : throw new ArgumentException($"the setting 'normalization' cannot be '{value}': it is one of {string.Join(", ", Enum.GetNames<PatchNormalization>())}"),
                },
            },
        };

        float Number() => NumberText.TryParse(value, out float number)
            ? number
            : throw new ArgumentException($"the setting '{name}' cannot be '{value}': it is {NumberText.Expected<float>()}");

        bool Flag() => bool.TryParse(value, out bool flag) ? flag : throw new ArgumentException($"the setting '{name}' cannot be '{value}': it is true or false");
    }

    /// <summary>Options as this version writes them: those of earlier versions have settings in place of the network.</summary>
    public static JsonObject Modernize(JsonObject root)
    {
        if (root.ContainsKey("network") || !root.ContainsKey("architecture"))
        {
            return root;
        }

        bool l2NetLoss = (string?)root["loss"]?["family"] == "l2Net";
        int[] taps = l2NetLoss && root["loss"]!["intermediateLayers"] is JsonArray layers ? [.. layers.Select(layer => (int)layer!)] : [];
        bool affine = (bool?)root["learnedAffine"] ?? false;
        Network network = L2NetTower.Network(
            (string?)root["architecture"] == "centreSurround",
            (string?)root["normalization"] == "l2Net" ? PatchNormalization.L2Net : PatchNormalization.PerPatch,
            (bool?)root["bias"] ?? false,
            (float?)root["epsilon"] ?? 1e-5f,
            [.. L2NetTower.Convolutions.Select((_, i) => affine && !taps.Contains(i + 1))],
            (float?)root["dropout"] ?? 0);
        JsonObject modern = root.DeepClone().AsObject();
        foreach (string old in Names.Append("architecture"))
        {
            modern.Remove(old);
        }

        modern["network"] = NetworkFile.ToNode(network);
        return modern;
    }

    private static Network WithDropout(Network network, float rate)
    {
        bool has = network.Towers.Any(tower => tower.Layers.Any(layer => layer is Dropout));
        return network with { Towers = [.. network.Towers.Select(tower => tower with { Layers = Change(tower.Layers) })] };

        IReadOnlyList<Layer> Change(IReadOnlyList<Layer> layers)
        {
            if (has)
            {
                return rate == 0 ? [.. layers.Where(layer => layer is not Dropout)]
                    : [.. layers.Select(layer => layer is Dropout dropout ? dropout with { Rate = rate } : layer)];
            }

            int last = layers.ToList().FindLastIndex(layer => layer is Convolution or Linear);
            return rate == 0 || last < 0 ? layers : [.. layers.Take(last), new Dropout { Rate = rate }, .. layers.Skip(last)];
        }
    }

    // Scale and shift before E3 stay fixed: figure 3 of L2-Net.
    private static Network WithLearned(Network network, LossOptions loss, bool learned) => network with
    {
        Towers = [.. network.Towers.Select(tower =>
        {
            int number = 0;
            return tower with
            {
                Layers = [.. tower.Layers.Select(layer => layer is BatchNormalization normalization
                    ? normalization with { Learned = learned && !(loss.IntermediateLayers.Contains(++number) && loss.Family == LossFamily.L2Net) }
                    : layer)],
            };
        })],
    };
}

/// <summary>A network inside other JSON.</summary>
internal sealed class NetworkConverter : JsonConverter<Network>
{
    public override Network Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
    {
        try
        {
            return NetworkFile.FromNode(JsonNode.Parse(ref reader));
        }
        catch (ArgumentException error)
        {
            throw new JsonException(error.Message, error);
        }
    }

    public override void Write(Utf8JsonWriter writer, Network value, JsonSerializerOptions options) => NetworkFile.ToNode(value).WriteTo(writer);
}
