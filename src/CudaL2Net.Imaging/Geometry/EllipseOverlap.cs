namespace CudaL2Net.Imaging.Geometry;

/// <summary>
/// Intersection over union of two ellipses, in closed form but for the roots of one polynomial. An affine map makes the first ellipse the unit disc, which
/// does not change the ratio of areas. The second one's outline p(t) = c + u cos t + v sin t crosses the circle where |p(t)|^2 = 1, a quartic in tan(t / 2).
/// The intersection's outline is made of the arcs of either curve that lie inside the other, and Green's theorem gives the area of each in closed form.
/// </summary>
/// <remarks>
/// The error is that of rounding: below 1e-9 for axes up to 20 times as long as one another, where the curves touch below 1e-7. A crossing that is lost or
/// found twice there bounds a sliver of no area, so no case is special.
/// </remarks>
internal static class EllipseOverlap
{
    private const int Samples = 8;
    private const double SameCurve = 1e-13;
    private const double Resolution = 4e-16;

    /// <summary>The intersection's area over the union's, 0 to 1.</summary>
    public static double Of(in Ellipse first, in Ellipse second)
    {
        // With M = L L', L' takes the first ellipse to the unit disc, and the columns of L2'^-1 are two conjugate radii of the second.
        double l11 = Math.Sqrt(first.A), l21 = first.B / l11, l22 = Math.Sqrt(first.C - (l21 * l21));
        double m11 = Math.Sqrt(second.A), m21 = second.B / m11, m22 = Math.Sqrt(second.C - (m21 * m21));
        double dx = second.X - first.X, dy = second.Y - first.Y, vx = -m21 / (m11 * m22), vy = 1 / m22;
        var curve = new Curve((l11 * dx) + (l21 * dy), l22 * dy, l11 / m11, 0, (l11 * vx) + (l21 * vy), l22 * vy);
        double area = Math.PI * curve.Turn, intersection = Intersection(curve);
        double overlap = intersection / (Math.PI + area - intersection);
        return Math.Clamp(overlap, 0, 1);
    }

    /// <summary>The area that the curve's inside shares with the unit disc.</summary>
    private static double Intersection(Curve curve)
    {
        double farthest = 0, largest = 0;
        for (int i = 0; i < Samples; i++)
        {
            double t = 2 * Math.PI * i / Samples, value = curve.Excess(t);
            if (Math.Abs(value) > Math.Abs(largest))
            {
                (farthest, largest) = (t, value);
            }
        }

        if (Math.Abs(largest) < SameCurve)
        {
            return Math.PI;
        }

        // The parameter is turned so that tan(t / 2) is infinite where the curve is farthest from the circle, never at a crossing.
        curve = curve.From(farthest - Math.PI);
        Span<double> crossings = stackalloc double[4];
        int count = curve.Crossings(crossings);
        if (count < 2)
        {
            return largest < 0 ? Math.PI * curve.Turn : curve.Excess(0, 0) < 0 ? Math.PI : 0;
        }

        double area = 0;
        Span<double> angles = stackalloc double[4];
        for (int i = 0; i < count; i++)
        {
            (double start, double end) = Arc(crossings[..count], i);
            if (IsInside(start, end, curve.Excess))
            {
                area += curve.Sector(start, end);
            }

            (double x, double y) = curve.At(start);
            angles[i] = Math.Atan2(y, x);
        }

        angles[..count].Sort();
        for (int i = 0; i < count; i++)
        {
            (double start, double end) = Arc(angles[..count], i);
            if (IsInside(start, end, curve.ExcessOnCircle))
            {
                area += (end - start) / 2;
            }
        }

        return Math.Clamp(area, 0, Math.PI * Math.Min(1, curve.Turn));
    }

    private static (double Start, double End) Arc(ReadOnlySpan<double> ends, int index) =>
        (ends[index], index + 1 < ends.Length ? ends[index + 1] : ends[0] + (2 * Math.PI));

    // The middle of an arc may be a point where the curves touch, which was not found as a crossing; then its neighbours tell.
    private static bool IsInside(double start, double end, Func<double, double> excess)
    {
        double decisive = 0;
        foreach (double part in (ReadOnlySpan<double>)[0.5, 0.31, 0.73])
        {
            double value = excess(start + (part * (end - start)));
            decisive = Math.Abs(value) > Math.Abs(decisive) ? value : decisive;
        }

        return decisive < 0;
    }

    /// <summary>The ellipse c + u cos t + v sin t, counter-clockwise.</summary>
    private readonly record struct Curve(double Cx, double Cy, double Ux, double Uy, double Vx, double Vy)
    {
        /// <summary>u x v: the area over pi.</summary>
        public double Turn => (Ux * Vy) - (Uy * Vx);

        public (double X, double Y) At(double t)
        {
            (double sin, double cos) = Math.SinCos(t);
            return (Cx + (Ux * cos) + (Vx * sin), Cy + (Uy * cos) + (Vy * sin));
        }

        /// <summary>|p(t)|^2 - 1: below 0 inside the unit disc.</summary>
        public double Excess(double t)
        {
            (double x, double y) = At(t);
            return (x * x) + (y * y) - 1;
        }

        /// <summary>The same ellipse, its parameter counted from <paramref name="t"/>.</summary>
        public Curve From(double t)
        {
            (double sin, double cos) = Math.SinCos(t);
            return new Curve(Cx, Cy, (Ux * cos) + (Vx * sin), (Uy * cos) + (Vy * sin), (Vx * cos) - (Ux * sin), (Vy * cos) - (Uy * sin));
        }

        /// <summary>Below 0 inside this ellipse.</summary>
        public double Excess(double x, double y)
        {
            double dx = x - Cx, dy = y - Cy, a = ((dx * Vy) - (dy * Vx)) / Turn, b = ((Ux * dy) - (Uy * dx)) / Turn;
            return (a * a) + (b * b) - 1;
        }

        /// <summary>The same for a point of the unit circle.</summary>
        public double ExcessOnCircle(double angle) => Excess(Math.Cos(angle), Math.Sin(angle));

        /// <summary>Half the integral of p x dp over an arc.</summary>
        public double Sector(double start, double end)
        {
            (double sinStart, double cosStart) = Math.SinCos(start);
            (double sinEnd, double cosEnd) = Math.SinCos(end);
            double cu = (Cx * Uy) - (Cy * Ux), cv = (Cx * Vy) - (Cy * Vx);
            return ((cu * (cosEnd - cosStart)) + (cv * (sinEnd - sinStart)) + (Turn * (end - start))) / 2;
        }

        /// <summary>The parameters of the crossings with the unit circle, rising, in (-pi, pi).</summary>
        public int Crossings(Span<double> crossings)
        {
            double constant = (Cx * Cx) + (Cy * Cy) - 1, cosine = 2 * ((Cx * Ux) + (Cy * Uy)), sine = 2 * ((Cx * Vx) + (Cy * Vy));
            double uu = (Ux * Ux) + (Uy * Uy), vv = (Vx * Vx) + (Vy * Vy), uv = 2 * ((Ux * Vx) + (Uy * Vy));
            ReadOnlySpan<double> quartic =
                [constant + cosine + uu, 2 * (sine + uv), 2 * (constant - uu + (2 * vv)), 2 * (sine - uv), constant - cosine + uu];
            int count = RealRoots(quartic, crossings);
            for (int i = 0; i < count; i++)
            {
                crossings[i] = 2 * Math.Atan(crossings[i]);
            }

            return count;
        }
    }

    /// <summary>
    /// The real roots of a polynomial where it changes its sign, rising. Between the roots of its derivative it is monotone, so each sign change there encloses
    /// one root, which bisection finds to the last bits.
    /// </summary>
    /// <param name="coefficients">Of falling degree from the end: [i] is that of z^i; the last one is not 0.</param>
    /// <param name="roots">Room for as many as the degree.</param>
    private static int RealRoots(ReadOnlySpan<double> coefficients, Span<double> roots)
    {
        int degree = coefficients.Length - 1;
        while (degree > 0 && coefficients[degree] == 0)
        {
            degree--;
        }

        if (degree == 0)
        {
            return 0;
        }

        if (degree == 1)
        {
            roots[0] = -coefficients[0] / coefficients[1];
            return 1;
        }

        Span<double> derivative = stackalloc double[degree], turns = stackalloc double[degree + 1];
        double bound = 0;
        for (int i = 0; i < degree; i++)
        {
            derivative[i] = (i + 1) * coefficients[i + 1];
            bound = Math.Max(bound, Math.Abs(coefficients[i] / coefficients[degree]));
        }

        // All roots lie within 1 + the largest quotient (Cauchy).
        turns[0] = -1 - bound;
        int last = 1 + RealRoots(derivative, turns[1..]);
        turns[last] = 1 + bound;
        int found = 0;
        for (int i = 0; i < last; i++)
        {
            double low = turns[i], high = turns[i + 1];
            bool rising = Evaluate(coefficients, high) > 0;
            if (rising == Evaluate(coefficients, low) > 0)
            {
                continue;
            }

            while (high - low > Resolution * Math.Max(1, Math.Abs(low)))
            {
                double middle = (low + high) / 2;
                if (Evaluate(coefficients, middle) > 0 == rising)
                {
                    high = middle;
                }
                else
                {
                    low = middle;
                }
            }

            roots[found++] = low;
        }

        return found;
    }

    private static double Evaluate(ReadOnlySpan<double> coefficients, double z)
    {
        double value = 0;
        for (int i = coefficients.Length - 1; i >= 0; i--)
        {
            value = (value * z) + coefficients[i];
        }

        return value;
    }
}
