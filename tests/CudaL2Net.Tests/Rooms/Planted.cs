// Two rooms with one arrow for each way in which an assembly can name a type: what the reader of assemblies has to see.
#pragma warning disable CS0169, CS0649 // Fields that nothing reads
namespace CudaL2Net.Tests.Rooms.Used
{
    internal interface IUsed;

    internal struct Part;

    internal class Whole
    {
        public static int Field;

        public static int Number() => Field;
    }

    internal sealed class Failure : Exception;

    [AttributeUsage(AttributeTargets.All)]
    internal sealed class MarkAttribute : Attribute;
}

namespace CudaL2Net.Tests.Rooms.Using
{
    using CudaL2Net.Tests.Rooms.Used;

    internal class BaseType : Whole;

    internal class Interface : IUsed;

    [Mark]
    internal class Attributed;

    internal class AttributedMember
    {
        [Mark]
        public int Property { get; set; }
    }

    internal class Constraint<T>
        where T : Whole;

    internal class MethodConstraint
    {
        public static void Take<T>()
            where T : Whole
        {
        }
    }

    internal class Field
    {
        private Part part;
    }

    internal unsafe class Pointer
    {
        private Part* part;
    }

    internal class ArrayOf
    {
        private Part[]? parts;
    }

    internal class GenericArgument
    {
        private Dictionary<int, List<Part>>? parts;
    }

    internal class Parameter
    {
        public static void Take(in Part part) => _ = part;
    }

    internal class Returned
    {
        public static Whole? Give() => null;
    }

    internal class Called
    {
        public static int Call() => 1 + Whole.Number();
    }

    internal class FieldRead
    {
        public static int Read() => Whole.Field;
    }

    internal class GenericCall
    {
        public static int Call() => Array.Empty<Part>().Length;
    }

    internal class TypeOf
    {
        public static object Name() => typeof(Whole);
    }

    internal class Cast
    {
        public static bool Is(object value) => value is Whole;
    }

    internal class Caught
    {
        public static void Try(Action action)
        {
            try
            {
                action();
            }
            catch (Failure)
            {
                action();
            }
        }
    }

    internal class Lambda
    {
        public static Func<int, int> Make(int more) => value => value + more + Whole.Number();
    }

    internal class Iterator
    {
        public static IEnumerable<int> All()
        {
            yield return 1;
            yield return Whole.Number();
        }
    }

    internal class Outer
    {
        internal class Nested
        {
            private Part part;
        }
    }

    internal class AfterSwitch
    {
        public static int Choose(int value) => value switch { 0 => 5, 1 => 9, 2 => 4, 3 => 7, 4 => 1, _ => Whole.Field };
    }

    internal class Nothing
    {
        public static string Name() => nameof(Whole);
    }
}
