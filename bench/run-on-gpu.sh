#!/bin/bash
# The checks that need a GPU, on a machine with an NVIDIA driver: the CUDA and GPU tests on the real driver, compute-sanitizer where it is on PATH, trainings
# and commands beside the CPU's, and the kernels of both compilers where both are there. Under 8 minutes; the log goes to bench/results.
#
# usage: bench/run-on-gpu.sh [TESTS]     TESTS: the folder that `./build.sh publish-tests` made (artifacts/tests); built here if there is none
#
# So far it has been run with the emulator as the driver only: CUDAL2NET_DRIVER=$PWD/artifacts/emulator/libcuda-emulator.so bench/run-on-gpu.sh
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
tests=${1:-$root/artifacts/tests}
export CUDAL2NET_DRIVER=${CUDAL2NET_DRIVER:-libcuda.so.1}
export TESTINGPLATFORM_TELEMETRY_OPTOUT=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
started=$SECONDS
limit=${LIMIT:-460}
[ -x "$tests/CudaL2Net.Tests" ] || ./build.sh publish-tests || exit 1

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
if command -v nvidia-smi >/dev/null; then
    device=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1)
else
    device=$(basename "$CUDAL2NET_DRIVER" .so)
fi
case $CUDAL2NET_DRIVER in *emulator*) folder=artifacts ;; *) folder=bench/results ;; esac
mkdir -p $folder
log=$folder/gpu-$(echo "$device" | tr -c 'A-Za-z0-9\n' '-' | tr -s '-')-$(date -u +%Y-%m-%d)-$commit.log
exec > >(tee "$log") 2>&1
echo "device $device, driver $CUDAL2NET_DRIVER, commit $commit, $(date -u +%Y-%m-%dT%H:%MZ)"
command -v nvidia-smi >/dev/null && nvidia-smi

failures=0
# Runs a part if there is time left for it.
part() { # NAME COMMAND...
    local name=$1 left=$((limit - (SECONDS - started)))
    shift
    echo
    echo "== $name"
    if [ $left -lt 10 ]; then
        echo "SKIPPED: no time left"
        return
    fi
    local before=$SECONDS
    if timeout -k 5 "$left" "$@"; then
        echo "== $name: passed ($((SECONDS - before)) s)"
    else
        echo "== $name: FAILED (exit $?, $((SECONDS - before)) s)"
        failures=$((failures + 1))
    fi
}

# Results and failures without the progress lines.
tests_of() { "$tests/CudaL2Net.Tests" --no-ansi --progress off --output detailed --filter "$1" 2>&1 | grep -vE '^(passed|skipped) |^ *$|needs a GPU|Standard output'; }
export -f tests_of
export tests

tool=$(ls "$root/artifacts/cudal2net/cudal2net" "$tests/CudaL2Net.Cli" 2>/dev/null | head -1)
part "info" "$tool" info
part "GPU tests" bash -c 'set -o pipefail; tests_of "TestCategory=Gpu"'
part "CUDA tests" bash -c 'set -o pipefail; tests_of "TestCategory=Cuda"'
part "commands beside the CPU" tests/cli-on-emulator.sh "$tool" "$CUDAL2NET_DRIVER"

compilers=0
clang=$(command -v clang++-19 || command -v clang++)
for compiler in nvcc "${clang:-none}"; do
    command -v "$compiler" >/dev/null || continue
    compilers=$((compilers + 1))
    folder=$(mktemp -d)
    for file in kernels/*.cu; do
        if [ "$compiler" = nvcc ]; then
            nvcc -ptx -arch=compute_80 -O3 -std=c++17 -Ikernels/include "$file" -o "$folder/$(basename "$file" .cu).ptx"
        else
            "$compiler" -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib -S -O3 -std=c++17 --cuda-feature=+ptx70 -Wno-unused-function \
                -Ikernels/include "$file" -o "$folder/$(basename "$file" .cu).ptx"
        fi || { echo "FAILED: $compiler $file"; failures=$((failures + 1)); }
    done
    CUDAL2NET_KERNELS=$folder part "operations with the kernels of $compiler" bash -c 'set -o pipefail; tests_of "TestCategory=Cuda&FullyQualifiedName~Operations"'
    rm -rf "$folder"
done
[ $compilers -gt 0 ] || echo "neither nvcc nor clang is here: the kernels in the library only"

if command -v compute-sanitizer >/dev/null; then
    for check in memcheck racecheck initcheck; do
        part "compute-sanitizer $check on the kernel tests" compute-sanitizer --tool $check --error-exitcode 1 \
            "$tests/CudaL2Net.Tests" --no-ansi --progress off --filter "TestCategory=Cuda&FullyQualifiedName~Operations"
    done
else
    echo "compute-sanitizer is not on PATH: not run"
fi

echo
echo "$failures parts failed, $((SECONDS - started)) s; log: $log"
exit $((failures > 0))
