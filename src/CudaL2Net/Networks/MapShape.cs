namespace CudaL2Net.Networks;

/// <summary>The size of the map that a layer reads or writes, for one patch.</summary>
/// <param name="Height">Rows.</param>
/// <param name="Width">Columns.</param>
/// <param name="Channels">Channels.</param>
public readonly record struct MapShape(int Height, int Width, int Channels)
{
    /// <summary>The number of values.</summary>
    public long Length => (long)Height * Width * Channels;

    /// <summary>As in <c>16 x 16 x 64</c>.</summary>
    public override string ToString() => Height == 1 && Width == 1 ? $"{Channels}" : $"{Height} x {Width} x {Channels}";
}
