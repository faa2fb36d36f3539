#!/bin/bash
# The commands train, describe, match and evaluate on the emulated CUDA device, and their results beside the CPU's. About half a minute.
# usage: tests/cli-on-emulator.sh [TOOL [DRIVER]]     after ./build.sh; with DRIVER=libcuda.so.1 the same on a GPU
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
tool=${1:-$root/artifacts/cudal2net/cudal2net}
export CUDAL2NET_DRIVER=${2:-$root/artifacts/emulator/libcuda-emulator.so}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[[ $CUDAL2NET_DRIVER != *emulator* ]] || export CUDAL2NET_CUBLAS=$CUDAL2NET_DRIVER CUDAL2NET_CUDNN=$CUDAL2NET_DRIVER
export LC_ALL=C XDG_CACHE_HOME=$work/cache
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }

run() { "$tool" "$@" 2>>messages || { cat messages >&2; fail "cudal2net $*"; }; }

# Two columns of numbers that must not differ by more than TOLERANCE.
compare() { # NAME FILE FILE TOLERANCE
    [ -s "$2" ] || fail "$1: nothing to compare"
    [ "$(wc -l <"$2")" = "$(wc -l <"$3")" ] || fail "$1: $(wc -l <"$2") and $(wc -l <"$3") values"
    paste "$2" "$3" | awk -v name="$1" -v tolerance="$4" '
        { d = $1 - $2; d = d < 0 ? -d : d; if (d > worst) worst = d; if (!(d <= tolerance)) bad = 1 }
        END { printf "%s: %d values, at most %g apart\n", name, NR, worst; exit bad }' || fail "$1: more than $4 apart"
}

image() { # SHIFT
    awk -v shift="$1" 'BEGIN {
        print "P2\n200 150\n255"
        for (y = 0; y < 150; y++) for (x = 0; x < 200; x++) {
            u = x + shift; v = y
            print int(128 + 50 * sin(u * u / 300 + v / 7) + 40 * sin(v * v / 200 - u / 9) + 30 * sin((u + v) / 3.1))
        }
    }'
}

mkdir scene
image 0 >scene/img1.pgm
image 6 >scene/img2.pgm
printf '1 0 -6\n0 1 0\n0 0 1\n' >scene/H1to2p

"$tool" info | grep -q "device cuda:0" || fail "info does not name the device"
for device in cpu cuda; do
    run train --data synthetic --points 40 --validation none --preset quick --batch 4 --steps 2 --out $device-run --device $device
    sed 's/.*"loss":\([^,]*\),.*/\1/' $device-run/metrics.jsonl >$device-losses
    run describe scene/img1.pgm --limit 40 --out $device.npy --device $device
    od -An -v -j128 -w4 -tf4 $device.npy >$device-descriptors
    run match scene/img1.pgm scene/img2.pgm --limit 60 --json --device $device >$device-match.json
    sed -n 's/^ *"distance": \([0-9.e-]*\),*$/\1/p' $device-match.json >$device-distances
    run evaluate sequences scene --keypoints 60 --method model --json --device $device >$device-sequences.json
    grep -oE '"(meanMatchingAccuracy|averagePrecision|map|precision|recall|ap|mma)[A-Za-z0-9]*": *[0-9.]+' $device-sequences.json | sed 's/.*: *//' >$device-scores
done
# Adam's first steps are as long for a gradient that rounds to the other side of 0: the losses part from step to step, and by more on some processors.
head -n 1 cpu-losses >cpu-loss
head -n 1 cuda-losses >cuda-loss
compare "train: the first loss" cpu-loss cuda-loss 1e-5
compare "train: losses" cpu-losses cuda-losses 2e-2
if [[ $CUDAL2NET_DRIVER == *emulator* ]]; then
    run train --data synthetic --points 40 --validation none --preset quick --batch 4 --steps 2 --out vendor-run --device cuda --kernels vendor
    sed 's/.*"loss":\([^,]*\),.*/\1/' vendor-run/metrics.jsonl >vendor-losses
    compare "train: losses with the vendor's kernels" cpu-losses vendor-losses 2e-2
    run train --data synthetic --points 40 --validation none --preset quick --batch 4 --steps 1 --out vendor-bf16 --device cuda --kernels vendor --precision bf16
    sed -n '1s/.*"loss":\([^,]*\),.*/\1/p' vendor-bf16/metrics.jsonl >vendor-loss
    compare "train: loss with the vendor's kernels in bf16" cpu-loss vendor-loss 1e-2
    grep -q '"kernels": "vendor"' vendor-run/run.json || fail "run.json does not name the kernels"
    grep -q "^cuDNN, 8x8 convolution of 8x8x8x128 to 128, Forward: IMPLICIT_PRECOMP_GEMM, FMA" messages || fail "train does not tell how cuDNN convolves"
fi
compare "describe: descriptors" cpu-descriptors cuda-descriptors 1e-4
compare "match: distances" cpu-distances cuda-distances 1e-3
compare "evaluate: scores" cpu-scores cuda-scores 0.01
grep -q '"device": "cuda:0"' cuda-run/run.json || fail "run.json does not name the device"

# A run goes on where it was, on the device that it was on.
run train --data synthetic --points 40 --validation none --preset quick --batch 4 --steps 2 --out again --device cuda
cmp again/model.safetensors cuda-run/model.safetensors || fail "a second training differs"
run train --out again --resume
echo "all commands agree with the CPU"
