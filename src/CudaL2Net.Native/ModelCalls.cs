using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using CudaL2Net.Networks;

namespace CudaL2Net.Native;

/// <summary>A model of the caller's.</summary>
internal sealed class ModelEntry(PatchModel model, DeviceEntry home) : IDisposable
{
    public PatchModel Model { get; } = model;

    public DeviceEntry Home { get; } = home;

    public NativeText Network { get; } = new(model.Network.Name);

    public NativeText Metadata { get; } = new(Json(model.Metadata));

    public void Dispose()
    {
        Model.Dispose();
        Network.Dispose();
        Metadata.Dispose();
    }

    private static string Json(IReadOnlyDictionary<string, string> metadata)
    {
        using var text = new MemoryStream();
        using (var writer = new Utf8JsonWriter(text))
        {
            writer.WriteStartObject();
            foreach ((string name, string value) in metadata)
            {
                writer.WriteString(name, value);
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.ToArray());
    }
}

/// <summary>The table's functions about models.</summary>
internal static unsafe class ModelCalls
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Load(nint device, byte* path, nint* model) =>
        Guard.Run(() => Open(device, model, () => ModelFile.Read(Argument.Text(path, "path"))));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint LoadMemory(nint device, void* data, long size, nint* model) => Guard.Run(() => Open(device, model, () =>
    {
        Argument.Count(size, "size");
        Argument.Output(data, "data");
        using var stream = new UnmanagedMemoryStream((byte*)data, size);
        return ModelFile.Read(stream, "the model in memory");
    }));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint LoadDefault(nint device, nint* model) => Guard.Run(() => Open(device, model, PatchModel.ReadDefault));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Info(nint model, ModelInfo* info) => Guard.Run(() =>
    {
        Argument.Output(info, "info");
        *info = default;
        ModelEntry entry = Handles.Get<ModelEntry>(model);
        *info = new ModelInfo
        {
            Dimension = entry.Model.Dimension,
            PatchSide = entry.Model.PatchSide,
            ScoresPairs = entry.Model.ScoresPairs ? 1 : 0,
            BinaryBytes = entry.Model.Dimension / 8,
            PatchScale = entry.Model.PatchScale,
            Network = entry.Network.Address,
            Metadata = entry.Metadata.Address,
        };
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Release(nint model) => Guard.Run(() =>
    {
        if (model != 0)
        {
            Handles.Remove<ModelEntry>(model).Dispose();
        }
    });

    private static void Open(nint device, nint* model, Func<ModelFile> read)
    {
        Argument.Output(model, "model");
        *model = 0;
        DeviceEntry home = Handles.Get<DeviceEntry>(device);
        var loaded = new PatchModel(read(), home.Device);
        try
        {
            *model = Handles.Add(new ModelEntry(loaded, home));
        }
        catch
        {
            loaded.Dispose();
            throw;
        }
    }
}
