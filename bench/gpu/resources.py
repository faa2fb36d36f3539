#!/usr/bin/env python3
"""Registers, shared memory, spills and bytes of code of every kernel, as NVIDIA's assembler makes them, beside kernels/resources.csv. No GPU is needed.

    bench/gpu/resources.py              compares: exit code 1 if a kernel is not as the file says, or spills more than 24 bytes
    bench/gpu/resources.py --write      writes the file

The PTX is that of artifacts/kernels (./build.sh kernels). The assembler is ptxas on PATH, or --ptxas FILE. NVIDIA's toolkit has it; Debian's is in the package
nvidia-cuda-toolkit of non-free, from which `dpkg -x FILE.deb FOLDER` takes it. Numbers of another ptxas or another compiler are other numbers: the file names both.
"""
import argparse
import csv
import glob
import io
import os
import re
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOLDEN = os.path.join(ROOT, "kernels", "resources.csv")
COLUMNS = ["kernel", "registers", "shared", "stack", "spill_stores", "spill_loads", "code"]
MOST_SPILLED = 24
SECTION = struct.Struct("<II4Q2I2Q")


def code_bytes(cubin):
    """Bytes of each kernel's code: the sizes of the sections .text.KERNEL of an ELF file."""
    with open(cubin, "rb") as file:
        data = file.read()
    start, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<3H", data, 0x3A)
    sections = [SECTION.unpack_from(data, start + i * size) for i in range(count)]
    texts = sections[names][4]

    def name(section):
        at = texts + section[0]
        return data[at : data.index(b"\0", at)].decode()

    return {name(section)[len(".text.") :]: section[5] for section in sections if name(section).startswith(".text.")}


def assemble(ptxas, path, folder):
    """The rows of a file's kernels."""
    cubin = os.path.join(folder, os.path.basename(path) + ".cubin")
    run = subprocess.run([ptxas, "-v", "-arch=sm_90", path, "-o", cubin], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode:
        raise RuntimeError(f"ptxas refuses {path}:\n{run.stdout}")
    code, rows = code_bytes(cubin), []
    for part in run.stdout.split("Compiling entry function '")[1:]:
        def found(pattern):
            match = re.search(pattern, part)
            return int(match.group(1)) if match else 0

        kernel = part[: part.index("'")]
        rows.append([kernel, found(r"Used (\d+) registers"), found(r"(\d+) bytes smem"), found(r"(\d+) bytes stack frame"), found(r"(\d+) bytes spill stores"),
                     found(r"(\d+) bytes spill loads"), code[kernel]])
    return rows


def version_of(program, pattern):
    text = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    match = re.search(pattern, text)
    return match.group(0) if match else text.strip().splitlines()[0]


def compiler_of(path):
    """What has compiled a file of PTX: the build notes the command."""
    folder, name = os.path.split(path)
    with open(os.path.join(folder, "obj", name + ".command")) as file:
        program = file.read().split()[0]
    return f"{os.path.basename(program)} {version_of(program, r'[0-9]+[.][0-9.]+')}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write kernels/resources.csv")
    parser.add_argument("--ptxas", default="ptxas", help="the assembler (default: ptxas)")
    parser.add_argument("--kernels", default=os.path.join(ROOT, "artifacts", "kernels"), help="a folder of PTX (default: artifacts/kernels)")
    arguments = parser.parse_args()
    files = sorted(glob.glob(os.path.join(arguments.kernels, "*.ptx")))
    if not files:
        sys.exit(f"error: {arguments.kernels} has no .ptx: ./build.sh kernels")
    try:
        version, compiler = version_of(arguments.ptxas, r"V[0-9.]+"), compiler_of(files[0])
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
            rows = sorted(row for of_file in pool.map(lambda path: assemble(arguments.ptxas, path, folder), files) for row in of_file)
    except (OSError, subprocess.CalledProcessError, RuntimeError) as error:
        sys.exit(f"error: {error}")

    made = f"# ptxas {version}, sm_90; PTX by {compiler}"
    out = io.StringIO()
    out.write(made + "\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([COLUMNS, *rows])
    if arguments.write:
        with open(GOLDEN, "w") as file:
            file.write(out.getvalue())
        print(f"{len(rows)} kernels written to {GOLDEN}")
        return 0

    with open(GOLDEN) as file:
        head, *lines = file.read().splitlines()
    if head != made:
        sys.exit(f"error: {GOLDEN} is of other tools: {head.lstrip('# ')}; here: {made.lstrip('# ')}. Compare with those, or write it anew (--write)")
    golden = {row[0]: [int(value) for value in row[1:]] for row in csv.reader(lines[1:])}
    now = {row[0]: row[1:] for row in rows}
    differences = 0
    for kernel in sorted(golden.keys() | now.keys()):
        before, after = golden.get(kernel), now.get(kernel)
        if before is None or after is None:
            text = "is new" if before is None else "is gone"
        else:
            text = ", ".join(f"{column} {old} -> {new}" for column, old, new in zip(COLUMNS[1:], before, after) if old != new)
        if after and max(after[3:5]) > MOST_SPILLED:
            text = f"{text + ', ' if text else ''}spills {max(after[3:5])} bytes, more than {MOST_SPILLED}"
        if text:
            differences += 1
            print(f"{kernel}: {text}")
    print(f"{len(now)} kernels: " + (f"{differences} not as in {os.path.relpath(GOLDEN, ROOT)}; if that is meant: --write" if differences else "as before"))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
