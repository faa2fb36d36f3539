namespace CudaL2Net.Imaging.Keypoints;

/// <summary>A place in an image with a scale and an orientation, in OpenCV's conventions: the centre of the top left pixel is (0, 0).</summary>
/// <param name="X">Column of the centre, in pixels; pixel centres are at integers.</param>
/// <param name="Y">Row of the centre, in pixels, downwards; pixel centres are at integers.</param>
/// <param name="Size">The diameter of the meaningful neighbourhood in pixels (for SIFT twice the scale sigma).</param>
/// <param name="Angle">The orientation in degrees, [0, 360), clockwise as seen in the image: the direction is (cos, sin) with y downwards.</param>
/// <param name="Response">The strength of the detection; stronger is larger.</param>
/// <param name="Octave">The octave of the scale space it was found in; -1 is the image at twice its size.</param>
public readonly record struct Keypoint(float X, float Y, float Size, float Angle, float Response, int Octave);
