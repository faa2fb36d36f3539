using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace CudaL2Net.Tests.Emulator;

/// <summary>
/// The instructions of PTX that kernels may use and the ISA version that each came with ("PTX ISA Notes" of each instruction in NVIDIA's PTX ISA
/// reference). There is no assembler on most machines: what it would refuse for its opcode, this list does.
/// </summary>
internal static class PtxInstructions
{
    private const string Integer = "[su](16|32|64)", Bits = "b(16|32|64)", Any = "[busf](8|16|32|64)", Rounding = @"(\.r[nzmp])?";

    private static readonly (int Version, string Pattern)[] Known =
    [
        (10, $@"(add|sub)(\.sat)?\.{Integer}"),
        (10, $@"(add|sub|mul){Rounding}(\.ftz)?(\.sat)?\.f(32|64)"),
        (10, @"fma\.r[nzmp](\.ftz)?(\.sat)?\.f(32|64)"),
        (10, $@"(mul|mad)\.(lo|hi|wide)\.{Integer}"),
        (10, $@"(div|rem)\.{Integer}"),
        (50, @"dp4a\.[su]32\.[su]32"),
        (10, @"div\.(rn|full|approx)(\.ftz)?\.f32|div\.rn\.f64"),
        (10, @"(abs|neg)\.s(16|32|64)|(abs|neg)(\.ftz)?\.f(32|64)"),
        (10, $@"(min|max)\.{Integer}|(min|max)(\.ftz)?\.f(32|64)"),
        (70, @"(min|max)(\.ftz)?\.NaN\.f32"),
        (10, @"(and|or|xor|not)\.(pred|b16|b32|b64)"),
        (10, $@"shl\.{Bits}|shr\.[bsu](16|32|64)"),
        (20, @"(popc|clz|brev)\.b(32|64)|bfe\.[su](32|64)|bfi\.b(32|64)|bfind(\.shiftamt)?\.[su](32|64)|prmt\.b32"),
        (31, @"shf\.[lr]\.(wrap|clamp)\.b32"),
        (43, @"lop3\.b32"),
        (10, $@"setp\.(eq|ne|lt|le|gt|ge|lo|ls|hi|hs|equ|neu|ltu|leu|gtu|geu|num|nan)(\.(and|or|xor))?(\.ftz)?\.{Any}"),
        (10, $@"selp\.{Any}"),
        (10, $@"mov\.(pred|{Any})"),
        (10, $@"ld(\.volatile)?\.(param|global|shared|const)(\.v[24])?\.{Any}"),
        (31, $@"ld\.global\.nc(\.v[24])?\.{Any}"),
        (10, $@"st(\.volatile)?\.(global|shared)(\.v[24])?\.{Any}"),
        (60, $@"(ld|st)\.(relaxed|acquire|release)\.(cta|gpu|sys)\.(global|shared)(\.v[24])?\.{Any}"),
        (20, @"cvta(\.to)?\.(global|shared)\.u64"),
        (10, $@"cvt(\.r[nzmp]i?)?(\.ftz)?(\.sat)?\.[suf](8|16|32|64)\.[suf](8|16|32|64)"),
        (70, @"cvt\.rn(\.relu)?\.bf16(x2)?\.f32|cvt\.rna\.tf32\.f32"),
        (10, @"(rcp|sqrt)\.(rn|approx)(\.ftz)?\.f32|(rcp|sqrt)\.rn\.f64|rsqrt\.approx(\.ftz)?\.f32|(sin|cos|lg2|ex2)\.approx(\.ftz)?\.f32"),
        (70, @"tanh\.approx\.f32"),
        (10, @"bra(\.uni)?|ret(\.uni)?|exit|trap"),
        (10, @"bar\.sync|membar\.(cta|gl|sys)"),
        (20, @"bar\.red\.(popc\.u32|(and|or)\.pred)"),
        (60, @"bar\.warp\.sync|fence\.(sc|acq_rel)\.(cta|gpu|sys)|barrier\.sync(\.aligned)?"),
        (60, @"shfl\.sync\.(idx|up|down|bfly)\.b32|vote\.sync\.(ballot\.b32|(any|all)\.pred)|match\.any\.sync\.b(32|64)"),
        (62, @"activemask\.b32"),
        (70, @"redux\.sync\.(add|min|max)\.[su]32|redux\.sync\.(and|or|xor)\.b32"),
        // Not of floating-point numbers: the order of their sums would differ from run to run.
        (31, @"(atom|red)(\.(global|shared))?\.(add|min|max|and|or|xor|exch|cas|inc|dec)\.[busBUS](32|64)"),
        (65, @"ldmatrix\.sync\.aligned\.m8n8\.x[124](\.trans)?\.shared\.b16"),
        (70, @"cp\.async\.(ca|cg)\.shared\.global(\.L2::\d+B)?|cp\.async\.(commit_group|wait_group|wait_all)"),
        (70, @"mma\.sync\.aligned\.m16n8k(8|16)\.row\.col\.f32\.bf16\.bf16\.f32|mma\.sync\.aligned\.m16n8k[48]\.row\.col\.f32\.tf32\.tf32\.f32"),
        (70, @"mma\.sync\.aligned\.m16n8k(8|16)\.row\.col\.f32\.f16\.f16\.f32"),
        (70, @"mma\.sync\.aligned\.m16n8k(16|32)\.row\.col(\.satfinite)?\.s32\.[us]8\.[us]8\.s32"),
        (71, @"mma\.sync\.aligned\.m16n8k(128|256)\.row\.col\.s32\.b1\.b1\.s32\.and\.popc"),
    ];

    private static readonly (int Version, Regex Pattern)[] Compiled =
        Array.ConvertAll(Known, entry => (entry.Version, new Regex($"^(?:{entry.Pattern})$", RegexOptions.CultureInvariant)));

    private static readonly ConcurrentDictionary<string, int> Found = new();

    /// <summary>The ISA version that an opcode came with (70 is 7.0); 0 where the list does not have it.</summary>
    public static int VersionOf(string opcode) =>
        Found.GetOrAdd(opcode, key => Compiled.Where(entry => entry.Pattern.IsMatch(key)).Select(entry => entry.Version).FirstOrDefault());
}
