using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Sources.Scenes;

/// <summary>One scene while it is drawn, from the back to the front.</summary>
internal sealed class Scene(PhiloxStream draws, NoiseTiles noise, int width, int height)
{
    private const int FractionBits = 4;

    private readonly float[] canvas = new float[width * height];
    private readonly float[] line = new float[width];
    private PhiloxStream draws = draws;

    public Mat Draw()
    {
        // How built-up a scene is, and how full of small things, differs from scene to scene.
        float built = draws.NextSingle(), leafy = draws.NextSingle(), full = draws.NextSingle();
        Rect whole = new(0, 0, width, height);
        Paint(Corners(whole), AnyTexture(width / 2f, height / 2f, Angle(built), width, built));
        int planes = 1 + draws.Next(4);
        for (int i = 0; i < planes; i++)
        {
            DrawPlane(built);
        }

        int shapes = (int)(40 + (200 * full * full));
        for (int i = 0; i < shapes; i++)
        {
            DrawShape(built);
        }

        Repeat(leafy > 0.5f ? 1 + draws.Next(4) : 0, DrawFoliage);
        Repeat(draws.NextSingle() < 0.3f + (0.5f * built) ? 1 + draws.Next(3) : 0, DrawFence);
        Repeat(draws.NextSingle() < 0.5f ? 1 + draws.Next(3) : 0, DrawSign);
        for (int i = 0; i < shapes / 4; i++)
        {
            DrawShape(built);
        }

        return Expose();
    }

    private static void Repeat(int times, Action draw)
    {
        for (int i = 0; i < times; i++)
        {
            draw();
        }
    }

    private static Point2f[] Corners(Rect box) =>
        [new(box.Left - 1, box.Top - 1), new(box.Right + 1, box.Top - 1), new(box.Right + 1, box.Bottom + 1), new(box.Left - 1, box.Bottom + 1)];

    private static Point2f Turn(float x, float y, float angle, float dx, float dy) =>
        new(x + (MathF.Cos(angle) * dx) - (MathF.Sin(angle) * dy), y + (MathF.Sin(angle) * dx) + (MathF.Cos(angle) * dy));

    /// <summary>Upright more often where a scene is built up.</summary>
    private float Angle(float built) => draws.NextSingle() < built ? 0.12f * draws.NextGaussian() : draws.Next(0, MathF.Tau);

    private (float X, float Y) Place() => (draws.Next(-0.05f * width, 1.05f * width), draws.Next(-0.05f * height, 1.05f * height));

    private Texture AnyTexture(float x, float y, float angle, float radius, float built)
    {
        float level = draws.Next(0.12f, 0.88f);
        float contrast = 0.02f * MathF.Pow(9, draws.NextSingle());
        float choice = draws.NextSingle();
        if (choice < 0.22f + (0.3f * built))
        {
            return new CellTexture(noise, Map(x, y, angle, radius), ref draws, level, contrast);
        }

        choice = draws.NextSingle();
        return choice switch
        {
            < 0.2f => new StripeTexture(noise, Map(x, y, angle, radius), ref draws, level, contrast),
            < 0.36f => new PebbleTexture(noise, Map(x, y, angle, radius), ref draws, level, contrast),
            _ => new FractalTexture(noise, Map(x, y, angle, radius, 1 + (2 * draws.NextSingle() * draws.NextSingle()),
                1 + (3 * draws.NextSingle() * draws.NextSingle())), ref draws, level, contrast),
        };
    }

    private PlaneMap Map(float x, float y, float angle, float radius, float zoom = 1, float stretch = 1) => new(ref draws, x, y, angle, radius, zoom, stretch);

    private void DrawPlane(float built)
    {
        (float x, float y) = Place();
        float angle = Angle(0.3f + (0.7f * built)), w = draws.Next(0.25f, 0.7f) * width, h = draws.Next(0.25f, 0.8f) * height;
        Texture surface = AnyTexture(x, y, angle, w, built);
        if (draws.NextSingle() < 0.25f + (0.45f * built))
        {
            surface = new WindowTexture(noise, Map(x, y, angle, w), ref draws, draws.Next(0.2f, 0.8f), draws.Next(0.06f, 0.16f), surface);
        }

        Point2f Corner(float dx, float dy) => Turn(x, y, angle, dx * w * draws.Next(0.4f, 0.6f), dy * h * draws.Next(0.4f, 0.6f));
        Point2f[] outline = [Corner(-1, -1), Corner(1, -1), Corner(1, 1), Corner(-1, 1)];
        CastShadow(outline);
        Paint(outline, surface);
    }

    private void DrawShape(float built)
    {
        // Density of radii proportional to r^-2.5 between 5 and 160 pixels.
        const float Smallest = 5, Largest = 160, Power = -1.5f;
        float low = MathF.Pow(Smallest, Power), high = MathF.Pow(Largest, Power);
        float radius = MathF.Pow(low + ((high - low) * draws.NextSingle()), 1 / Power);
        (float x, float y) = Place();
        float angle = Angle(0.7f * built), aspect = draws.Next(0.35f, 1f), corner = draws.NextSingle();
        Point2f[] outline;
        if (corner < 0.3f)
        {
            outline = [Turn(x, y, angle, -radius, -radius * aspect), Turn(x, y, angle, radius, -radius * aspect), Turn(x, y, angle, radius, radius * aspect),
                Turn(x, y, angle, -radius, radius * aspect)];
        }
        else if (corner < 0.6f)
        {
            int corners = 3 + draws.Next(4);
            outline = new Point2f[corners];
            for (int i = 0; i < corners; i++)
            {
                float t = (i + draws.Next(0.1f, 0.9f)) * MathF.Tau / corners;
                outline[i] = Turn(x, y, angle, radius * MathF.Cos(t), radius * aspect * MathF.Sin(t));
            }
        }
        else
        {
            float wobble = corner < 0.8f ? 0 : draws.Next(0.05f, 0.3f), phase = draws.Next(0, MathF.Tau);
            int lobes = 2 + draws.Next(5), corners = 12 + (int)(radius * 0.4f);
            outline = new Point2f[corners];
            for (int i = 0; i < corners; i++)
            {
                float t = i * MathF.Tau / corners, r = radius * (1 + (wobble * MathF.Sin((lobes * t) + phase)));
                outline[i] = Turn(x, y, angle, r * MathF.Cos(t), r * aspect * MathF.Sin(t));
            }
        }

        if (radius > 12 && draws.NextSingle() < 0.4f)
        {
            CastShadow(outline);
        }

        Paint(outline, AnyTexture(x, y, angle, radius, 0.6f * built), draws.NextSingle() < 0.5f ? draws.Next(0.1f, 0.35f) : 0);
    }

    private void DrawFoliage()
    {
        (float x, float y) = Place();
        float spread = draws.Next(30f, 110f), size = draws.Next(2.5f, 9f), level = draws.Next(0.2f, 0.7f), slim = draws.Next(0.25f, 0.7f);
        int leaves = (int)(1.2f * spread * spread / (size * size * slim * 3));
        Point2f[] outline = new Point2f[8];
        for (int i = 0; i < Math.Min(leaves, 500); i++)
        {
            float cx = x + (spread * draws.NextGaussian()), cy = y + (0.7f * spread * draws.NextGaussian());
            float r = size * draws.Next(0.5f, 1.6f), angle = draws.Next(0, MathF.Tau);
            for (int j = 0; j < outline.Length; j++)
            {
                float t = j * MathF.Tau / outline.Length, pinch = j is 0 or 4 ? 1.3f : 1;
                outline[j] = Turn(cx, cy, angle, r * pinch * MathF.Cos(t), r * slim * MathF.Sin(t));
            }

            float tone = Math.Clamp(level + (0.18f * draws.NextGaussian()), 0.03f, 0.97f);
            Paint(outline, new RodTexture(noise, Map(cx, cy, angle + (MathF.PI / 2), 60), ref draws, tone, 0.05f, 0, 1000), draws.Next(0.1f, 0.4f));
        }
    }

    private void DrawFence()
    {
        // Equal rods at nearly equal distances: alike in outline, different in grain.
        (float x, float y) = Place();
        float angle = Angle(0.6f), radius = 1.5f * MathF.Pow(8, draws.NextSingle()), pitch = radius * draws.Next(3f, 9f),
            length = draws.Next(0.2f, 1.2f) * height;
        float level = draws.Next(0.15f, 0.8f), contrast = draws.Next(0.04f, 0.14f), slant = draws.Next(-0.3f, 0.3f);
        int rods = 1 + draws.Next(10);
        for (int i = 0; i < rods; i++)
        {
            Point2f foot = Turn(x, y, angle, (i * pitch) + (0.05f * pitch * draws.NextGaussian()), i * pitch * slant);
            Point2f[] outline = [Turn(foot.X, foot.Y, angle, -radius, -length / 2), Turn(foot.X, foot.Y, angle, radius, -length / 2),
                Turn(foot.X, foot.Y, angle, radius, length / 2), Turn(foot.X, foot.Y, angle, -radius, length / 2)];
            PlaneMap map = new(ref draws, foot.X, foot.Y, angle, length, tilt: 0);
            (float centre, _) = map.Apply(foot.X, foot.Y);
            CastShadow(outline);
            Paint(outline, new RodTexture(noise, map, ref draws, level, contrast, centre, radius));
        }
    }

    private void DrawSign()
    {
        (float x, float y) = Place();
        float angle = Angle(0.7f), size = 7 * MathF.Pow(6, draws.NextSingle()), ink = draws.NextSingle() < 0.5f ? draws.Next(0f, 0.2f) : draws.Next(0.8f, 1f);
        int rows = 1 + draws.Next(5), columns = 3 + draws.Next(14);
        float w = columns * size * 0.75f, h = rows * size * 1.5f;
        if (draws.NextSingle() < 0.7f)
        {
            Point2f[] board = [Turn(x, y, angle, -size, -size), Turn(x, y, angle, w + size, -size), Turn(x, y, angle, w + size, h + (size * 0.5f)),
                Turn(x, y, angle, -size, h + (size * 0.5f))];
            float paper = ink < 0.5f ? draws.Next(0.55f, 0.95f) : draws.Next(0.05f, 0.4f);
            Paint(board, new FractalTexture(noise, Map(x, y, angle, w), ref draws, paper, 0.025f));
        }

        FractalTexture colour = new(noise, Map(x, y, angle, w), ref draws, ink, 0.03f);
        float thickness = size * draws.Next(0.08f, 0.2f);
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                if (draws.NextSingle() > 0.15f)
                {
                    DrawGlyph(x, y, angle, column * size * 0.75f, row * size * 1.5f, size, thickness, colour);
                }
            }
        }
    }

    private void DrawGlyph(float x, float y, float angle, float left, float top, float size, float thickness, Texture colour)
    {
        int strokes = 2 + draws.Next(3);
        for (int i = 0; i < strokes; i++)
        {
            // Strokes join points of a 3 x 4 grid, like letters'.
            float x0 = left + (draws.Next(3) * size * 0.25f), y0 = top + (draws.Next(4) * size / 3);
            float x1 = left + (draws.Next(3) * size * 0.25f), y1 = top + (draws.Next(4) * size / 3);
            float dx = x1 - x0, dy = y1 - y0, length = MathF.Sqrt((dx * dx) + (dy * dy));
            if (length > 0)
            {
                (dx, dy) = (dx / length * thickness * 0.5f, dy / length * thickness * 0.5f);
                Paint([Turn(x, y, angle, x0 - dx - dy, y0 - dy + dx), Turn(x, y, angle, x1 + dx - dy, y1 + dy + dx),
                    Turn(x, y, angle, x1 + dx + dy, y1 + dy - dx), Turn(x, y, angle, x0 - dx + dy, y0 - dy - dx)], colour);
            }
        }
    }

    private unsafe void Paint(Point2f[] outline, Texture texture, float shading = 0)
    {
        if (Mask(outline, 0, 0, 1) is not { } painted)
        {
            return;
        }

        (Mat mask, Rect box) = painted;
        using (mask)
        {
            float light = draws.Next(0, MathF.Tau), lx = MathF.Cos(light) * shading / box.Width, ly = MathF.Sin(light) * shading / box.Height;
            Span<float> values = line.AsSpan(0, box.Width);
            for (int y = 0; y < box.Height; y++)
            {
                byte* cover = (byte*)mask.Ptr(y);
                int first = 0, end = values.Length;
                while (first < end && cover[first] == 0)
                {
                    first++;
                }

                while (end > first && cover[end - 1] == 0)
                {
                    end--;
                }

                texture.Row(box.X + first, box.Y + y, values[first..end]);
                Span<float> target = canvas.AsSpan(((box.Y + y) * width) + box.X, values.Length);
                float rowLight = ly * (y - (box.Height * 0.5f));
                for (int x = first; x < end; x++)
                {
                    float value = values[x] + rowLight + (lx * (x - (values.Length * 0.5f)));
                    target[x] += (value - target[x]) * cover[x] * (1 / 255f);
                }
            }
        }
    }

    private unsafe void CastShadow(Point2f[] outline)
    {
        float depth = draws.Next(0.15f, 0.65f), reach = draws.Next(2f, 14f), angle = draws.Next(0.2f, 1.4f), softness = draws.Next(0.6f, 5f);
        if (Mask(outline, reach * MathF.Cos(angle), reach * MathF.Sin(angle), (int)(3 * softness) + 1) is not { } painted)
        {
            return;
        }

        (Mat mask, Rect box) = painted;
        using (mask)
        {
            Cv2.BoxFilter(mask, mask, MatType.CV_8UC1, new Size((2 * (int)softness) + 1, (2 * (int)softness) + 1));
            Cv2.BoxFilter(mask, mask, MatType.CV_8UC1, new Size((2 * (int)softness) + 1, (2 * (int)softness) + 1));
            int columns = box.Width, rows = box.Height;
            for (int y = 0; y < rows; y++)
            {
                byte* cover = (byte*)mask.Ptr(y);
                Span<float> target = canvas.AsSpan(((box.Y + y) * width) + box.X, columns);
                for (int x = 0; x < columns; x++)
                {
                    target[x] *= 1 - (depth * cover[x] * (1 / 255f));
                }
            }
        }
    }

    /// <summary>Coverage (0 to 255) of the part of a polygon that lies in the scene, with its place; null where none does.</summary>
    private (Mat Mask, Rect Box)? Mask(Point2f[] outline, float dx, float dy, int margin)
    {
        float left = outline.Min(p => p.X) + dx, right = outline.Max(p => p.X) + dx, top = outline.Min(p => p.Y) + dy, bottom = outline.Max(p => p.Y) + dy;
        int x0 = Math.Max((int)left - margin, 0), x1 = Math.Min((int)right + margin + 1, width);
        int y0 = Math.Max((int)top - margin, 0), y1 = Math.Min((int)bottom + margin + 1, height);
        if (x0 >= x1 || y0 >= y1)
        {
            return null;
        }

        Mat mask = Mat.Zeros(y1 - y0, x1 - x0, MatType.CV_8UC1);
        float one = 1 << FractionBits;
        Point[] corners = Array.ConvertAll(outline, p => new Point((int)MathF.Round((p.X + dx - x0) * one), (int)MathF.Round((p.Y + dy - y0) * one)));
        Cv2.FillPoly(mask, [corners], Scalar.White, LineTypes.AntiAlias, FractionBits);
        return (mask, new Rect(x0, y0, x1 - x0, y1 - y0));
    }

    /// <summary>Light that differs over the scene, an exposure, the lens's blur, and the sensor's grain.</summary>
    private unsafe Mat Expose()
    {
        float lightAngle = draws.Next(0, MathF.Tau), slope = draws.Next(0f, 0.5f);
        float lx = slope * MathF.Cos(lightAngle) / width, ly = slope * MathF.Sin(lightAngle) / width;
        float gain = draws.Next(0.75f, 1.25f), exponent = draws.Next(0.75f, 1.35f), grain = draws.Next(0f, 2.5f);
        int offset = draws.Next(NoiseTiles.Side);
        float[] curve = new float[1025];
        for (int i = 0; i < curve.Length; i++)
        {
            curve[i] = 255 * MathF.Pow(i / 1024f, exponent);
        }

        Mat image = new(height, width, MatType.CV_8UC1);
        for (int y = 0; y < height; y++)
        {
            byte* row = (byte*)image.Ptr(y);
            for (int x = 0; x < width; x++)
            {
                float value = canvas[(y * width) + x] * gain * (1 + (lx * (x - (width * 0.5f))) + (ly * (y - (height * 0.5f))));
                row[x] = (byte)Math.Clamp(curve[(int)(Math.Clamp(value, 0, 1) * 1024)] + 0.5f, 0, 255);
            }
        }

        double sigma = draws.Next(0.35f, 0.9f);
        Cv2.GaussianBlur(image, image, new Size(0, 0), sigma);
        if (grain > 0.3f)
        {
            for (int y = 0; y < height; y++)
            {
                byte* row = (byte*)image.Ptr(y);
                for (int x = 0; x < width; x++)
                {
                    row[x] = (byte)Math.Clamp(row[x] + (grain * noise.Sample(0, x + offset, y)) + 0.5f, 0, 255);
                }
            }
        }

        return image;
    }
}
