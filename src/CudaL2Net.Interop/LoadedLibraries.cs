using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace CudaL2Net.Interop;

/// <summary>The libraries that this assembly's imports are found in. They are loaded when they are first needed, from places that a variable can name, so
/// the imports' own names say nothing.</summary>
internal static class LoadedLibraries
{
    private static readonly ConcurrentDictionary<string, nint> Handles = new();

    static LoadedLibraries() => NativeLibrary.SetDllImportResolver(typeof(LoadedLibraries).Assembly, (name, _, _) => Handles.GetValueOrDefault(name));

    /// <summary>Lets imports of this name find what is loaded, unless they already do.</summary>
    public static void Add(string import, Func<nint> load) => Handles.GetOrAdd(import, _ => load());
}
