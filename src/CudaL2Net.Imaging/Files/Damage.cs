namespace CudaL2Net.Imaging.Files;

/// <summary>What is wrong with a file, to be put behind its name.</summary>
internal static class Damage
{
    /// <summary>The file ends too early.</summary>
    public static InvalidDataException Cut(string what) => new($"is cut short: {what}; copy or download it again");

    /// <summary>What the file says cannot be.</summary>
    public static InvalidDataException Because(string reason) => new($"is damaged: {reason}; copy or download it again");

    /// <summary>The file may be good, but is of a form that is not read.</summary>
    public static InvalidDataException NotRead(string what) => new($"is {what}, which is not read; convert it to PNG or JPEG");
}
