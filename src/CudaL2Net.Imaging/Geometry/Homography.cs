using System.Globalization;
using System.Text;
using CudaL2Net.Formats;

namespace CudaL2Net.Imaging.Geometry;

/// <summary>
/// A plane projective map of pixel coordinates (x right, y down, pixel centres at integers), 3 x 3, scaled so that its last element is 1.
/// </summary>
public sealed class Homography
{
    private const double Tiny = 1e-12;
    private readonly double[] elements;

    /// <summary>Makes a map from its nine elements, row by row. They are divided by the last one, so that scale and sign do not matter.</summary>
    /// <param name="elements">[3][3].</param>
    /// <exception cref="ArgumentException">Not nine finite numbers, the last one is 0, or the matrix has no inverse.</exception>
    public Homography(params ReadOnlySpan<double> elements)
    {
        if (elements.Length != 9)
        {
            throw new ArgumentException($"a homography has 9 elements, not {elements.Length}");
        }

        double largest = 0;
        foreach (double element in elements)
        {
            if (!double.IsFinite(element))
            {
                throw new ArgumentException("a homography needs finite elements");
            }

            largest = Math.Max(largest, Math.Abs(element));
        }

        if (Math.Abs(elements[8]) <= Tiny * largest)
        {
            throw new ArgumentException("the last element of the homography is 0, so it cannot be scaled to 1");
        }

        this.elements = new double[9];
        for (int i = 0; i < 9; i++)
        {
            this.elements[i] = elements[i] / elements[8];
        }

        if (Math.Abs(Determinant) <= Tiny)
        {
            throw new ArgumentException("the homography has no inverse: its determinant is 0");
        }
    }

    /// <summary>The map that changes nothing.</summary>
    public static Homography Identity { get; } = new(1, 0, 0, 0, 1, 0, 0, 0, 1);

    /// <summary>The elements, row by row, [3][3]; the last one is 1.</summary>
    public ReadOnlySpan<double> Elements => elements;

    /// <summary>The element in <paramref name="row"/> and <paramref name="column"/>, both 0 to 2.</summary>
    public double this[int row, int column] => elements[(3 * row) + column];

    private double Determinant =>
        (elements[0] * ((elements[4] * elements[8]) - (elements[5] * elements[7])))
        - (elements[1] * ((elements[3] * elements[8]) - (elements[5] * elements[6])))
        + (elements[2] * ((elements[3] * elements[7]) - (elements[4] * elements[6])));

    /// <summary>
    /// Reads a text file of three lines with three numbers each: Oxford's <c>H1to2p</c>, HPatches' <c>H_1_2</c>. The nine numbers may also stand on one line,
    /// be parted by commas, or stand in brackets; what could be read in two ways is refused.
    /// </summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">Its contents are no homography; the message names the file and the line.</exception>
    public static Homography Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        double[] elements = HomographyText.Read(path);
        try
        {
            return new Homography(elements);
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
    }

    /// <summary>Where the map takes a point. Infinite or NaN on the line that it takes to infinity.</summary>
    /// <param name="x">Pixels.</param>
    /// <param name="y">Pixels.</param>
    public (double X, double Y) Map(double x, double y)
    {
        double w = (elements[6] * x) + (elements[7] * y) + elements[8];
        return (((elements[0] * x) + (elements[1] * y) + elements[2]) / w, ((elements[3] * x) + (elements[4] * y) + elements[5]) / w);
    }

    /// <summary>The derivative of <see cref="Map"/> at a point: dX/dx, dX/dy, dY/dx, dY/dy.</summary>
    public (double Xx, double Xy, double Yx, double Yy) Jacobian(double x, double y)
    {
        double w = (elements[6] * x) + (elements[7] * y) + elements[8];
        (double mappedX, double mappedY) = Map(x, y);
        return (
            (elements[0] - (mappedX * elements[6])) / w,
            (elements[1] - (mappedX * elements[7])) / w,
            (elements[3] - (mappedY * elements[6])) / w,
            (elements[4] - (mappedY * elements[7])) / w);
    }

    /// <summary>How much lengths grow near a point: the root of the area's growth, sqrt |det J|.</summary>
    public double Scale(double x, double y)
    {
        (double xx, double xy, double yx, double yy) = Jacobian(x, y);
        return Math.Sqrt(Math.Abs((xx * yy) - (xy * yx)));
    }

    /// <summary>The map back.</summary>
    /// <exception cref="ArgumentException">The way back takes the origin to infinity, so that its last element cannot be 1.</exception>
    public Homography Inverse()
    {
        double[] h = elements;
        return new Homography(
            (h[4] * h[8]) - (h[5] * h[7]), (h[2] * h[7]) - (h[1] * h[8]), (h[1] * h[5]) - (h[2] * h[4]),
            (h[5] * h[6]) - (h[3] * h[8]), (h[0] * h[8]) - (h[2] * h[6]), (h[2] * h[3]) - (h[0] * h[5]),
            (h[3] * h[7]) - (h[4] * h[6]), (h[1] * h[6]) - (h[0] * h[7]), (h[0] * h[4]) - (h[1] * h[3]));
    }

    /// <summary>First this map, then <paramref name="next"/>.</summary>
    public Homography Then(Homography next)
    {
        ArgumentNullException.ThrowIfNull(next);
        Span<double> product = stackalloc double[9];
        for (int row = 0; row < 3; row++)
        {
            for (int column = 0; column < 3; column++)
            {
                product[(3 * row) + column] = (next[row, 0] * this[0, column]) + (next[row, 1] * this[1, column]) + (next[row, 2] * this[2, column]);
            }
        }

        return new Homography(product);
    }

    /// <summary>Writes the file that <see cref="Read"/> reads.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        IEnumerable<string> rows = elements.Select(element => element.ToString("R", CultureInfo.InvariantCulture)).Chunk(3).Select(row => string.Join(' ',
            row) + "\n");
        AtomicFile.Write(path, stream => stream.Write(Encoding.ASCII.GetBytes(string.Concat(rows))));
    }
}
