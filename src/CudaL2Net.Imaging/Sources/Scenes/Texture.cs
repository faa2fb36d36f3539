using System.Runtime.CompilerServices;
using CudaL2Net.Numerics;

namespace CudaL2Net.Imaging.Sources.Scenes;

/// <summary>A painted plane: the grey level (about 0 to 1) at every pixel of a scene.</summary>
internal abstract class Texture(NoiseTiles noise, PlaneMap map)
{
    protected NoiseTiles Noise { get; } = noise;

    /// <summary>Grey levels of the pixels (x, y) .. (x + values.Length - 1, y).</summary>
    public void Row(int x, int y, Span<float> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            (float u, float v) = map.Apply(x + i, y);
            values[i] = At(u, v);
        }
    }

    /// <summary>The grey level at (u, v) of the plane, in pixels of about the scene's.</summary>
    public abstract float At(float u, float v);

    /// <summary>Four independent numbers in [0, 1) of an integer cell.</summary>
    protected static (float A, float B, float C, float D) Hash(int column, int row, uint salt)
    {
        uint h = ((uint)column * 0x9E3779B1u) ^ ((uint)row * 0x85EBCA77u) ^ salt;
        h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
        h = (h ^ (h >> 12)) * 0x297A2D39u;
        h ^= h >> 15;
        uint g = (h * 0x9E3779B1u) + 0x7F4A7C15u;
        g ^= g >> 16;
        return ((h & 0xFFFF) / 65536f, (h >> 16) / 65536f, (g & 0xFFFF) / 65536f, (g >> 16) / 65536f);
    }

    /// <summary>0 below the edge, 1 above it, linear within half a pixel's softness.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected static float Step(float distance, float softness = 1.2f) => Math.Clamp((distance / softness) + 0.5f, 0, 1);
}

/// <summary>A plane seen in mild perspective: pixels of the scene to pixels of the plane.</summary>
internal readonly struct PlaneMap
{
    private readonly float x, y, uu, uv, vu, vv, nu, nv, u0, v0;

    /// <summary>A plane around (x, y), turned, stretched, and tilted as far as the radius of what is painted allows.</summary>
    public PlaneMap(ref PhiloxStream draws, float x, float y, float angle, float radius, float zoom = 1, float stretch = 1, float tilt = 0.4f)
    {
        (this.x, this.y) = (x, y);
        float cos = MathF.Cos(angle) / zoom, sin = MathF.Sin(angle) / zoom;
        (uu, uv, vu, vv) = (cos / stretch, sin / stretch, -sin, cos);
        float reach = tilt / Math.Max(radius, 60);
        (nu, nv) = (draws.Next(-reach, reach), draws.Next(-reach, reach));
        (u0, v0) = (draws.Next(0, 4096), draws.Next(0, 4096));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public (float U, float V) Apply(float px, float py)
    {
        float dx = px - x, dy = py - y;
        float depth = 1 / Math.Max(1 + (nu * dx) + (nv * dy), 0.3f);
        return (u0 + (((uu * dx) + (uv * dy)) * depth), v0 + (((vu * dx) + (vv * dy)) * depth));
    }
}

/// <summary>Fractal noise, plain or bent into veins, contours or blotches, with fine grain.</summary>
internal sealed class FractalTexture : Texture
{
    private readonly int kind, coarse, fine;
    private readonly float level, contrast, grain, bend;

    public FractalTexture(NoiseTiles noise, PlaneMap map, ref PhiloxStream draws, float level, float contrast)
        : base(noise, map)
    {
        (this.level, this.contrast) = (level, contrast);
        kind = draws.Next(5);
        coarse = 2 + draws.Next(NoiseTiles.Count - 2);
        fine = draws.Next(3);
        grain = draws.Next(0.1f, 0.7f);
        bend = draws.Next(1.5f, 5f);
    }

    public override float At(float u, float v)
    {
        float n = Noise.Sample(coarse, u * 0.43f, v * 0.43f);
        n = kind switch
        {
            1 => (2 * MathF.Abs(n)) - 1.2f,
            2 => Math.Abs((((n * bend) + 100) % 2) - 1) * 2,
            3 => Math.Clamp(n * bend, -1, 1),
            _ => n,
        };
        return level + (contrast * (n + (grain * Noise.Sample(fine, u, v))));
    }
}

/// <summary>Stripes of uneven width and tone, straight or wavy, with fine grain of their own.</summary>
internal sealed class StripeTexture : Texture
{
    private readonly uint salt;
    private readonly int tile;
    private readonly float level, contrast, grain, width, wave, duty;

    public StripeTexture(NoiseTiles noise, PlaneMap map, ref PhiloxStream draws, float level, float contrast)
        : base(noise, map)
    {
        (this.level, this.contrast, salt) = (level, contrast, draws.NextUInt());
        width = 5 * MathF.Pow(8, draws.NextSingle());
        wave = draws.NextSingle() < 0.5f ? 0 : draws.Next(0.05f, 0.35f);
        duty = draws.Next(0.25f, 0.75f);
        grain = draws.Next(0.15f, 0.6f);
        tile = draws.Next(4);
    }

    public override float At(float u, float v)
    {
        float s = u / width;
        if (wave > 0)
        {
            s += wave * Noise.Sample(7, u * 0.3f, v * 0.3f);
        }

        int index = (int)MathF.Floor(s);
        (float a, float b, float c, _) = Hash(index, 0, salt);
        float t = s - index, edge = duty * (0.7f + (0.6f * a));
        float inside = Step(Math.Min(t, edge - t) * width);
        float tone = inside * (0.6f + (0.8f * b));
        return level + (contrast * ((2 * tone) - 0.8f + (grain * Noise.Sample(tile, u + (97 * c), v + (211 * b * index)))));
    }
}

/// <summary>Bricks, tiles or a chequerboard: no two cells are alike in tone and fine texture.</summary>
internal sealed class CellTexture : Texture
{
    private readonly uint salt;
    private readonly int tile, tile2;
    private readonly float level, contrast, width, height, shift, joint, jointTone, grain, spread, parity, bevel, rough;

    public CellTexture(NoiseTiles noise, PlaneMap map, ref PhiloxStream draws, float level, float contrast)
        : base(noise, map)
    {
        (this.level, this.contrast, salt) = (level, contrast, draws.NextUInt());
        height = 7 * MathF.Pow(7, draws.NextSingle());
        width = height * draws.Next(1f, 3.2f);
        shift = draws.NextSingle() < 0.6f ? 0.5f : 0;
        joint = draws.Next(0.5f, 0.08f * height + 1);
        jointTone = draws.Next(-1.6f, 1.4f);
        grain = draws.Next(0.3f, 1f);
        spread = draws.Next(0.2f, 1.2f);
        parity = draws.NextSingle() < 0.25f ? draws.Next(0.8f, 2f) : 0;
        bevel = draws.NextSingle() < 0.4f ? draws.Next(0.1f, 0.6f) : 0;
        rough = draws.NextSingle() < 0.5f ? draws.Next(0.5f, 2.5f) : 0;
        tile = draws.Next(4);
        tile2 = 4 + draws.Next(3);
    }

    public override float At(float u, float v)
    {
        if (rough > 0)
        {
            float wobble = rough * Noise.Sample(5, u * 0.5f, v * 0.5f);
            u += wobble;
            v -= wobble;
        }

        int row = (int)MathF.Floor(v / height);
        float column = (u / width) + ((row & 1) * shift);
        int cell = (int)MathF.Floor(column);
        float x = (column - cell) * width, y = v - (row * height);
        (float a, float b, float c, float d) = Hash(cell, row, salt);
        float inset = Math.Min(Math.Min(x, width - x), Math.Min(y, height - y)) - joint;
        float texture = (grain * Noise.Sample(tile, u + (512 * b), v + (512 * c)))
            + (0.5f * Noise.Sample(tile2, (u * 0.6f) + (512 * d), (v * 0.6f) + (512 * a)));
        float face = (spread * ((2 * a) - 1)) + (parity * (((cell + row) & 1) - 0.5f)) + texture + (bevel * (y < height * 0.3f ? 1 : -0.4f));
        float gap = jointTone + (0.4f * Noise.Sample(1, u, v));
        return level + (contrast * (gap + ((face - gap) * Step(inset))));
    }
}

/// <summary>Rows of windows on a wall: each with its own frame, panes, reflection and curtain.</summary>
internal sealed class WindowTexture : Texture
{
    private readonly Texture wall;
    private readonly uint salt;
    private readonly float level, contrast, width, height, openWidth, openHeight, frame, frameTone;
    private readonly int panes;

    public WindowTexture(NoiseTiles noise, PlaneMap map, ref PhiloxStream draws, float level, float contrast, Texture wall)
        : base(noise, map)
    {
        (this.level, this.contrast, this.wall, salt) = (level, contrast, wall, draws.NextUInt());
        width = draws.Next(18f, 80f);
        height = width * draws.Next(0.9f, 1.8f);
        openWidth = draws.Next(0.35f, 0.75f) * width;
        openHeight = draws.Next(0.45f, 0.8f) * height;
        frame = draws.Next(1f, 0.05f * width + 1.5f);
        frameTone = draws.Next(-1.5f, 2f);
        panes = 1 + draws.Next(3);
    }

    public override float At(float u, float v)
    {
        int column = (int)MathF.Floor(u / width), row = (int)MathF.Floor(v / height);
        float x = u - ((column + 0.5f) * width), y = v - ((row + 0.5f) * height);
        float inset = Math.Min((openWidth * 0.5f) - Math.Abs(x), (openHeight * 0.5f) - Math.Abs(y));
        float outside = wall.At(u, v);
        if (inset < -1)
        {
            return outside;
        }

        (float a, float b, float c, float d) = Hash(column, row, salt);
        float pane = openWidth / panes, bar = (x + (openWidth * 0.5f)) % pane;
        float bars = Math.Min(Math.Min(bar, pane - bar), Math.Abs(y + (openHeight * (0.2f - (0.4f * d)))));
        float glass = (2.2f * a * a) - 1.6f + (0.8f * (b - 0.5f) * (x + y) / openWidth) + ((0.2f + (0.7f * c)) * Noise.Sample(4, u + (512 * a), v + (512 * b)));
        if (c < 0.4f)
        {
            // A blind, down to a height of its own.
            float slat = 3 + (4 * d), position = y + (openHeight * 0.5f);
            glass = position < openHeight * b ? 0.9f + (0.5f * (Math.Abs((position % slat) - (slat * 0.5f)) / slat)) - a : glass;
        }

        float framed = frameTone + (0.3f * Noise.Sample(1, u + (90 * a), v));
        float inner = framed + ((glass - framed) * Step(Math.Min(inset - frame, bars - (frame * 0.4f))));
        float value = level + (contrast * inner);
        return outside + ((value - outside) * Step(inset));
    }
}

/// <summary>A rod lit from the side: shading across it, fine texture and rings along it. The v axis runs along the rod.</summary>
internal sealed class RodTexture : Texture
{
    private readonly uint salt;
    private readonly float level, contrast, centre, radius, light, ring, grain;
    private readonly int tile;

    public RodTexture(NoiseTiles noise, PlaneMap map, ref PhiloxStream draws, float level, float contrast, float centre, float radius)
        : base(noise, map)
    {
        (this.level, this.contrast, this.centre, this.radius, salt) = (level, contrast, centre, radius, draws.NextUInt());
        light = draws.Next(-0.8f, 0.8f);
        ring = draws.NextSingle() < 0.4f ? draws.Next(8f, 60f) : 0;
        grain = draws.Next(0.2f, 0.9f);
        tile = draws.Next(5);
    }

    public override float At(float u, float v)
    {
        float across = Math.Clamp((u - centre) / radius, -1.5f, 1.5f) - light;
        float value = 1.2f - (1.4f * across * across) + (grain * Noise.Sample(tile, u * 1.3f, v));
        if (ring > 0)
        {
            int index = (int)MathF.Floor(v / ring);
            (float a, float b, _, _) = Hash(index, 7, salt);
            float t = (v / ring) - index - (0.2f + (0.6f * a));
            value -= (0.5f + b) * Step(2 - (Math.Abs(t) * ring));
        }

        return level + (contrast * value);
    }
}

/// <summary>Pebbles, scales or cracked ground: cells around scattered centres, each with its own tone and grain.</summary>
internal sealed class PebbleTexture : Texture
{
    private readonly uint salt;
    private readonly float level, contrast, size, grain, gap, dome;

    public PebbleTexture(NoiseTiles noise, PlaneMap map, ref PhiloxStream draws, float level, float contrast)
        : base(noise, map)
    {
        (this.level, this.contrast, salt) = (level, contrast, draws.NextUInt());
        size = 7 * MathF.Pow(6, draws.NextSingle());
        grain = draws.Next(0.2f, 0.7f);
        gap = draws.Next(0.5f, 3f);
        dome = draws.NextSingle() < 0.6f ? draws.Next(0.5f, 1.5f) : 0;
    }

    public override float At(float u, float v)
    {
        float x = u / size, y = v / size;
        int column = (int)MathF.Floor(x), row = (int)MathF.Floor(y);
        float first = 9, second = 9, tone = 0, other = 0;
        for (int j = row - 1; j <= row + 1; j++)
        {
            for (int i = column - 1; i <= column + 1; i++)
            {
                (float a, float b, float c, float d) = Hash(i, j, salt);
                float dx = x - i - a, dy = y - j - b, distance = (dx * dx) + (dy * dy);
                if (distance < first)
                {
                    (first, second, tone, other) = (distance, first, c, d);
                }
                else if (distance < second)
                {
                    second = distance;
                }
            }
        }

        float border = (MathF.Sqrt(second) - MathF.Sqrt(first)) * size;
        float face = (2 * tone) - 0.8f - (dome * first) + (grain * Noise.Sample(1, u + (512 * tone), v + (512 * other)));
        return level + (contrast * (-1.2f + ((face + 1.2f) * Step(border - gap, 2))));
    }
}
