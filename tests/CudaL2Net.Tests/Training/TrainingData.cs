using CudaL2Net.Data;
using CudaL2Net.Numerics;

namespace CudaL2Net.Tests.Training;

/// <summary>Small patch sets: each point is a few blobs, seen several times with shifts and noise.</summary>
internal static class TrainingData
{
    public static PatchSet Blobs(int points, int views = 2, bool centres = false, ulong seed = 1)
    {
        var pixels = new byte[points * views * PatchSet.Area];
        var ids = new int[points * views];
        for (int p = 0; p < points; p++)
        {
            var random = new PhiloxStream(seed, DrawPurpose.Scene, (uint)p);
            var blobs = new (float X, float Y, float Size, float Height)[6];
            for (int i = 0; i < blobs.Length; i++)
            {
                blobs[i] = (random.Next(0, 32), random.Next(0, 32), random.Next(2, 8), random.Next(-100, 100));
            }

            for (int v = 0; v < views; v++)
            {
                int patch = (p * views) + v;
                ids[patch] = p;
                float shiftX = random.Next(-1, 1), shiftY = random.Next(-1, 1);
                for (int k = 0; k < PatchSet.Area; k++)
                {
                    float value = 128 + random.Next(-8, 8);
                    foreach ((float x, float y, float size, float height) in blobs)
                    {
                        float dx = ((k % 32) - x - shiftX) / size, dy = ((k / 32) - y - shiftY) / size;
                        value += height * MathF.Exp(-(dx * dx) - (dy * dy));
                    }

                    pixels[(patch * PatchSet.Area) + k] = (byte)Math.Clamp(value, 0, 255);
                }
            }
        }

        return new PatchSet(pixels, ids, centres ? (byte[])pixels.Clone() : null);
    }
}
