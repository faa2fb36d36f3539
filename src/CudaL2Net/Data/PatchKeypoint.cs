namespace CudaL2Net.Data;

/// <summary>Where a square patch lies, in OpenCV's terms: the centre of the top left pixel is (0, 0). COLMAP's positions are larger by .5.</summary>
/// <param name="X">Column of the centre, in pixels.</param>
/// <param name="Y">Row of the centre, in pixels, downwards.</param>
/// <param name="Size">The diameter of the meaningful neighbourhood, in pixels (for SIFT twice the scale sigma); above 0.</param>
/// <param name="Angle">Degrees, clockwise as seen in the image: the direction is (cos, sin) with y downwards.</param>
public readonly record struct PatchKeypoint(float X, float Y, float Size, float Angle);
