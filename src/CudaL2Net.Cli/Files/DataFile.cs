using System.Text.RegularExpressions;
using CudaL2Net.Imaging;

namespace CudaL2Net.Cli.Files;

/// <summary>Files that readers of folders take for data: images, homographies, regions, lists of pairs, splits, tasks.</summary>
internal static partial class DataFile
{
    /// <summary>Whether a file of this name may be an input where its folder is one.</summary>
    public static bool IsName(string name) => ImageFile.HasImageName(name) || Name().IsMatch(name);

    [GeneratedRegex(@"(^H(1to|_1_)\d+p?|\.txt|\.haraff|\.hesaff|^splits\.json|^(verif|matching|retr)\w*.*\.csv)$", RegexOptions.IgnoreCase)]
    private static partial Regex Name();
}
