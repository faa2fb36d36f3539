#!/bin/bash
# All that only a GPU can tell, in one command of less than 8 minutes, on a machine with NVIDIA's driver: tests, speeds beside cuDNN, cuBLAS and PyTorch,
# a profile, trainings in every precision, compute-sanitizer. What is there is used: cuDNN, cuBLAS, ncu, compute-sanitizer, nvcc, clang, a Python with
# torch; no .NET is needed.
#
# usage: bench/run-on-gpu.sh [PART...]   all parts in their order, or some: info smoke describe train match kernels peers profile trainings tests sanitizers
#                                        compilers commands peers-cpu
#        bench/run-on-gpu.sh pack        where the .NET SDK is, before: artifacts/gpu.tar.xz, with this script in it and all that it runs; unpack it anywhere
#
#   LIMIT=465    seconds in all; the parts share them in proportion to `plan`, and what one does not need is there for those behind it
#   OUT=DIR      where the results go: parts.json, tables.md, benches.json, roofline-*.png, ncu.csv, log.txt; usually bench/results/DEVICE-DATE-COMMIT
#   TINY=1       smallest sizes and PyTorch on the CPU, to try the script itself with the emulator as the driver:
#                TINY=1 CUDAL2NET_DRIVER=$PWD/artifacts/emulator/libcuda-emulator.so bench/run-on-gpu.sh
#
# exit code: 1 if a part failed, else 3 if one ran out of its time, else 0; parts.json says which and why.
#
# So far it has been run with the emulator as the driver only.
set -uo pipefail
# The parts, what one would miss most first, and their seconds.
plan="info:5 smoke:50 describe:20 train:40 match:20 kernels:55 peers:75 profile:35 trainings:45 tests:30 sanitizers:40 compilers:20 commands:10 peers-cpu:20"
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
export CUDAL2NET_DRIVER=${CUDAL2NET_DRIVER:-libcuda.so.1}
export CUDAL2NET_CACHE=$root/artifacts/gpu/cache
export TESTINGPLATFORM_TELEMETRY_OPTOUT=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 LC_ALL=C
tests=$root/artifacts/tests
tool=$tests/CudaL2Net.Cli
tiny=${TINY:-}
limit=${LIMIT:-$([ -n "$tiny" ] && echo 7200 || echo 465)}
sized() { [ -n "$tiny" ] || echo "$@"; } # arguments that the smallest sizes do without
training() { "$tool" train --data synthetic --points "$1" --preset quick "${@:2}"; }

# What making patches needs, OpenCV, wants libraries that a bare machine lacks: patches go along.
pack() {
    set -e
    ./build.sh publish-tests
    rm -rf artifacts/gpu
    mkdir artifacts/gpu
    for points in 40 1500; do
        training $points --device cpu --batch 4 --steps 1 --validation none --out artifacts/gpu/run
        rm -r artifacts/gpu/run
    done
    grep -hoE '\.entry [A-Za-z0-9_]+' artifacts/kernels/*.ptx | cut -d' ' -f2 | sort -u | grep -v '^bench_' >artifacts/gpu/kernels.txt
    basename -s .cs tests/CudaL2Net.Tests/Kernels/Operations/*Tests.cs >artifacts/gpu/classes.txt
    git describe --always --exclude '*' --dirty=+ >artifacts/gpu/commit
    XZ_OPT=-T0 tar -cJf artifacts/gpu.tar.xz.new --exclude='libOpenCvSharpExtern*' --exclude='onnxruntime*.dll' --exclude='*.lib' \
        --exclude='libmscordaccore.so' --exclude='libmscordbi.so' --exclude='CudaL2Net*.xml' --exclude=__pycache__ \
        bench/run-on-gpu.sh bench/collect.py bench/peers kernels src/CudaL2Net/Networks/Pretrained tests/cli-on-emulator.sh \
        artifacts/tests artifacts/gpu
    mv artifacts/gpu.tar.xz.new artifacts/gpu.tar.xz
    ls -l artifacts/gpu.tar.xz
}

# Running a part: what went wrong goes to `faults`, what was stopped to `late`, what could not be done to `missing`; `ran` says whether anything was done.

# Runs a command for an equal share of the part's time, where so many of its commands still come, this one included. The output is in $work/NAME.log.
attempt() { # NAME COMMANDS COMMAND...
    local log=$work/$1.log seconds=$(((deadline - SECONDS) / $2))
    : >"$log"
    [ $seconds -ge 3 ] || return 124
    timeout -k 5 $seconds "${@:3}" 2>&1 | tee "$log" | grep --line-buffered -vE "${hidden:-^[a-z ]+ +[0-9]+ %  }"
    return "${PIPESTATUS[0]}"
}

judge() { # NAME CODE
    case $2 in
        0) ran=1 ;;
        124 | 137) late+=("$1") ;;
        *) faults+=("$1: exit code $2: $(grep -iE 'error|fail|exception' "$work/$1.log" | head -n 1)") ;;
    esac
    return "$2"
}

limited() { # NAME COMMANDS COMMAND...
    attempt "$@"
    judge "$1" $?
}

# Tests, without the lines of those that passed.
tests_of() { # NAME COMMANDS FILTER [COMMAND...]
    local code hidden='^(passed|skipped) |^ *$|needs a GPU|Standard output'
    attempt "$1" "$2" "${@:4}" "$tests/CudaL2Net.Tests" --no-ansi --progress off --output detailed --filter "$3"
    code=$?
    # 8: no test ran.
    if [ $code -eq 8 ]; then missing+=("$1: no test for this device"); else judge "$1" $code; fi
}

bench() { # NAME COMMANDS ARGUMENTS...      the report goes to NAME.json
    limited "$1" "$2" "$tool" bench "${@:3}" --out "$work/$1.json"
}

has() { # PROGRAM
    command -v "$1" >/dev/null || { missing+=("$1 is not on PATH"); return 1; }
}

part_info() {
    ! command -v nvidia-smi >/dev/null || nvidia-smi
    lscpu | grep -E '^(Model name|CPU\(s\)):'
    for program in nvcc ncu compute-sanitizer; do
        command -v $program >/dev/null && $program --version | tail -n 2
    done
    [ -z "$python" ] || "$python" -c 'import sys, torch; print("Python", sys.version.split()[0], "torch", torch.__version__, "CUDA", torch.version.cuda)'
    limited info 1 "$tool" info
}

# Every kernel, at the sizes of its tests. After a fault nothing else runs in the same process, so then each class of tests runs by itself.
part_smoke() {
    local class classes=($(cat artifacts/gpu/classes.txt)) left
    tests_of smoke 1 "TestCategory=Cuda&FullyQualifiedName~Operations"
    [ ${#faults[@]} -gt 0 ] || return
    left=${#classes[@]}
    for class in "${classes[@]}"; do
        tests_of "$class" $((left--)) "TestCategory=Cuda&FullyQualifiedName~Operations.$class."
    done
}

part_describe() { bench describe 1 describe --device cuda --precision int8 bf16 tf32 float32 $(sized --batch 2048 16384); }

part_train() {
    bench train 3 train --device cuda --precision bf16 tf32 float32 $(sized --batch 1024 256 2048)
    if "$tool" info | grep -qE 'cu(DNN|BLAS) was not found'; then
        missing+=("no cuDNN or no cuBLAS")
    else
        bench train-vendor 2 train --device cuda --kernels vendor --precision bf16 tf32 float32 $(sized --batch 1024)
    fi
    bench train-split 1 train --device cuda --precision bf16 $(sized --batch 1024) --split
}

part_match() {
    bench match 2 match --device cuda $(sized --count 100000)
    bench match-bits 1 match --device cuda --bits $(sized --count 100000)
}

part_kernels() {
    local precision left=3
    for precision in bf16 tf32 float32; do
        bench kernels-$precision $((left--)) kernels --device cuda --precision $precision --vendor $(sized --batch 1024) --plot "$out/roofline-$precision.png"
    done
}

compare() { # NAME COMMANDS ARGUMENTS...      with PyTorch, in turn; compare.py leaves out by itself what it has no time for
    local seconds=$(((deadline - SECONDS) / $2 - 20))
    limited "$1" "$2" "$python" bench/peers/compare.py --tool "$tool" --seconds $((seconds > 10 ? seconds : 10)) --out "$work/$1" "${@:3}"
}

part_peers() {
    if [ -z "$python" ]; then
        missing+=("no Python with torch and numpy")
    elif [ -n "$tiny" ]; then
        compare peers 1 --device cpu --describe 16 --train 16 --rounds 2 --samples 2
    elif ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
        missing+=("the PyTorch here has no GPU")
    else
        compare peers 1 --device cuda --describe 2048 16384 --train 1024 256 --rounds 3 --samples 5
    fi
}

# What bounds each kernel: those of a training step, of describing, of matching.
part_profile() {
    has ncu || return
    local kernels=$(paste -sd '|' artifacts/gpu/kernels.txt)
    profile() { # NAME COMMANDS LAUNCHES ARGUMENTS...
        limited "profile-$1" "$2" ncu --clock-control none --csv --page details --log-file "$work/ncu-$1.csv" \
            --kernel-name "regex:^($kernels)\$" --launch-count "$3" --section SpeedOfLight --section LaunchStats --section Occupancy \
            --section WarpStateStats --section MemoryWorkloadAnalysis --section ComputeWorkloadAnalysis \
            "$tool" bench "$1" --device cuda --rounds 1 "${@:4}" || tail -n 5 "$work/ncu-$1.csv"
    }
    profile train 3 60 --precision bf16 $(sized --batch 1024)
    profile describe 2 12 --precision bf16 $(sized --batch 2048)
    profile match 1 6 $(sized --count 20000)
}

# The same run on the CPU and on the GPU; then each precision from three seeds.
part_trainings() {
    local place seed precision steps=300 points=1500 left=11
    [ -z "$tiny" ] || { steps=4; points=40; }
    train() { # NAME ARGUMENTS...
        limited "$1" $((left--)) sh -c '"$@" >"$0"' "$work/$1.json" \
            "$tool" train --data synthetic --points $points --preset quick --json --out "$work/$1" "${@:2}"
    }
    for place in cpu cuda; do
        train run-$place --device $place --batch $([ -n "$tiny" ] && echo 4 || echo 64) --steps 20 --validation none || return
        sed 's/.*"loss":\([^,]*\),.*/\1/' "$work/run-$place/metrics.jsonl" >"$work/losses-$place"
    done
    paste "$work/losses-cpu" "$work/losses-cuda" | awk '
        # Differences of rounding grow from step to step; the first steps must agree.
        { d = $1 - $2; d = d < 0 ? -d : d; if (d > worst) worst = d; if (NR <= 4) first = worst }
        END { printf "losses on CPU and GPU: at most %g apart in 4 steps, %g in %d\n", first, worst, NR; exit !(NR >= 4 && first < 5e-3) }' ||
        faults+=("the losses on CPU and GPU differ")
    for seed in 1 2 3; do
        for precision in bf16 float32 tf32; do
            train training-$precision-$seed --device cuda --precision $precision --seed $seed --steps $steps ${tiny:+--batch 4 --validation none}
        done
    done
}

part_tests() {
    tests_of gpu-only 2 "TestCategory=Gpu"
    tests_of others 1 "TestCategory=Cuda&FullyQualifiedName!~Operations"
}

part_sanitizers() {
    local check left=3
    has compute-sanitizer || return
    for check in memcheck racecheck initcheck; do
        tests_of $check $((left--)) "TestCategory=Cuda&FullyQualifiedName~Operations" compute-sanitizer --tool $check --print-limit 20 --error-exitcode 1
    done
}

# The kernels as nvcc and clang make them on this machine.
part_compilers() {
    local compiler name source isa folder found left
    found=$(command -v nvcc clang++-19 || command -v clang++)
    [ -n "$found" ] || missing+=("neither nvcc nor clang is on PATH")
    left=$((2 * $(wc -w <<<"$found")))
    for compiler in $found; do
        name=$(basename "$compiler")
        folder=$work/ptx-$name
        mkdir "$folder"
        for source in $([ -n "$tiny" ] && echo kernels/elementwise/add.cu || echo kernels/*/*.cu); do
            # The version of PTX that a file asks for.
            isa=$(sed -n 's,^// ptx: ,,p' "$source")
            isa=${isa:-7.0}
            case $name in
                nvcc) echo "$compiler -ptx -arch=compute_80" ;;
                *) echo "$compiler -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 --cuda-feature=+ptx${isa/./} -nocudainc -nocudalib -S -w" ;;
            esac
            echo " -O3 -std=c++17 -Ikernels/include $source -o $folder/$(basename "$source" .cu).ptx"
        done | paste -d '' - - >"$work/commands"
        limited compile-$name $((left--)) xargs -a "$work/commands" -d '\n' -n 1 -P "$(nproc)" sh -c || { left=$((left - 1)); continue; }
        CUDAL2NET_KERNELS=$folder tests_of tests-$name $((left--)) "TestCategory=Cuda&FullyQualifiedName~Operations${tiny:+.AddTests}"
    done
}

# Commands that read images, beside the CPU: where OpenCV was carried along and finds its libraries.
part_commands() {
    if [ ! -f "$tests/libOpenCvSharpExtern.so" ] || ldd "$tests/libOpenCvSharpExtern.so" | grep -q 'not found'; then
        missing+=("OpenCV does not load here")
    else
        limited commands 1 tests/cli-on-emulator.sh "$tool" "$CUDAL2NET_DRIVER"
    fi
}

part_peers-cpu() {
    if [ -z "$python" ]; then
        missing+=("no Python with torch and numpy")
    else
        compare peers-cpu 1 --device cpu --rounds 3 --samples 3 --what describe ${tiny:+--describe 16}
    fi
}

# Runs one part and says what came of it, in a line of $work/parts: part, result, seconds, why.
run_part() { # PART
    local before=$SECONDS result why
    ran= faults=() late=() missing=()
    echo
    echo "== $1"
    deadline=$((deadline + limit * $(seconds_of "$1") / shares))
    "part_$1"
    [ ${#late[@]} -eq 0 ] || late=("stopped, or not begun, for want of time: ${late[*]}")
    if [ ${#faults[@]} -gt 0 ]; then
        result=failed
    elif [ ${#late[@]} -gt 0 ]; then
        result="out of time"
    elif [ -z "$ran" ]; then
        result="left out"
    else
        result=done
    fi
    why=$(printf '%s; ' "${faults[@]}" "${late[@]}" "${missing[@]}" | sed 's/^\(; \)*//; s/\(; \)*$//' | tr '\t\n' '  ')
    printf '%s\t%s\t%d\t%s\n' "$1" "$result" $((SECONDS - before)) "$why" >>"$work/parts"
    tail -n 1 "$work/parts"
}

# Puts together what there is by now, so that it is kept if the script is stopped.
collect() {
    local any
    {
        printf '{"device":"%s","driver":"%s","commit":"%s","date":"%s","tiny":%s,"limit":%d,"seconds":%d,"parts":[\n' \
            "$device" "$CUDAL2NET_DRIVER" "$commit" "$date" "$([ -n "$tiny" ] && echo true || echo false)" "$limit" $SECONDS
        sed 's/[\\"]/\\&/g' "$work/parts" |
            awk -F '\t' '{ printf "%s{\"part\":\"%s\",\"result\":\"%s\",\"seconds\":%d,\"why\":\"%s\"}", (NR > 1 ? ",\n" : ""), $1, $2, $3, $4 }'
        printf ']}\n'
    } >"$out/parts.json"
    any=$(command -v python3 || echo "$python")
    if [ -n "$any" ]; then "$any" bench/collect.py "$work" "$out"; else cp "$work"/*.json "$out"; fi
}

run_parts() {
    local name shares=0 deadline=0
    echo "device $device, driver $CUDAL2NET_DRIVER, commit $commit, $date"
    [ -n "$python" ] || echo "no Python with torch and numpy: nothing is compared with PyTorch"
    for name in $parts; do shares=$((shares + $(seconds_of "$name"))); done
    : >"$work/parts"
    deadline=$SECONDS
    for name in $parts; do
        run_part "$name"
        collect
    done
    echo
    awk -F '\t' '{ printf "%-11s%-13s%5d s  %s\n", $1, $2, $3, $4 }' "$work/parts"
    echo "$SECONDS s; results: $out"
    ! cut -f 2 "$work/parts" | grep -q failed || return 1
    ! cut -f 2 "$work/parts" | grep -q "out of time" || return 3
}

seconds_of() { sed "s/.*\b$1:\([0-9]*\).*/\1/" <<<"$plan"; }

if [ "${1:-}" = pack ]; then
    pack
    exit
fi
everything=$(sed 's/:[0-9]*//g' <<<"$plan")
for name in "$@"; do
    [[ " $everything " == *" $name "* ]] || { echo "error: there is no part '$name'; the parts are $everything" >&2; exit 2; }
done
parts=$everything
[ $# -eq 0 ] || parts=$(for name in $everything; do [[ " $* " == *" $name "* ]] && echo "$name"; done)
if [ ! -x "$tests/CudaL2Net.Tests" ] || [ ! -f artifacts/gpu/commit ]; then
    if [ -f artifacts/gpu.tar.xz ]; then
        # Not all machines have xz.
        tar -xJf artifacts/gpu.tar.xz artifacts || python3 -c 'import tarfile
with tarfile.open("artifacts/gpu.tar.xz") as archive: archive.extractall(members=[file for file in archive if file.name.startswith("artifacts")])' || exit 2
    else
        "$0" pack || exit 2
    fi
fi

commit=$(cat artifacts/gpu/commit) # of what was packed
date=$(date -u +%Y-%m-%dT%H:%MZ)
results=bench/results
device=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1)
if [[ $CUDAL2NET_DRIVER == *emulator* ]]; then
    device="emulated CUDA device"
    results=artifacts
    export CUDAL2NET_CUBLAS=$CUDAL2NET_DRIVER CUDAL2NET_CUDNN=$CUDAL2NET_DRIVER # its stand-ins
fi
device=${device:-unknown device}
python=
for candidate in python3 /usr/bin/python3; do
    [ -n "$python" ] || ! "$candidate" -c 'import torch, numpy' 2>/dev/null || python=$candidate
done
# cuDNN and cuBLAS may have come with PyTorch.
brought=$([ -z "$python" ] || "$python" -c 'import glob, os, torch
print(":".join(glob.glob(os.path.join(os.path.dirname(torch.__path__[0]), "nvidia", "*", "lib"))))')
[ -z "$brought" ] || export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$brought
out=${OUT:-$results/$(tr 'A-Z' 'a-z' <<<"$device" | tr -cs 'a-z0-9\n' '-')-${date%T*}-$commit}
mkdir -p "$out" || exit 2
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run_parts 2>&1 | tee "$out/log.txt"
exit "${PIPESTATUS[0]}"
