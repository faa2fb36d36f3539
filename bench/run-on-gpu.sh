#!/bin/bash
# All that only a GPU can tell, in one command of less than 8 minutes, on a machine with NVIDIA's driver: every kernel beside what it made on the emulator, speeds
# beside cuDNN, cuBLAS and PyTorch, a profile, trainings in every precision, compute-sanitizer, tests. What is there is used: cuDNN, cuBLAS, ncu,
# compute-sanitizer, nvcc, clang, a Python with torch. It needs python3, and no .NET.
#
# usage: bench/run-on-gpu.sh [PART...]   all parts in their order, or some: info replay full describe train match sanitizers kernels peers profile precisions
#                                        trainings tests compilers
#        bench/run-on-gpu.sh pack        where the .NET SDK is, before: artifacts/gpu.tar.xz, with this script in it and all that it runs; unpack it anywhere
#        bench/run-on-gpu.sh prepare     what `pack` puts beside the programs: artifacts/gpu
#
#   LIMIT=465    seconds in all; the parts share them in proportion to `plan`, and what one does not need is there for those behind it
#   OUT=DIR      where the results go: parts.json, tables.md, benches.json, replay.jsonl, roofline-*.png, ncu.csv, clocks.csv, log.txt; usually
#                bench/results/DEVICE-DATE-COMMIT. What a part has found stands in OUT/work at once; a run that is killed leaves it there
#   TESTS=DIR    where the tests' program is; usually artifacts/tests, made by `pack`
#   TOOL=FILE    the tool; usually the one beside the tests
#   TINY=1       smallest sizes and PyTorch on the CPU, to try the script itself with the emulator as the driver, and with stand-ins for NVIDIA's tools
#                (tests/emulator/tools): TINY=1 CUDAL2NET_DRIVER=$PWD/artifacts/emulator/libcuda-emulator.so bench/run-on-gpu.sh
#
# exit code: 1 if a part failed, else 3 if one ran out of its time, else 0; parts.json says which and why.
#
# So far it has been run with the emulator as the driver only.
set -uo pipefail
# The parts, what one would miss most first, and their seconds.
plan="info:10 replay:30 full:15 describe:15 train:25 match:15 sanitizers:40 kernels:25 peers:75 profile:35 precisions:60 trainings:45 tests:60 compilers:15"
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
packed=$root/artifacts/gpu
export CUDAL2NET_DRIVER=${CUDAL2NET_DRIVER:-libcuda.so.1}
export CUDAL2NET_CACHE=$packed/cache CUDA_CACHE_PATH=$packed/compiled CUDA_CACHE_MAXSIZE=1073741824
export TESTINGPLATFORM_TELEMETRY_OPTOUT=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 LC_ALL=C TZ=UTC PYTHONDONTWRITEBYTECODE=1
tests=$(realpath -m "${TESTS:-artifacts/tests}")
tool=${TOOL:-$tests/CudaL2Net.Cli}
tiny=${TINY:-}
limit=${LIMIT:-$([ -n "$tiny" ] && echo 7200 || echo 465)}
sized() { [ -n "$tiny" ] || echo "$@"; } # arguments that the smallest sizes do without

# Tools of NVIDIA's that are not on PATH: the newest.
for folder in /usr/local/cuda/bin $(ls -d /usr/local/cuda-*/bin /opt/nvidia/nsight-compute/* 2>/dev/null | sort -rV); do PATH=$PATH:$folder; done
[ -z "$tiny" ] || PATH=$PATH:$root/tests/emulator/tools

# What the parts need beside the programs. What making patches needs, OpenCV, wants libraries that a bare machine lacks: patches go along. So do cubins, if there
# is an assembler, so that the driver need not compile; and launches with what they made on the emulator.
prepare() {
    local points file recorded=$root/artifacts/launches.bin
    rm -rf "$packed"
    mkdir -p "$packed/kernels"
    for points in 40 1500; do
        "$tool" train --data synthetic --points $points --preset quick --device cpu --batch 4 --steps 1 --validation none --out "$packed/run"
        rm -r "$packed/run"
    done
    cp artifacts/kernels/*.ptx "$packed/kernels"
    for file in "$packed"/kernels/*.ptx; do
        ! command -v ptxas >/dev/null || ptxas -arch=sm_90 "$file" -o "${file%.ptx}.cubin"
    done
    if [ ! -f $recorded ] || [ -n "$(find artifacts/kernels artifacts/emulator -maxdepth 1 -type f -newer $recorded)" ]; then
        rm -f $recorded
        CUDAL2NET_EMULATOR_PTX=1 CUDAL2NET_EMULATOR_RECORD=$recorded.new CUDAL2NET_DRIVER=$root/artifacts/emulator/libcuda-emulator.so \
            CUDAL2NET_CUBLAS=$root/artifacts/emulator/libcuda-emulator.so CUDAL2NET_CUDNN=$root/artifacts/emulator/libcuda-emulator.so \
            "$tests/CudaL2Net.Tests" --no-ansi --progress off --filter "TestCategory=Cuda&FullyQualifiedName~Tests.Kernels."
        mv $recorded.new $recorded
    fi
    python3 bench/gpu/replay.py trim $recorded "$packed/launches.bin" --bytes 131072
    grep -hoE '\.entry [A-Za-z0-9_]+' artifacts/kernels/*.ptx | cut -d' ' -f2 | sort -u | grep -v '^bench_' >"$packed/kernels.txt"
    basename -s .cs tests/CudaL2Net.Tests/Kernels/Operations/*Tests.cs >"$packed/classes.txt"
    git describe --always --exclude '*' --dirty=+ >"$packed/commit"
}

pack() {
    ./build.sh publish-tests
    prepare
    # One window over all: launches have many memories in common.
    XZ_OPT='-9 -T1' tar -cJf artifacts/gpu.tar.xz.new --exclude='libOpenCvSharpExtern*' --exclude='*onnxruntime*' --exclude='*.lib' \
        --exclude='libmscordaccore.so' --exclude='libmscordbi.so' --exclude='CudaL2Net*.xml' --exclude='*.pdb' --exclude=__pycache__ \
        bench/run-on-gpu.sh bench/collect.py bench/gpu bench/peers kernels src/CudaL2Net/Networks/Pretrained artifacts/tests artifacts/gpu
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
    if [ $code -eq 8 ] || grep -qE '^ *succeeded: 0$' "$work/$1.log" && [ $code -eq 0 ]; then missing+=("$1: no test for this device"); else judge "$1" $code; fi
}

bench() { # NAME COMMANDS ARGUMENTS...      the report goes to NAME.json
    limited "$1" "$2" "$tool" bench "${@:3}" --out "$work/$1.json"
}

has() { # PROGRAM
    command -v "$1" >/dev/null || { missing+=("$1 was not found"); return 1; }
}

part_info() {
    ! command -v nvidia-smi >/dev/null || nvidia-smi
    lscpu | grep -E '^(Model name|CPU\(s\)):'
    for program in nvcc ncu compute-sanitizer; do
        command -v $program >/dev/null && $program --version | tail -n 2
    done
    echo "Python: ${python:-none with torch} $torch"
    limited info 1 "$tool" info
}

# Every kernel once more as it was launched on the emulator, beside what it made there; registers and blocks per multiprocessor.
replay() { # NAME COMMANDS KERNELS [ARGUMENTS...]
    limited "$1" "$2" python3 bench/gpu/replay.py run "$packed/launches.bin" "$3" --out "$work/$1.jsonl" "${@:4}"
}

part_replay() { replay replay 1 "$packed/kernels"; }

# At full size each block has many units, as it seldom has in tests: the same bits twice, and those of few patches at a time.
part_full() { tests_of full 1 "(FullyQualifiedName~StepsOfFullSize|FullyQualifiedName~ManyPatches)&FullyQualifiedName~Bf16"; }

part_describe() { bench describe 1 describe --device cuda --precision bf16 int8 $(sized --batch 2048 16384); }

part_train() {
    bench train 3 train --device cuda --precision bf16 $(sized --batch 1024 256 2048)
    if "$tool" info | grep -qE 'cu(DNN|BLAS) was not found'; then
        missing+=("no cuDNN or no cuBLAS")
    else
        bench train-vendor 2 train --device cuda --kernels vendor --precision bf16 $(sized --batch 1024)
    fi
    bench train-split 1 train --device cuda --precision bf16 $(sized --batch 1024) --split
}

part_match() {
    bench match 2 match --device cuda $(sized --count 100000)
    bench match-bits 1 match --device cuda --bits $(sized --count 100000)
}

kernels_of() { # COMMANDS PRECISION
    bench kernels-$2 $1 kernels --device cuda --precision $2 --vendor $(sized --batch 1024) --plot "$out/roofline-$2.png" ${tiny:+--filter "layer 6"}
}

part_kernels() { kernels_of 1 bf16; }

# What is of less interest than bf16.
part_precisions() {
    bench describe-others 5 describe --device cuda --precision tf32 float32 $(sized --batch 2048)
    bench train-others 4 train --device cuda --precision tf32 float32 $(sized --batch 1024)
    bench train-vendor-others 3 train --device cuda --kernels vendor --precision tf32 float32 $(sized --batch 1024)
    kernels_of 2 tf32
    kernels_of 1 float32
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
    elif [[ $torch != *"GPU True"* ]]; then
        missing+=("the PyTorch here has no GPU")
    else
        compare peers 1 --device cuda --describe 2048 16384 --train 1024 256 --rounds 3 --samples 5
    fi
}

# What bounds each kernel: those of a training step, of describing, of matching.
part_profile() {
    has ncu || return
    local kernels=$(paste -sd '|' "$packed/kernels.txt")
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
    local place seed precision steps=300 points=1500 left=11 seeds="1 2 3"
    [ -z "$tiny" ] || { steps=4; points=40; seeds=1; left=5; }
    train() { # NAME ARGUMENTS...
        limited "$1" $((left--)) sh -c '"$@" >"$0"' "$work/$1.json" \
            "$tool" train --data synthetic --points $points --preset quick --json --out "$work/$1" "${@:2}"
    }
    for place in cpu cuda; do
        train run-$place --device $place --batch $([ -n "$tiny" ] && echo 4 || echo 64) --steps 20 --validation none || continue
        sed 's/.*"loss":\([^,]*\),.*/\1/' "$work/run-$place/metrics.jsonl" >"$work/losses-$place"
    done
    [ ! -f "$work/losses-cpu" ] || [ ! -f "$work/losses-cuda" ] || paste "$work/losses-cpu" "$work/losses-cuda" | awk '
        # Differences of rounding grow from step to step; the first steps must agree.
        { d = $1 - $2; d = d < 0 ? -d : d; if (d > worst) worst = d; if (NR <= 4) first = worst }
        END { printf "losses on CPU and GPU: at most %g apart in 4 steps, %g in %d\n", first, worst, NR; exit !(NR >= 4 && first < 5e-3) }' ||
        faults+=("the losses on CPU and GPU differ")
    for seed in $seeds; do
        for precision in bf16 float32 tf32; do
            train training-$precision-$seed --device cuda --precision $precision --seed $seed --steps $steps ${tiny:+--batch 4 --validation none}
        done
    done
}

# The tests of each operation in a process of its own, several at a time: after a fault nothing else runs in the same process.
part_tests() {
    local class code classes=($([ -n "$tiny" ] && echo ReluTests AddTests || cat "$packed/classes.txt")) seconds=$((deadline - SECONDS))
    tests_of gpu-only 3 "TestCategory=Gpu${tiny:+&FullyQualifiedName~AutoTakesTheGpu}"
    seconds=$(((deadline - SECONDS) * 2 / 3))
    export tests work
    printf '%s\n' "${classes[@]}" | CUDAL2NET_MULTIPROCESSORS=2 timeout -k 5 $((seconds > 3 ? seconds : 3)) xargs -P 8 -I '{}' bash -c '
        "$tests/CudaL2Net.Tests" --no-ansi --progress off --filter "TestCategory=Cuda&FullyQualifiedName~Operations.{}" >"$work/tests-{}.log" 2>&1
        echo $? >"$work/tests-{}.code"'
    for class in "${classes[@]}"; do
        code=$(cat "$work/tests-$class.code" 2>/dev/null || echo 124)
        # 8: no test ran.
        [ "$code" -eq 8 ] || judge "tests-$class" "$code"
        [ "$code" -eq 0 ] || grep -A 12 '^failed' "$work/tests-$class.log" 2>/dev/null | head -n 60
    done
    tests_of others 1 "TestCategory=Cuda&FullyQualifiedName!~Operations${tiny:+&FullyQualifiedName~KernelSignatures}"
}

# On the recorded launches. Their memory is allocated in the recorded sizes and copied whole, so initcheck would have nothing to find.
part_sanitizers() {
    local check left=3 hidden='^{"'
    has compute-sanitizer || return
    for check in memcheck racecheck synccheck; do
        limited $check $((left--)) compute-sanitizer --tool $check --print-limit 20 --error-exitcode 1 \
            python3 bench/gpu/replay.py work "$packed/launches.bin" "$packed/kernels"
        grep -c '"verdict": "\(same\|close\)"' "$work/$check.log" | sed "s/^/$check: launches done: /"
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
        replay replay-$name $((left--)) "$folder" ${tiny:+--only add}
    done
}

# Runs one part and says what came of it, in a line of $work/parts: part, result, seconds, why.
run_part() { # PART
    local before=$SECONDS began=$(date +%s) result why
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
    printf '%s\t%s\t%d\t%s\t%d\t%d\n' "$1" "$result" $((SECONDS - before)) "$why" "$began" "$(date +%s)" >>"$work/parts"
    tail -n 1 "$work/parts"
}

# Puts together what there is by now, so that it is kept if the script is stopped.
collect() {
    {
        printf '{"device":"%s","driver":"%s","commit":"%s","date":"%s","tiny":%s,"limit":%d,"seconds":%d,"parts":[\n' \
            "$device" "$CUDAL2NET_DRIVER" "$commit" "$date" "$([ -n "$tiny" ] && echo true || echo false)" "$limit" $SECONDS
        sed 's/[\\"]/\\&/g' "$work/parts" |
            awk -F '\t' '{ printf "%s{\"part\":\"%s\",\"result\":\"%s\",\"seconds\":%d,\"why\":\"%s\",\"began\":%d,\"ended\":%d}", (NR > 1 ? ",\n" : ""), $1, $2, $3, $4, $5, $6 }'
        printf ']}\n'
    } >"$out/parts.json"
    python3 bench/collect.py "$work" "$out"
}

# Clocks and power twice a second, for each part's mean: a device that is hot, or another's, explains a slow bench.
watch_clocks() {
    command -v nvidia-smi >/dev/null || return
    nvidia-smi --query-gpu=timestamp,clocks.sm,clocks.mem,power.draw,temperature.gpu,utilization.gpu --format=csv,noheader,nounits -lms 500 >"$out/clocks.csv" 2>&1 &
    watcher=$!
    trap 'kill "$watcher" 2>/dev/null' EXIT
}

run_parts() {
    local name shares=0 deadline=0
    echo "device $device, driver $CUDAL2NET_DRIVER, commit $commit, $date"
    [ -n "$python" ] || echo "no Python with torch and numpy: nothing is compared with PyTorch"
    for name in $parts; do shares=$((shares + $(seconds_of "$name"))); done
    : >"$work/parts"
    watch_clocks
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

if [ "${1:-}" = pack ] || [ "${1:-}" = prepare ]; then
    set -e
    "$1"
    exit
fi
everything=$(sed 's/:[0-9]*//g' <<<"$plan")
for name in "$@"; do
    [[ " $everything " == *" $name "* ]] || { echo "error: there is no part '$name'; the parts are $everything" >&2; exit 2; }
done
parts=$everything
[ $# -eq 0 ] || parts=$(for name in $everything; do [[ " $* " == *" $name "* ]] && echo "$name"; done)
command -v python3 >/dev/null || { echo "error: python3 was not found: install it" >&2; exit 2; }
if [ ! -x "$tests/CudaL2Net.Tests" ] && [ -f artifacts/gpu.tar.xz ]; then
    # Not all machines have xz.
    tar -xJf artifacts/gpu.tar.xz artifacts || python3 -c 'import tarfile
with tarfile.open("artifacts/gpu.tar.xz") as archive: archive.extractall(members=[file for file in archive if file.name.startswith("artifacts")])' || exit 2
fi
[ -x "$tests/CudaL2Net.Tests" ] || "$0" pack || exit 2
[ -f "$packed/commit" ] || "$0" prepare || exit 2

commit=$(cat "$packed/commit") # of what was packed
export CUDAL2NET_KERNELS=$packed/kernels
date=$(date -u +%Y-%m-%dT%H:%MZ)
results=bench/results
device=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1)
if [[ $CUDAL2NET_DRIVER == *emulator* ]]; then
    device="emulated CUDA device"
    results=artifacts
    export CUDAL2NET_CUBLAS=$CUDAL2NET_DRIVER CUDAL2NET_CUDNN=$CUDAL2NET_DRIVER # its stand-ins
fi
device=${device:-unknown device}
# PyTorch is loaded once: it takes seconds. cuDNN and cuBLAS may have come with it.
python= torch= brought=
for candidate in python3 /usr/bin/python3; do
    [ -z "$python" ] || break
    torch=$("$candidate" -c 'import glob, os, sys, torch, numpy
print("Python", sys.version.split()[0], "torch", torch.__version__, "CUDA", torch.version.cuda, "GPU", torch.cuda.is_available())
print(":".join(glob.glob(os.path.join(os.path.dirname(torch.__path__[0]), "nvidia", "*", "lib"))))' 2>/dev/null) && python=$candidate
done
[ -z "$python" ] || { brought=$(tail -n 1 <<<"$torch"); torch=$(head -n 1 <<<"$torch"); }
[[ $brought != /* ]] || export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$brought
out=${OUT:-$results/$(tr 'A-Z' 'a-z' <<<"$device" | tr -cs 'a-z0-9\n' '-')-${date%T*}-$commit}
mkdir -p "$out" || exit 2
out=$(cd "$out" && pwd)
work=$out/work
rm -rf "$work"
mkdir "$work"
run_parts 2>&1 | tee "$out/log.txt"
code=${PIPESTATUS[0]}
rm -rf "$work"
exit "$code"
