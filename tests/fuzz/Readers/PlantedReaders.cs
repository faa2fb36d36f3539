using System.Diagnostics;
using System.Text;

namespace CudaL2Net.Fuzz.Readers;

/// <summary>Readers with a fault each, by which the tests see that faults are found. They read the undamaged file, which is case 0.</summary>
internal static class PlantedReaders
{
    private const string Right = "right";

    public static Reader Throws(string name) => Planted(name, _ => throw new InvalidCastException("planted"));

    public static Reader Unnamed(string name) => Planted(name, _ => throw new InvalidDataException("something is wrong"));

    public static Reader Careless(string name) => Planted(name, _ => { }) with { Promise = Promise.NoticesAll };

    public static Reader Greedy(string name) => Planted(name, _ =>
    {
        for (int i = 0; i < 10; i++)
        {
            GC.KeepAlive(new byte[64 << 20]);
        }
    });

    public static Reader Dies(string name) => Planted(name, _ => Process.GetCurrentProcess().Kill());

    private static Reader Planted(string name, Action<string> otherwise) => new(name, "file.txt",
        [new("right", Encoding.UTF8.GetBytes(Right))], (path, digest) =>
    {
        string text = File.ReadAllText(path);
        if (text != Right)
        {
            otherwise(path);
        }

        digest.Add(text);
    });
}
