using System.Text.Json;
using System.Text.Json.Serialization;
using CudaL2Net.Data;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>The JSON of a network's parts, by code that the compiler makes: reflection would cost a quarter of a second at each start.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    Converters =
    [
        typeof(CamelCaseEnum<PatchNormalization>), typeof(CamelCaseEnum<PatchView>), typeof(CamelCaseEnum<PoolKind>), typeof(CamelCaseEnum<HeadKind>),
        typeof(CamelCaseEnum<DescriptorComparison>),
    ])]
[JsonSerializable(typeof(NetworkInput))]
[JsonSerializable(typeof(TowerSettings))]
[JsonSerializable(typeof(HeadSettings))]
[JsonSerializable(typeof(Convolution))]
[JsonSerializable(typeof(Linear))]
[JsonSerializable(typeof(BatchNormalization))]
[JsonSerializable(typeof(Relu))]
[JsonSerializable(typeof(Tanh))]
[JsonSerializable(typeof(PixelScale))]
[JsonSerializable(typeof(Pooling))]
[JsonSerializable(typeof(SubtractiveNormalization))]
[JsonSerializable(typeof(FilterResponseNormalization))]
[JsonSerializable(typeof(Dropout))]
[JsonSerializable(typeof(LocalResponseNormalization))]
[JsonSerializable(typeof(UnitVector))]
internal sealed partial class NetworkJson : JsonSerializerContext;

/// <summary>A tower without its layers.</summary>
internal sealed record TowerSettings(PatchView View = PatchView.Whole, bool Trained = true);

/// <summary>A head without its layers.</summary>
internal sealed record HeadSettings(
    HeadKind Kind = HeadKind.Descriptor, DescriptorComparison Comparison = DescriptorComparison.L2, bool UnitVectors = true);

/// <summary>Enumerations by the names of their members, never by numbers.</summary>
/// <typeparam name="T">The enumeration.</typeparam>
internal sealed class CamelCaseEnum<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase, allowIntegerValues: false)
    where T : struct, Enum;
