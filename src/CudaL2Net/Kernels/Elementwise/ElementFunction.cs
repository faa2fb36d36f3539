namespace CudaL2Net.Kernels;

/// <summary>A function of one number. Kernels know it by its place in this list.</summary>
public enum ElementFunction
{
    /// <summary>e^x.</summary>
    Exp,

    /// <summary>The natural logarithm.</summary>
    Log,

    /// <summary>The square root; its slope at 0 is infinite.</summary>
    SquareRoot,
}
