#!/usr/bin/env python3
"""Runs recorded launches of every kernel again and compares what each makes of its memory with what was recorded. One process, one context, a verdict per kernel.

    replay.py trim LAUNCHES OUT         keeps the smallest launches of each kernel, for the way to a machine with a GPU
    replay.py run LAUNCHES KERNELS      KERNELS is a folder of PTX; of NAME.cubin beside NAME.ptx the driver gets the cubin, and the PTX if it refuses it

Launches are recorded by the emulated driver (CUDAL2NET_EMULATOR_RECORD), with the grids of its two multiprocessors. Memory is allocated in exactly the recorded
sizes, so compute-sanitizer sees every access beyond them. A process that faults or hangs is ended, its kernel judged, and another goes on behind it.

Every 32-bit word is compared, those too that the launch must leave alone. Words that are floats may differ by a share of the largest float of their allocation;
bf16 likewise, by halves of words; all others must be the same. Exit code: 1 if a kernel differs, faults or was not launched.
Needs Python 3.8 and the driver only.
"""
import argparse
import array
import ctypes
import glob
import json
import math
import os
import queue
import re
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

HEADER = struct.Struct("<8s3I3IIIII")
MAGIC = b"launch02"
# The largest difference, as a share of the largest number of its allocation. Compiled without fused multiply-adds the kernels differ by up to 7.3e-5 on the
# emulator. A bf16 has 8 bits; where inputs are rounded to fewer bits inside of a kernel, a last bit of what comes before makes another rounding.
FLOAT, ROUNDED, BF16 = 3e-4, 2e-3, 2e-2
ROUNDS = re.compile(r"bf16|tf32|int8|image|describe|project")
# Lists whose entries take their places by an atomic addition: they are compared sorted, word by word.
ANY_ORDER = re.compile(r"within_")


class Launch:
    """A launch in the file: what is launched, and where its memory stands."""

    def __init__(self, file):
        self.start = file.tell()
        head = file.read(HEADER.size)
        if len(head) < HEADER.size or head[:8] != MAGIC:
            raise ValueError(f"no launch at byte {self.start}: the file is damaged, or of another version")
        _, gx, gy, gz, bx, by, bz, self.shared, name, parameters, self.allocations = HEADER.unpack(head)
        self.grid, self.block = (gx, gy, gz), (bx, by, bz)
        self.name = file.read(name).decode()
        self.parameters = file.read(parameters)
        self.memory, self.results = [], []          # (address, bytes, place in the file); place or None where nothing changed
        for _ in range(self.allocations):
            address, size = struct.unpack("<2Q", file.read(16))
            self.memory.append((address, size, file.tell()))
            file.seek(size, 1)
        for _, size, _ in self.memory:
            changed, = struct.unpack("<Q", file.read(8))
            self.results.append(file.tell() if changed else None)
            file.seek(size if changed else 0, 1)
        self.end = file.tell()

    @property
    def threads(self):
        return math.prod(self.grid) * math.prod(self.block)

    def __str__(self):
        return f"{self.name}<<<{self.grid}, {self.block}, {self.shared}>>>"


def read_launches(path):
    launches = []
    with open(path, "rb") as file:
        end = file.seek(0, 2)
        file.seek(0)
        while file.tell() < end:
            launches.append(Launch(file))
            if launches[-1].end > end:
                raise ValueError("the file ends in the middle of a launch")
    return launches


def trim(source, target, most):
    """Keeps of each kernel its smallest launch, and further ones, those with the fewest threads first, while they are below `most` bytes together."""
    kept, spent = [], {}
    for launch in sorted(read_launches(source), key=lambda launch: (launch.threads, launch.end - launch.start)):
        size = launch.end - launch.start
        if launch.name not in spent or spent[launch.name] + size <= most:
            spent[launch.name] = spent.get(launch.name, 0) + size
            kept.append(launch)
    with open(source, "rb") as read, open(target + ".tmp", "wb") as write:
        for launch in kept:
            read.seek(launch.start)
            write.write(read.read(launch.end - launch.start))
    os.replace(target + ".tmp", target)
    print(f"{len(kept)} launches of {len(spent)} kernels, {sum(spent.values()) / 2**20:.1f} MiB")


class Driver:
    """The calls of the CUDA driver that a replay needs."""

    def __init__(self, path):
        self.library = ctypes.CDLL(path)
        self.call("cuInit", 0)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.device = device
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self.context = context
        self.enter()

    def enter(self):
        """Makes the context the calling thread's."""
        self.call("cuCtxSetCurrent", self.context)

    def call(self, name, *arguments):
        code = getattr(self.library, name)(*arguments)
        if code:
            text = ctypes.c_char_p()
            self.library.cuGetErrorString(code, ctypes.byref(text))
            raise RuntimeError(f"{name}: error {code}, {(text.value or b'').decode(errors='replace')}")

    def attribute(self, attribute):
        value = ctypes.c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(value), attribute, self.device)
        return value.value

    def load(self, image):
        module = ctypes.c_void_p()
        self.call("cuModuleLoadData", ctypes.byref(module), ctypes.c_char_p(image))
        return module

    def function(self, module, name):
        function = ctypes.c_void_p()
        self.call("cuModuleGetFunction", ctypes.byref(function), module, name.encode())
        return function

    def of_function(self, function, attribute):
        value = ctypes.c_int()
        self.call("cuFuncGetAttribute", ctypes.byref(value), attribute, function)
        return value.value

    def blocks_of_multiprocessor(self, function, threads, shared):
        blocks = ctypes.c_int()
        self.call("cuOccupancyMaxActiveBlocksPerMultiprocessor", ctypes.byref(blocks), function, threads, ctypes.c_size_t(shared))
        return blocks.value


class Kernels:
    """The kernels of a folder, its files loaded side by side: the driver compiles PTX on the threads that ask."""

    def __init__(self, driver, folder, say):
        self.driver, self.modules, self.entries, self.functions = driver, {}, {}, {}
        files = sorted(glob.glob(os.path.join(folder, "*.ptx")), key=os.path.getsize, reverse=True)
        if not files:
            raise ValueError(f"{folder} has no .ptx")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for path, (how, seconds) in zip(files, pool.map(self.load, files)):
                say({"module": os.path.basename(path)[: -len(".ptx")], "from": how, "seconds": round(seconds, 3)})

    def load(self, path):
        with open(path, "rb") as file:
            text = file.read()
        self.driver.enter()
        start, module, how = time.monotonic(), None, "PTX"
        cubin = path[: -len(".ptx")] + ".cubin"
        if os.path.exists(cubin):
            with open(cubin, "rb") as file:
                image = file.read()
            try:
                module, how = self.driver.load(image), "cubin"
            except RuntimeError as error:
                how = f"PTX; the cubin is refused: {error}"
        module = module or self.driver.load(text + b"\0")
        for name in re.findall(rb"\.entry\s+(\w+)", text):
            self.entries[name.decode()] = (module, parameter_sizes(text, name))
        return how, time.monotonic() - start

    def get(self, name):
        if name not in self.functions:
            module, sizes = self.entries[name]
            self.functions[name] = self.driver.function(module, name), sizes
        return self.functions[name]


def parameter_sizes(text, name):
    """Bytes of each parameter of a kernel."""
    head = re.search(rb"\.entry\s+" + name + rb"\s*\((.*?)\)", text, re.S)
    found = re.findall(rb"\.param\s+(?:\.align\s+\d+\s+)?\.([busf])(\d+)(?:\s+\.ptr[^,\n]*?)?\s+\w+(?:\[(\d+)\])?", head.group(1)) if head else []
    return [int(bits) // 8 * int(count or 1) for _, bits, count in found]


def moved(data, memory, places):
    """The same bytes with addresses of recorded memory turned into those of its copy."""
    words = array.array("Q", data[: len(data) // 8 * 8])
    least, most = min((a for a, _, _ in memory), default=0), max((a + s for a, s, _ in memory), default=0)
    changed = False
    for i, word in enumerate(words) if memory and has_address(words, least, most) else ():
        if least <= word <= most:
            for (address, size, _), place in zip(memory, places):
                if address <= word <= address + size:
                    words[i], changed = place + word - address, True
                    break
    return words.tobytes() + bytes(data[len(words) * 8 :]) if changed else data


def has_address(words, least, most):
    return any(least <= word <= most for word in words)


def replay(driver, function, sizes, launch, file):
    """Runs a launch. Returns the memory as it is and as it should be, where the launch was to change it or did."""
    places = []
    try:
        for _, size, _ in launch.memory:
            place = ctypes.c_uint64()
            driver.call("cuMemAlloc_v2", ctypes.byref(place), ctypes.c_size_t(size))
            places.append(place.value)
        before = []
        for (_, size, at), place in zip(launch.memory, places):
            file.seek(at)
            before.append(moved(file.read(size), launch.memory, places))
            driver.call("cuMemcpyHtoD_v2", ctypes.c_uint64(place), before[-1], ctypes.c_size_t(size))
        if sum(sizes) != len(launch.parameters):
            raise ValueError(f"{launch.name} has {sum(sizes)} bytes of parameters, and was recorded with {len(launch.parameters)}: record anew")
        values, at = [], 0
        for size in sizes:
            values.append(ctypes.create_string_buffer(moved(launch.parameters[at : at + size], launch.memory, places), max(size, 8)))
            at += size
        pointers = (ctypes.c_void_p * max(1, len(values)))(*(ctypes.addressof(value) for value in values))
        if launch.shared > 48 << 10:
            driver.call("cuFuncSetAttribute", function, 8, launch.shared)
        driver.call("cuLaunchKernel", function, *launch.grid, *launch.block, launch.shared, None, pointers, None)
        driver.call("cuCtxSynchronize")
        pairs = []
        for (_, size, _), place, old, at in zip(launch.memory, places, before, launch.results):
            now = ctypes.create_string_buffer(size)
            driver.call("cuMemcpyDtoH_v2", now, ctypes.c_uint64(place), ctypes.c_size_t(size))
            expected = old
            if at is not None:
                file.seek(at)
                expected = moved(file.read(size), launch.memory, places)
            if now.raw != expected:
                pairs.append((now.raw, expected))
        return pairs
    finally:
        for place in places:
            try:
                driver.call("cuMemFree_v2", ctypes.c_uint64(place))
            except RuntimeError:
                pass            # after a fault


def number(bits, mantissa):
    """A float of 32 bits, of which `mantissa` belong to its fraction; None where the bits are no number of an ordinary size."""
    exponent = bits >> mantissa & 255
    if bits & 0x7FFFFFFF >> (23 - mantissa) == 0:
        return 0.0
    if not 127 - 60 <= exponent <= 127 + 60:
        return None
    return struct.unpack("<f", struct.pack("<I", bits << (23 - mantissa)))[0]


def is_nan(bits, mantissa):
    return bits >> mantissa & 255 == 255 and bits & (1 << mantissa) - 1


def compare(actual, expected, rounded, any_order):
    """(words that differ, largest difference as a share of the largest number, why it is wrong or None) of an allocation."""
    tail = len(expected) % 4
    if tail and actual[-tail:] != expected[-tail:]:
        return 1, math.inf, "bytes at the end differ"
    a, e = (array.array("I", data[: len(data) - tail]) for data in (actual, expected))
    low = [word & 0xFFFF for word in e[:: max(1, len(e) // 4096)]]
    # A pair of bf16 looks like a float; the lower half of a float seldom looks like a bf16.
    halves = sum(number(half, 7) is not None for half in low) >= 0.97 * len(low)
    mantissa = 7 if halves else 23
    if halves:
        a, e = (array.array("H", words.tobytes()) for words in (a, e))
    if any_order:
        a, e = sorted(a), sorted(e)
    limit = BF16 if halves else ROUNDED if rounded else FLOAT
    largest = max((abs(v) for v in (number(bits, mantissa) for bits in e) if v is not None), default=0.0)
    differing, worst = 0, 0.0
    for i in range(len(e)):
        if a[i] == e[i] or (is_nan(a[i], mantissa) and is_nan(e[i], mantissa)):
            continue
        differing += 1
        was, should = number(a[i], mantissa), number(e[i], mantissa)
        if was is None or should is None:
            return differing, math.inf, f"at byte {i * (2 if halves else 4)}: {a[i]:#x} instead of {e[i]:#x}"
        worst = max(worst, abs(was - should) / largest if largest else math.inf)
    return differing, worst, None if worst <= limit else f"{worst:.1e} apart, {limit:g} allowed"


def resources(driver, function, launch):
    """Registers, bytes of local and shared memory of a kernel, and how many of its blocks share a multiprocessor."""
    return {"registers": driver.of_function(function, 4), "local": driver.of_function(function, 3), "shared": driver.of_function(function, 1) + launch.shared,
            "blocks": driver.blocks_of_multiprocessor(function, math.prod(launch.block), launch.shared)}


def work(arguments):
    """The process that the driver may end: says what it does line by line."""
    def say(row):
        print(json.dumps(row), flush=True)

    launches = read_launches(arguments.launches)
    driver = Driver(arguments.driver)
    kernels = Kernels(driver, arguments.kernels, say)
    say({"kernels": sorted(kernels.entries)})
    known = set()
    with open(arguments.launches, "rb") as file:
        for i, launch in enumerate(launches):
            if i < arguments.first or launch.name in arguments.without or not re.search(arguments.only, launch.name):
                continue
            say({"begins": i})
            row = {"launch": i, "kernel": launch.name}
            start = time.monotonic()
            if launch.name not in kernels.entries:
                say({**row, "verdict": "missing", "why": "no such kernel in the folder"})
                continue
            function, sizes = kernels.get(launch.name)
            pairs = replay(driver, function, sizes, launch, file)
            if launch.name not in known:
                known.add(launch.name)
                row.update(resources(driver, function, launch))
            row.update(verdict="same", words=0, error=0.0)
            for actual, expected in pairs:
                words, error, wrong = compare(actual, expected, ROUNDS.search(launch.name), ANY_ORDER.match(launch.name))
                row["words"] += words
                row["error"] = max(row["error"], error)
                row["verdict"] = "differs" if wrong or row["verdict"] == "differs" else "close" if words else row["verdict"]
                if wrong:
                    row["why"] = f"{launch}: {wrong}"
            if row["error"] == math.inf:
                row["error"] = None
            say({**row, "seconds": round(time.monotonic() - start, 4)})


def watch(arguments):
    """Starts the process that works, and another behind each that ends early; returns what they said."""
    rows, first, without, begun = [], 0, [], None
    out = open(arguments.out, "w") if arguments.out else None

    def keep(row):
        rows.append(row)
        if out:
            out.write(json.dumps(row) + "\n")
            out.flush()

    total = len(read_launches(arguments.launches))
    while first < total:
        command = [sys.executable, os.path.abspath(__file__), "work", arguments.launches, arguments.kernels, "--driver", arguments.driver, "--first", str(first),
                   "--without", ",".join(without), "--only", arguments.only]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines, errors = queue.Queue(), []
        readers = [threading.Thread(target=lambda: ([lines.put(line) for line in worker.stdout], lines.put(None)), daemon=True),
                   threading.Thread(target=lambda: errors.extend(worker.stderr), daemon=True)]
        for reader in readers:
            reader.start()
        begun, line, hangs = None, "", False
        while line is not None:
            try:
                line = lines.get(timeout=arguments.patience if begun is not None else arguments.load)
            except queue.Empty:
                hangs = True
                worker.kill()
                break
            row = json.loads(line) if line else {}
            begun = row.get("begins", begun)
            if "launch" in row:
                first, begun = row["launch"] + 1, None
            if row and "begins" not in row:
                keep(row)
        worker.wait()
        readers[1].join(5)
        text = "".join(errors).strip()
        if worker.returncode == 0 and not hangs:
            break
        if begun is None:
            raise RuntimeError("loading the kernels " + ("hangs" if hangs else f"fails:\n{text}"))
        name = read_launches(arguments.launches)[begun].name
        keep({"launch": begun, "kernel": name, "verdict": "hangs" if hangs else "faults", "why": text.splitlines()[-1] if text else f"exit code {worker.returncode}"})
        without.append(name)
        first = begun + 1
    return rows


VERDICTS = ["same", "close", "missing", "differs", "hangs", "faults"]


def verdicts_of(rows, unlaunched="bench_"):
    """Of each kernel the worst verdict of its launches, and what else was found; kernels that were not launched are missing, but for those whose names begin so."""
    verdicts = {}
    for row in (row for row in rows if "verdict" in row):
        entry = verdicts.setdefault(row["kernel"], {"launches": 0, "verdict": "same", "words": 0, "error": 0.0})
        entry["launches"] += 1
        entry["words"] += row.get("words", 0)
        entry["error"] = max(entry["error"], row.get("error") or 0.0)
        if VERDICTS.index(row["verdict"]) > VERDICTS.index(entry["verdict"]):
            entry["verdict"], entry["why"] = row["verdict"], row.get("why", "")
        entry.update({key: row[key] for key in ("registers", "local", "shared", "blocks") if key in row})
    known = {name for row in rows for name in row.get("kernels", ())}
    for name in sorted(name for name in known - verdicts.keys() if not name.startswith(tuple(unlaunched.split(",")))):
        verdicts[name] = {"launches": 0, "verdict": "missing", "words": 0, "error": 0.0, "why": "no recorded launch"}
    return verdicts


def run(arguments):
    start = time.monotonic()
    rows = watch(arguments)
    verdicts = verdicts_of(rows, arguments.unlaunched)
    print(f"{'kernel':36}{'launches':>9} {'verdict':9}{'words':>8}{'apart':>9}{'registers':>10}{'local':>6}{'blocks':>7}")
    for name, entry in sorted(verdicts.items()):
        print(f"{name:36}{entry['launches']:9} {entry['verdict']:9}{entry['words']:8}{entry['error']:9.1e}{entry.get('registers', ''):>10}{entry.get('local', ''):>6}"
              f"{entry.get('blocks', ''):>7}  {entry.get('why', '')}".rstrip())
    count = {verdict: sum(entry["verdict"] == verdict for entry in verdicts.values()) for verdict in VERDICTS}
    loads = list({row["module"]: row for row in rows if "module" in row}.values())
    print(f"{len(loads)} files of kernels in {sum(row['seconds'] for row in loads):.1f} s of threads, "
          f"{sum(row['from'] == 'cubin' for row in loads)} as cubins; {sum(entry['launches'] for entry in verdicts.values())} launches")
    failed = any(count[verdict] for verdict in VERDICTS[2:]) or not verdicts
    print(("FAILED: " if failed else "") + f"{len(verdicts)} kernels: " + ", ".join(f"{number} {verdict}" for verdict, number in count.items() if number) + f"; {time.monotonic() - start:.1f} s")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    trimming = commands.add_parser("trim", help="keep the smallest launches of each kernel")
    trimming.add_argument("launches")
    trimming.add_argument("target")
    trimming.add_argument("--bytes", type=int, default=1 << 20, help="the most of a kernel (default: 1 MiB); its smallest launch is always kept")
    for name in ("run", "work"):
        running = commands.add_parser(name, help="run and compare" if name == "run" else "what `run` starts")
        running.add_argument("launches")
        running.add_argument("kernels", help="a folder of PTX")
        running.add_argument("--driver", default=os.environ.get("CUDAL2NET_DRIVER") or "libcuda.so.1")
        running.add_argument("--out", help="a file that gets what is found, line by line as it is found, in JSON")
        running.add_argument("--only", default="", metavar="PATTERN", help="launch only kernels with this regular expression in their names")
        running.add_argument("--patience", type=float, default=20, help="seconds after which a launch hangs (default: 20)")
        running.add_argument("--load", type=float, default=180, help="seconds after which loading a file hangs (default: 180)")
        running.add_argument("--unlaunched", default="bench_", help="how the names of kernels begin that need no launch (default: bench_)")
        running.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
        running.add_argument("--without", type=lambda text: text.split(","), default=[], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        if arguments.command == "trim":
            trim(arguments.launches, arguments.target, arguments.bytes)
        elif arguments.command == "work":
            work(arguments)
        else:
            sys.exit(run(arguments))
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
