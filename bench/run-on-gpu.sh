#!/bin/bash
# All that only a GPU can tell, in one command of less than 8 minutes, on a machine with NVIDIA's driver: tests, speeds beside cuDNN, cuBLAS and PyTorch,
# compute-sanitizer, a profile, trainings in every precision. What is there is used: compute-sanitizer, ncu, nvcc, a Python with torch; no .NET is needed.
#
# usage: bench/run-on-gpu.sh [PART...]   all parts in their order, or some: info smoke tests kernels train describe match peers sanitizers profile trainings
#                                        compilers peers-cpu commands
#        bench/run-on-gpu.sh pack        on a machine with the .NET SDK, before: artifacts/gpu.tar.xz, which goes with the checkout
#
#   LIMIT=460    seconds in all; every part has a limit of its own besides, and what is done is kept
#   OUT=DIR      where the results go: log.txt, benches.json, tables.md, roofline-*.png, ncu.csv; usually bench/results/DEVICE-DATE-COMMIT
#   TINY=1       smallest sizes and PyTorch on the CPU, to try the script itself with the emulator as the driver:
#                TINY=1 CUDAL2NET_DRIVER=$PWD/artifacts/emulator/libcuda-emulator.so bench/run-on-gpu.sh
#
# So far it has been run with the emulator as the driver only.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
export CUDAL2NET_DRIVER=${CUDAL2NET_DRIVER:-libcuda.so.1}
export TESTINGPLATFORM_TELEMETRY_OPTOUT=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 LC_ALL=C
everything="info smoke tests kernels train describe match peers sanitizers profile trainings compilers peers-cpu commands"
tests=$root/artifacts/tests
tool=$tests/CudaL2Net.Cli
tiny=${TINY:-}
limit=${LIMIT:-$([ -n "$tiny" ] && echo 7200 || echo 460)}
sized() { [ -n "$tiny" ] || echo "$@"; } # arguments that the smallest sizes do without
# The trainings' patches are made by `pack`, for that needs OpenCV.
training=("$tool" train --data synthetic --points $([ -n "$tiny" ] && echo 40 || echo 1500) --preset quick)

pack() {
    set -e
    ./build.sh publish-tests
    rm -rf artifacts/gpu artifacts/gpu.tar.xz
    CUDAL2NET_CACHE=$root/artifacts/gpu/cache "${training[@]}" --device cpu --batch 4 --steps 1 --out artifacts/gpu/run
    rm -rf artifacts/gpu/run
    grep -hoE '\.entry [A-Za-z0-9_]+' artifacts/kernels/*.ptx | cut -d' ' -f2 | sort -u | grep -v '^bench_' >artifacts/gpu/kernels.txt
    git rev-parse --short HEAD >artifacts/gpu/commit
    # OpenCV needs libraries that a bare machine lacks; patches come from the cache.
    tar -C artifacts -cJf artifacts/gpu.tar.xz --exclude='libOpenCvSharpExtern*' --exclude='onnxruntime*.dll' --exclude='*.lib' --exclude='libmscordaccore.so' \
        --exclude='libmscordbi.so' --exclude='CudaL2Net*.xml' tests gpu
    ls -l artifacts/gpu.tar.xz
}

if [ "${1:-}" = pack ]; then
    pack
    exit
fi
parts=${*:-$everything}
for name in $parts; do
    [[ " $everything " == *" $name "* ]] || { echo "error: there is no part '$name'; the parts are $everything" >&2; exit 2; }
done
if [ ! -x "$tests/CudaL2Net.Tests" ] || [ ! -d artifacts/gpu ]; then
    if [ -f artifacts/gpu.tar.xz ]; then
        tar -C artifacts -xJf artifacts/gpu.tar.xz || python3 -m tarfile -e artifacts/gpu.tar.xz artifacts || exit 1
    else
        pack || exit 1
    fi
fi
export CUDAL2NET_CACHE=$root/artifacts/gpu/cache

commit=$(git rev-parse --short HEAD 2>/dev/null || cat artifacts/gpu/commit 2>/dev/null || echo unknown)
if command -v nvidia-smi >/dev/null; then
    device=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1)
else
    device=$(basename "$CUDAL2NET_DRIVER" .so)
fi
case $CUDAL2NET_DRIVER in *emulator*) results=artifacts ;; *) results=bench/results ;; esac
out=${OUT:-$results/$(echo "$device" | tr 'A-Z' 'a-z' | tr -c 'a-z0-9\n' '-' | tr -s '-')-$(date -u +%Y-%m-%d)-$commit}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
exec > >(tee "$out/log.txt") 2>&1
echo "device $device, driver $CUDAL2NET_DRIVER, commit $commit, $(date -u +%Y-%m-%dT%H:%MZ)"

python=
for candidate in python3 /usr/bin/python3; do
    [ -n "$python" ] || ! "$candidate" -c 'import torch, numpy' 2>/dev/null || python=$candidate
done

left() { echo $((limit - SECONDS)); }

# Runs a command for so many seconds at most, and for no longer than there is time in all.
limited() { # SECONDS COMMAND...
    local seconds=$1 left code
    shift
    [ -z "$tiny" ] || seconds=$((10 * seconds)) # the emulator takes its time
    left=$(left)
    [ "$seconds" -lt "$left" ] || seconds=$left
    if [ "$seconds" -lt 3 ]; then
        echo "no time left for: $*"
        return 124
    fi
    timeout -k 5 "$seconds" "$@"
    code=$?
    [ $code -ne 124 ] || echo "stopped after $seconds s: $*"
    return $code
}

# Results of tests and failures, without the progress lines.
tests_of() { # SECONDS FILTER [COMMAND...]
    local seconds=$1 filter=$2
    shift 2
    limited "$seconds" "$@" "$tests/CudaL2Net.Tests" --no-ansi --progress off --output detailed --filter "$filter" 2>&1 |
        grep -vE '^(passed|skipped) |^ *$|needs a GPU|Standard output'
    return "${PIPESTATUS[0]}"
}

bench() { # SECONDS NAME ARGUMENTS...      the report goes to NAME.json
    local seconds=$1 name=$2
    shift 2
    limited "$seconds" "$tool" bench "$@" --out "$work/$name.json"
}

missing() { # PROGRAM
    command -v "$1" >/dev/null && return 1
    echo "$1 is not on PATH: not run"
}

part_info() {
    if command -v nvidia-smi >/dev/null; then nvidia-smi; fi
    lscpu | grep -E '^(Model name|CPU\(s\)):'
    for program in nvcc ncu compute-sanitizer; do
        command -v $program >/dev/null && $program --version | tail -n 2
    done
    [ -z "$python" ] || "$python" -c 'import sys, torch; print("Python", sys.version.split()[0], "torch", torch.__version__, "CUDA", torch.version.cuda)'
    limited 30 "$tool" info
}

# Every kernel, at the sizes of its tests. After a fault nothing else runs in the same process, so then each file of tests runs by itself.
part_smoke() {
    tests_of 75 "TestCategory=Cuda&FullyQualifiedName~Operations" && return
    [ $? -ne 124 ] || return 1
    for file in tests/CudaL2Net.Tests/Operations/*Tests.cs; do
        name=$(basename "$file" .cs)
        if tests_of 15 "TestCategory=Cuda&FullyQualifiedName~Operations.$name." >"$work/class.txt"; then
            echo "$name: passed"
        elif [ $? -eq 8 ]; then
            echo "$name: no test on CUDA"
        else
            echo "$name: FAILED"
            head -n 40 "$work/class.txt"
        fi
    done
    return 1
}

part_tests() {
    local code=0
    tests_of 45 "TestCategory=Gpu" || code=1
    tests_of 60 "TestCategory=Cuda&FullyQualifiedName!~Operations" || code=1
    return $code
}

part_kernels() {
    local code=0
    for precision in bf16 tf32 float32; do
        bench 40 "kernels-$precision" kernels --device cuda --precision $precision --vendor $(sized --batch 1024) --plot "$out/roofline-$precision.png" || code=1
    done
    return $code
}

part_train() {
    local code=0
    bench 40 train train --device cuda --precision bf16 tf32 float32 $(sized --batch 1024 256 2048) || code=1
    bench 20 train-split train --device cuda --precision bf16 $(sized --batch 1024) --split || code=1
    bench 30 train-vendor train --device cuda --kernels vendor --precision bf16 tf32 float32 $(sized --batch 1024) || code=1
    return $code
}

part_describe() { bench 40 describe describe --device cuda --precision int8 bf16 tf32 float32 $(sized --batch 2048 16384); }

part_match() {
    local code=0
    bench 20 match match --device cuda $(sized --count 100000) || code=1
    bench 20 match-bits match --device cuda --bits $(sized --count 100000) || code=1
    return $code
}

peers() { # SECONDS NAME ARGUMENTS...
    local seconds=$1 name=$2
    shift 2
    [ -n "$python" ] || { echo "no Python with torch and numpy: not run"; return 0; }
    limited $((seconds + 30)) "$python" bench/peers/compare.py --tool "$tool" --seconds "$seconds" --out "$work/$name" "$@"
}

part_peers() {
    if [ -n "$tiny" ]; then
        peers 600 peers --device cpu --describe 16 --train 16 --rounds 2 --samples 2
    else
        # As the last part it may take all the time that there is: compiling takes most of it.
        local seconds=120
        [[ $parts != *peers ]] || seconds=$(($(left) - 40))
        peers $seconds peers --device cuda --describe 2048 16384 --train 1024 256 --rounds 3 --samples 5
    fi
}

part_peers-cpu() { peers 60 peers-cpu --device cpu --rounds 3 --samples 3 ${tiny:+--describe 16 --what describe}; }

part_sanitizers() {
    local code=0
    missing compute-sanitizer && return
    for check in memcheck racecheck initcheck; do
        echo "-- $check"
        tests_of 30 "TestCategory=Cuda&FullyQualifiedName~Operations${tiny:+.AddTests}" compute-sanitizer --tool $check --print-limit 20 --error-exitcode 1
        # Stopped for want of time, without an error until then, is no failure.
        case $? in 0 | 124) ;; *) code=1 ;; esac
    done
    return $code
}

# What bounds each kernel: those of a training step, of describing, of matching.
part_profile() {
    local code=0 names
    missing ncu && return
    names=$(paste -sd '|' artifacts/gpu/kernels.txt)
    profile() { # SECONDS NAME LAUNCHES ARGUMENTS...
        local seconds=$1 name=$2 launches=$3
        shift 3
        limited "$seconds" ncu --clock-control none --csv --page details --log-file "$work/ncu-$name.csv" --kernel-name "regex:^($names)\$" --launch-count "$launches" \
            --section SpeedOfLight --section LaunchStats --section Occupancy --section WarpStateStats --section MemoryWorkloadAnalysis \
            --section ComputeWorkloadAnalysis "$tool" bench "$@" >"$work/profiled.txt" 2>&1 || { tail -n 5 "$work/profiled.txt" "$work/ncu-$name.csv"; code=1; }
    }
    profile 30 train 60 train --device cuda --precision bf16 --rounds 1 $(sized --batch 1024)
    profile 20 describe 12 describe --device cuda --precision bf16 --rounds 1 $(sized --batch 2048)
    profile 20 match 6 match --device cuda --rounds 1 $(sized --count 20000)
    return $code
}

# The same run on the CPU and on the GPU; then each precision from three seeds.
part_trainings() {
    local code=0 steps=300 batch=64 run
    [ -z "$tiny" ] || { steps=4; batch=4; }
    for place in cpu cuda; do
        limited 40 "${training[@]}" --device $place --batch $batch --steps 20 --validation none --out "$work/run-$place" || code=1
        sed 's/.*"loss":\([^,]*\),.*/\1/' "$work/run-$place/metrics.jsonl" >"$work/losses-$place"
    done
    paste "$work/losses-cpu" "$work/losses-cuda" | awk '
        # Differences of rounding grow from step to step; the first steps must agree.
        { d = $1 - $2; d = d < 0 ? -d : d; if (d > worst) worst = d; if (NR <= 4) first = worst }
        END { printf "losses on CPU and GPU: at most %g apart in 4 steps, %g in %d\n", first, worst, NR; exit !(NR >= 4 && first < 5e-3) }' || code=1
    for seed in 1 2 3; do
        for precision in bf16 float32 tf32; do
            run=$work/run-$precision-$seed
            limited 20 "${training[@]}" --device cuda --precision $precision --seed $seed --steps $steps ${tiny:+--batch $batch --validation none} --json --out "$run" \
                >"$work/training-$precision-$seed.json" || { rm -f "$work/training-$precision-$seed.json"; code=1; }
        done
    done
    return $code
}

# The kernels as nvcc and clang make them on this machine.
part_compilers() {
    local code=0 compilers=0 clang folder
    clang=$(command -v clang++-19 || command -v clang++)
    for compiler in nvcc "${clang:-none}"; do
        command -v "$compiler" >/dev/null || continue
        compilers=$((compilers + 1))
        folder=$work/ptx-$(basename "$compiler")
        mkdir "$folder"
        if [ "$compiler" = nvcc ]; then
            flags="-ptx -arch=compute_80 -O3 -std=c++17"
        else
            flags="-x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib -S -O3 -std=c++17 --cuda-feature=+ptx70 -Wno-unused-function"
        fi
        limited 60 sh -c "ls kernels/*.cu | xargs -P $(nproc) -I{} sh -c '$compiler $flags -Ikernels/include {} -o $folder/\$(basename {} .cu).ptx'" || { code=1; continue; }
        CUDAL2NET_KERNELS=$folder tests_of 45 "TestCategory=Cuda&FullyQualifiedName~Operations${tiny:+.AddTests}" || code=1
    done
    [ $compilers -gt 0 ] || echo "neither nvcc nor clang is here: the kernels in the library only"
    return $code
}

# Commands that read pictures, beside the CPU: where OpenCV was carried along and finds its libraries.
part_commands() {
    if [ ! -f "$tests/libOpenCvSharpExtern.so" ] || ldd "$tests/libOpenCvSharpExtern.so" | grep -q 'not found'; then
        echo "OpenCV does not load here: not run"
        return
    fi
    limited 60 tests/cli-on-emulator.sh "$tool" "$CUDAL2NET_DRIVER"
}

# Puts together what there is by now, so that it is kept if the script is stopped.
collect() {
    printf '%s\n' "${summary[@]}" >"$work/parts.txt"
    local any=$(command -v python3 || echo "$python")
    [ -z "$any" ] || "$any" bench/collect.py "$work" "$out"
}

summary=()
failures=0
for name in $everything; do
    [[ " $parts " == *" $name "* ]] || continue
    before=$SECONDS
    echo
    echo "== $name"
    if [ "$(left)" -lt 5 ]; then
        result="left out: no time left"
    elif "part_$name"; then
        result=passed
    else
        result=FAILED
        failures=$((failures + 1))
    fi
    echo "== $name: $result ($((SECONDS - before)) s)"
    summary+=("$name|$result|$((SECONDS - before))")
    collect
done
echo
echo "$failures parts failed, $SECONDS s; results: $out"
exit $((failures > 0))
