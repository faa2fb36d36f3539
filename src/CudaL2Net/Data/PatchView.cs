namespace CudaL2Net.Data;

/// <summary>What a tower of a network sees of a patch. A network takes patches of 32 x 32 or of 64 x 64 pixels, its input side.</summary>
public enum PatchView
{
    /// <summary>The whole patch at the network's input side.</summary>
    Whole,

    /// <summary>The whole patch at half of the input side: every pixel is the mean of 2 x 2.</summary>
    Reduced,

    /// <summary>The central part, half of the side, at the original scale.</summary>
    Centre,
}
