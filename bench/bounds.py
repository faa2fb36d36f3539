#!/usr/bin/env python3
"""What bounds each kernel, by what the emulator counted while it executed the kernels' PTX.

    CUDAL2NET_EMULATOR_PROFILE=profile.csv cudal2net bench train --device cuda --precision bf16 --batch 64 --rounds 1
    bench/bounds.py profile.csv --patches 64 --launches 3

For every kernel, clocks of a multiprocessor a patch (or a launch), were nothing else in its way:
  issue    warp instructions of the PTX / 4 schedulers (the assembler merges some: an upper bound)
  tensor   mma instructions: one per clock at the tensor cores' peak (sm_90), of which mma.sync reaches 0.62 (`--mma`)
  memory   passes over shared memory, and 128 bytes per clock of L1 for loads and stores of global memory (cp.async counts as a pass only)
  DRAM     the different sectors of 32 bytes that a launch reads, and those that it writes, at the multiprocessor's part of the bandwidth (`--bandwidth`): an upper
           bound, for what the launch before has left in L2 comes from there
The largest is the bound. `conflicts` and `sectors` say how much more than necessary the passes and the sectors of 32 bytes were.
"""
import argparse
import csv
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", help="the file that CUDAL2NET_EMULATOR_PROFILE named")
    parser.add_argument("--patches", type=float, default=1, help="divide by so many patches (a launch)")
    parser.add_argument("--launches", type=int, help="how often the whole was run: counts are divided by it instead of by each kernel's own launches")
    parser.add_argument("--only", default="", help="kernels whose names begin so, separated by commas")
    parser.add_argument("--multiprocessors", type=int, default=132, help="of the GPU for which patches per second are estimated (H100, H200: 132)")
    parser.add_argument("--clock", type=float, default=1.755e9, help="its clock in Hz")
    parser.add_argument("--mma", type=float, default=0.62, help="mma.sync per clock of a multiprocessor, of 1 at the peak (Hopper: 0.62)")
    parser.add_argument("--bandwidth", type=float, default=4.3e12, help="bytes per second of DRAM that are reached (H200: 4.3e12)")
    arguments = parser.parse_args()
    try:
        with open(arguments.profile, newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        sys.exit(f"error: {arguments.profile}: {error.strerror}")
    if not rows or "written_sectors" not in rows[0]:
        sys.exit(f"error: {arguments.profile} is no profile of the emulator")

    print("| kernel | issue | tensor | memory | DRAM | bound by | of it tensor | conflicts | sectors |")
    print("|---|---:|---:|---:|---:|---|---:|---:|---:|")
    total = 0
    bytes_per_clock = arguments.bandwidth / arguments.clock / arguments.multiprocessors
    for row in rows:
        if not row["kernel"].startswith(tuple(arguments.only.split(","))):
            continue
        scale = (arguments.launches or int(row["launches"])) * arguments.patches

        def count(*names):
            return sum(int(row[name]) for name in names) / scale

        def more(have, least):
            return f"{count(*have) / count(*least):.2f}" if count(*least) else ""

        sectors = ("load_sectors", "store_sectors", "copy_sectors")
        fewest = ["fewest_" + name for name in sectors]
        clocks = {"issue": count("instructions") / 4, "tensor": count("mma") / arguments.mma, "memory": count("passes") + count(*sectors[:2]) / 4,
                  "DRAM": 32 * count("read_sectors", "written_sectors") / bytes_per_clock}
        bound = max(clocks, key=clocks.get)
        total += clocks[bound]
        print(f"| `{row['kernel']}` | {clocks['issue']:,.0f} | {clocks['tensor']:,.0f} | {clocks['memory']:,.0f} | {clocks['DRAM']:,.0f} | {bound} "
              f"| {clocks['tensor'] / clocks[bound]:.0%} | {more(['passes'], ['fewest_passes'])} | {more(sectors, fewest)} |")
    print(f"\n{total:,.0f} clocks together", end="")
    if arguments.patches > 1:
        print(f": at most {arguments.multiprocessors * arguments.clock / total:,.0f} patches/s on {arguments.multiprocessors} multiprocessors at "
              f"{arguments.clock / 1e9:g} GHz, were all of them busy all the time", end="")
    print()


if __name__ == "__main__":
    main()
