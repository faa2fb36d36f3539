using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Pipelines.Colmap;

namespace CudaL2Net.Cli.Commands.Colmap;

/// <summary>The options of new cameras.</summary>
internal static class CameraOptions
{
    /// <summary>The model.</summary>
    public static readonly Option<string> Model = new("--camera-model")
    {
        Description = "COLMAP's model of new cameras.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "SIMPLE_RADIAL",
    };

    /// <summary>Whether all images are of one camera.</summary>
    public static readonly Option<bool> Single = new("--single-camera") { Description = "All images are of one camera. Without it each image gets one." };

    /// <summary>The parameters.</summary>
    public static readonly Option<string?> Parameters = new("--camera-params")
    {
        Description = "The parameters of new cameras, with commas: 'f,cx,cy,k' for SIMPLE_RADIAL, in pixels. "
            + "Without it the focal length is EXIF's, or 1.2 times the longer side.",
        HelpName = "P,...",
    };

    static CameraOptions() => Model.AcceptOnlyFromAmong([.. CameraChoice.Models]);

    /// <summary>What the line asks for.</summary>
    /// <exception cref="UsageException">The parameters are no numbers, or not as many as the model has.</exception>
    public static CameraChoice Read(ParseResult line)
    {
        string model = line.GetValue(Model)!;
        try
        {
            return new CameraChoice(model, line.GetValue(Single), line.GetValue(Parameters) is { } text ? CameraChoice.ReadParameters(model, text) : null);
        }
        catch (FormatException error)
        {
            throw new UsageException(error.Message);
        }
    }
}
