using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NUnit.Framework.Constraints;

namespace CudaL2Net.Tests;

/// <summary>Large arrays that must be equal. NUnit's own comparison boxes every element: it takes seconds for a model's bytes.</summary>
internal static class Same
{
    /// <summary>The same elements, to the bit.</summary>
    public static Constraint As<T>(T[] expected)
        where T : unmanaged => new Bits<T>(expected);

    private sealed class Bits<T>(T[] expected) : Constraint
        where T : unmanaged
    {
        public override string Description => $"the same {expected.Length} values";

        public override ConstraintResult ApplyTo<TActual>(TActual actual)
        {
            ReadOnlySpan<byte> wanted = MemoryMarshal.AsBytes<T>(expected);
            if (actual is not T[] array)
            {
                return new ConstraintResult(this, actual, isSuccess: false);
            }

            int agreeing = MemoryMarshal.AsBytes<T>(array).CommonPrefixLength(wanted) / Unsafe.SizeOf<T>();
            bool same = array.Length == expected.Length && agreeing == expected.Length;
            string found = $"{array.Length} values, the first {agreeing} of them the same"
                + (agreeing < Math.Min(array.Length, expected.Length) ? $", then {array[agreeing]} instead of {expected[agreeing]}" : string.Empty);
            return new ConstraintResult(this, found, same);
        }
    }
}
