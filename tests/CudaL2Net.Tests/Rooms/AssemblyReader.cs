using System.Collections.Immutable;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace CudaL2Net.Tests.Rooms;

/// <summary>A type, by where it stands. A nested type stands where its outermost type does.</summary>
internal readonly record struct TypeName(string Assembly, string Namespace, string Name)
{
    public override string ToString() => $"{Namespace}.{Name}";
}

/// <summary>A member of one type that uses another type.</summary>
internal readonly record struct Use(TypeName From, string Member, TypeName To)
{
    public override string ToString() => $"{From.Namespace}.{Member} uses {To}";
}

/// <summary>
/// Reads which types the members of a built assembly use: base types and interfaces, attributes, constraints, fields, signatures, and in the bodies of methods
/// local variables, caught exceptions and whatever an instruction names, with all generic arguments. Constants and nameof leave no trace in an assembly, so
/// they are not seen.
/// </summary>
internal sealed class AssemblyReader : IDisposable
{
    private static readonly OpCode[] Short = new OpCode[256], Long = new OpCode[256];

    private readonly PEReader file;
    private readonly MetadataReader metadata;
    private readonly string assembly;
    private readonly TypeCollector collector;
    private readonly HashSet<TypeName> used = [];

    static AssemblyReader()
    {
        foreach (System.Reflection.FieldInfo field in typeof(OpCodes).GetFields())
        {
            var code = (OpCode)field.GetValue(null)!;
            (code.Size == 1 ? Short : Long)[code.Value & 0xFF] = code;
        }
    }

    public AssemblyReader(string path)
    {
        file = new PEReader(File.OpenRead(path));
        metadata = file.GetMetadataReader();
        assembly = metadata.GetString(metadata.GetAssemblyDefinition().Name);
        collector = new TypeCollector(this);
    }

    /// <summary>The names of the assemblies whose types this one uses.</summary>
    public IEnumerable<string> References => metadata.AssemblyReferences.Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name));

    /// <summary>Every use of a type by another one, member by member.</summary>
    public List<Use> Uses()
    {
        var uses = new List<Use>();
        foreach (TypeDefinitionHandle handle in metadata.TypeDefinitions)
        {
            TypeDefinition type = metadata.GetTypeDefinition(handle);
            TypeName from = Name(handle);

            void Collect(string member, Action collect)
            {
                used.Clear();
                collect();
                uses.AddRange(used.Where(to => to != from).Select(to => new Use(from, member, to)));
            }

            string own = metadata.GetString(type.Name);
            Collect(own, () => CollectType(type));
            foreach (FieldDefinitionHandle field in type.GetFields())
            {
                Collect($"{own}.{metadata.GetString(metadata.GetFieldDefinition(field).Name)}", () => CollectField(field));
            }

            foreach (MethodDefinitionHandle method in type.GetMethods())
            {
                Collect($"{own}.{metadata.GetString(metadata.GetMethodDefinition(method).Name)}", () => CollectMethod(method));
            }
        }

        return uses;
    }

    public void Dispose() => file.Dispose();

    private void CollectType(TypeDefinition type)
    {
        Collect(type.BaseType);
        CollectAttributes(type.GetCustomAttributes());
        CollectConstraints(type.GetGenericParameters());
        foreach (InterfaceImplementationHandle handle in type.GetInterfaceImplementations())
        {
            Collect(metadata.GetInterfaceImplementation(handle).Interface);
        }

        foreach (PropertyDefinitionHandle handle in type.GetProperties())
        {
            CollectAttributes(metadata.GetPropertyDefinition(handle).GetCustomAttributes());
        }
    }

    private void CollectField(FieldDefinitionHandle handle)
    {
        FieldDefinition field = metadata.GetFieldDefinition(handle);
        field.DecodeSignature(collector, null);
        CollectAttributes(field.GetCustomAttributes());
    }

    private void CollectMethod(MethodDefinitionHandle handle)
    {
        MethodDefinition method = metadata.GetMethodDefinition(handle);
        method.DecodeSignature(collector, null);
        CollectAttributes(method.GetCustomAttributes());
        CollectConstraints(method.GetGenericParameters());
        if (method.RelativeVirtualAddress == 0)
        {
            return;
        }

        MethodBodyBlock body = file.GetMethodBody(method.RelativeVirtualAddress);
        if (!body.LocalSignature.IsNil)
        {
            metadata.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(collector, null);
        }

        foreach (ExceptionRegion region in body.ExceptionRegions.Where(region => region.Kind == ExceptionRegionKind.Catch))
        {
            Collect(region.CatchType);
        }

        CollectInstructions(body.GetILReader());
    }

    private void CollectInstructions(BlobReader code)
    {
        while (code.RemainingBytes > 0)
        {
            byte first = code.ReadByte();
            OpCode instruction = first == 0xFE ? Long[code.ReadByte()] : Short[first];
            switch (instruction.OperandType)
            {
                case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineType or OperandType.InlineTok or OperandType.InlineSig:
                    Collect(MetadataTokens.EntityHandle(code.ReadInt32()));
                    break;
                case OperandType.InlineSwitch:
                    int targets = code.ReadInt32();
                    code.Offset += sizeof(int) * targets;
                    break;
                default:
                    code.Offset += OperandBytes(instruction.OperandType);
                    break;
            }
        }
    }

    private static int OperandBytes(OperandType type) => type switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineBrTarget or OperandType.InlineI or OperandType.InlineString or OperandType.ShortInlineR => 4,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        _ => throw new InvalidOperationException($"an instruction with an operand of type {type} is not known here"),
    };

    private void CollectAttributes(CustomAttributeHandleCollection attributes)
    {
        foreach (CustomAttributeHandle handle in attributes)
        {
            Collect(metadata.GetCustomAttribute(handle).Constructor);
        }
    }

    private void CollectConstraints(GenericParameterHandleCollection parameters)
    {
        foreach (GenericParameterConstraintHandle handle in parameters.SelectMany(parameter => metadata.GetGenericParameter(parameter).GetConstraints()))
        {
            Collect(metadata.GetGenericParameterConstraint(handle).Type);
        }
    }

    private void Collect(EntityHandle handle)
    {
        if (handle.IsNil)
        {
            return;
        }

        switch (handle.Kind)
        {
            case HandleKind.TypeDefinition:
                used.Add(Name((TypeDefinitionHandle)handle));
                break;
            case HandleKind.TypeReference:
                used.Add(Name((TypeReferenceHandle)handle));
                break;
            case HandleKind.TypeSpecification:
                metadata.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(collector, null);
                break;
            case HandleKind.FieldDefinition:
                FieldDefinition field = metadata.GetFieldDefinition((FieldDefinitionHandle)handle);
                Collect(field.GetDeclaringType());
                field.DecodeSignature(collector, null);
                break;
            case HandleKind.MethodDefinition:
                MethodDefinition method = metadata.GetMethodDefinition((MethodDefinitionHandle)handle);
                Collect(method.GetDeclaringType());
                method.DecodeSignature(collector, null);
                break;
            case HandleKind.MemberReference:
                MemberReference member = metadata.GetMemberReference((MemberReferenceHandle)handle);
                Collect(member.Parent);
                if (member.GetKind() == MemberReferenceKind.Field)
                {
                    member.DecodeFieldSignature(collector, null);
                }
                else
                {
                    member.DecodeMethodSignature(collector, null);
                }

                break;
            case HandleKind.MethodSpecification:
                MethodSpecification specification = metadata.GetMethodSpecification((MethodSpecificationHandle)handle);
                Collect(specification.Method);
                specification.DecodeSignature(collector, null);
                break;
            case HandleKind.StandaloneSignature:
                metadata.GetStandaloneSignature((StandaloneSignatureHandle)handle).DecodeMethodSignature(collector, null);
                break;
            default:
                throw new InvalidOperationException($"{assembly} names a {handle.Kind} where a type or member was expected");
        }
    }

    private TypeName Name(TypeDefinitionHandle handle)
    {
        TypeDefinition type = metadata.GetTypeDefinition(handle);
        return type.IsNested ? Name(type.GetDeclaringType()) : new TypeName(assembly, metadata.GetString(type.Namespace), metadata.GetString(type.Name));
    }

    private TypeName Name(TypeReferenceHandle handle)
    {
        TypeReference type = metadata.GetTypeReference(handle);
        return type.ResolutionScope.Kind switch
        {
            HandleKind.TypeReference => Name((TypeReferenceHandle)type.ResolutionScope),
            HandleKind.AssemblyReference => new TypeName(
                metadata.GetString(metadata.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope).Name),
                metadata.GetString(type.Namespace), metadata.GetString(type.Name)),
            _ => new TypeName(assembly, metadata.GetString(type.Namespace), metadata.GetString(type.Name)),
        };
    }

    /// <summary>Notes each type that a signature names; what the signature is made into does not matter.</summary>
    private sealed class TypeCollector(AssemblyReader reader) : ISignatureTypeProvider<bool, object?>
    {
        public bool GetTypeFromDefinition(MetadataReader metadata, TypeDefinitionHandle handle, byte rawTypeKind) => reader.used.Add(reader.Name(handle));

        public bool GetTypeFromReference(MetadataReader metadata, TypeReferenceHandle handle, byte rawTypeKind) => reader.used.Add(reader.Name(handle));

        public bool GetTypeFromSpecification(MetadataReader metadata, object? context, TypeSpecificationHandle handle, byte rawTypeKind) =>
            metadata.GetTypeSpecification(handle).DecodeSignature(this, context);

        public bool GetArrayType(bool elementType, ArrayShape shape) => false;

        public bool GetByReferenceType(bool elementType) => false;

        public bool GetFunctionPointerType(MethodSignature<bool> signature) => false;

        public bool GetGenericInstantiation(bool genericType, ImmutableArray<bool> typeArguments) => false;

        public bool GetGenericMethodParameter(object? context, int index) => false;

        public bool GetGenericTypeParameter(object? context, int index) => false;

        public bool GetModifiedType(bool modifier, bool unmodifiedType, bool isRequired) => false;

        public bool GetPinnedType(bool elementType) => false;

        public bool GetPointerType(bool elementType) => false;

        public bool GetPrimitiveType(PrimitiveTypeCode typeCode) => false;

        public bool GetSZArrayType(bool elementType) => false;
    }
}
