#!/usr/bin/env python3
"""Puts the pieces that bench/run-on-gpu.sh leaves in a folder together: benches.json, replay*.jsonl, ncu.csv and tables.md, headed by OUT/parts.json. Pieces of
what was stopped count as far as they go. Needs Python only.

usage: bench/collect.py PIECES OUT
"""
import calendar
import csv
import glob
import io
import json
import os
import shutil
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "gpu"))
import replay

# What the table of the profile shows of each kernel: the metric's name as ncu writes it, and the column's.
PROFILED = {"Duration": "time", "Compute (SM) Throughput": "compute %", "Memory Throughput": "memory %", "DRAM Throughput": "DRAM %",
            "L1/TEX Hit Rate": "L1 hits %", "Achieved Occupancy": "occupancy %", "Registers Per Thread": "registers", "Grid Size": "blocks"}


def table(titles, rows):
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return lines + ["| " + " | ".join(str(value) for value in row) + " |" for row in rows] + [""]


def number(value, form=",.1f"):
    return "" if value is None else format(value, form)


def percent(value):
    return "" if value is None else f"{100 * value:.0f}%"


def bench_table(name, report):
    """A report of `cudal2net bench`."""
    rows = []
    for row in report["rows"]:
        median = statistics.median(row["seconds"])
        peer = row.get("peer")
        theirs = statistics.median(peer["seconds"]) if peer else None
        rows.append([row["name"], number(1e6 * median), number(row.get("patchesPerSecond"), ",.0f"), percent(row.get("bandwidthShare")),
                     percent(row.get("arithmeticShare")), row.get("bound") or "", number(row.get("error"), ".1e"), number(theirs and 1e6 * theirs),
                     number(theirs and theirs / median, ".2f")])
    machine = report["machine"]
    emulated = " EMULATED: no time is a GPU's." if machine.get("emulated") else ""
    unfinished = "" if report.get("finished", True) else " Stopped before its end."
    peaks = "; ".join(f"{peak['name']}: {peak['rate'] / 1e12:.3g} T/s" for peak in report.get("peaks", []))
    return [f"## {name}", "", f"{machine['description']}; {machine['date']}; commit {machine['commit']}.{emulated}{unfinished} Peaks measured: {peaks}.", "",
            *table(["", "µs", "patches/s", "of memory", "of arithmetic", "bound", "error", "theirs µs", "theirs/ours"], rows)]


def trainings_table(pieces):
    """The same training in every precision, from several seeds."""
    found = {}
    for name, outcome in pieces.items():
        _, precision, seed = name.split("-")
        found.setdefault(precision, []).append((seed, outcome))
    rows = []
    for precision, runs in sorted(found.items()):
        values = [[run.get(key) for _, run in sorted(runs) if run.get(key) is not None] for key in ("fpr95", "loss", "trainingSeconds")]
        rows.append([precision, len(runs), *(", ".join(f"{scale * value:.4g}" for value in column) for column, scale in zip(values, (100, 1, 1))),
                     number(100 * statistics.mean(values[0]), ".3g") if values[0] else ""])
    return ["## Trainings", "", *table(["precision", "seeds", "FPR95 in %, each", "loss at the end", "seconds", "mean FPR95 in %"], rows)] if rows else []


def replay_table(path):
    """What bench/gpu/replay.py found: kernels of each verdict, those that are not as recorded, registers and blocks."""
    rows = []
    with open(path) as file:
        for line in file:
            try:
                rows.append(json.loads(line))
            except ValueError:
                pass            # the last line of what was stopped
    verdicts = replay.verdicts_of(rows)
    counts = [f"{sum(entry['verdict'] == verdict for entry in verdicts.values())} {verdict}" for verdict in replay.VERDICTS]
    loads = [row for row in rows if "module" in row]
    table_rows = [[name, entry["launches"], entry["verdict"], f"{entry['error']:.1e}" if entry["words"] else "",
                   *(entry.get(key, "") for key in ("registers", "local", "shared", "blocks")), entry.get("why", "").replace("|", "\\|")]
                  for name, entry in sorted(verdicts.items())]
    return [f"## {os.path.basename(path)[: -len('.jsonl')]}", "", f"{len(verdicts)} kernels: {', '.join(counts)}. {len(loads)} files loaded in "
            f"{sum(row['seconds'] for row in loads):.1f} s of threads, {sum(row['from'] == 'cubin' for row in loads)} as cubins.", "",
            *table(["kernel", "launches", "verdict", "error", "registers", "local bytes", "shared bytes", "blocks per multiprocessor", ""], table_rows)]


def clocks_table(path, parts):
    """Clocks and power during each part."""
    samples = []
    with open(path, errors="replace") as file:
        for line in csv.reader(file):
            try:
                when = calendar.timegm(time.strptime(line[0].split(".")[0], "%Y/%m/%d %H:%M:%S"))
                samples.append((when, [float(value) for value in line[1:6]]))
            except (IndexError, ValueError):
                pass            # "[N/A]", or a line that was cut
    rows = []
    for part in parts:
        found = [values for when, values in samples if part["began"] <= when <= part["ended"]]
        if found:
            columns = list(zip(*found))
            rows.append([part["part"], len(found), number(statistics.median(columns[0]), ".0f"), number(min(columns[0]), ".0f"), number(max(columns[0]), ".0f"),
                         number(statistics.median(columns[1]), ".0f"), number(max(columns[2]), ".0f"), number(max(columns[3]), ".0f")])
    return ["## Clocks and power", "", *table(["part", "samples", "MHz", "least", "most", "memory MHz", "most W", "most °C"], rows)] if rows else []


def profile_rows(path):
    """ncu's csv (--page details), one row per launch: kernel and metrics."""
    with open(path, newline="", errors="replace") as file:
        text = file.read()
    # What ncu says of itself stands before and behind.
    start = text.find('"ID"')
    launches = {}
    for row in csv.DictReader(io.StringIO(text[start:] if start >= 0 else "", newline="")):
        if not row.get("Kernel Name"):
            continue
        launch = launches.setdefault(row["ID"], {"kernel": row["Kernel Name"].split("(")[0]})
        name = PROFILED.get(row.get("Metric Name"))
        # Several sections have a metric of the same name; the first is Speed Of Light's.
        if name and name not in launch:
            launch[name] = f"{row['Metric Value']} {row['Metric Unit']}" if name == "time" else row["Metric Value"]
    return list(launches.values())


def main(folder, out):
    pieces = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        try:
            with open(path) as file:
                pieces[os.path.basename(path)[: -len(".json")]] = json.load(file)
        except ValueError as error:
            print(f"{path}: {error}")
    with open(os.path.join(out, "parts.json")) as file:
        run = json.load(file)
    lines = [f"# {run['device']}, {run['date']}, commit {run['commit']}", "",
             f"By bench/run-on-gpu.sh in {run['seconds']} s.{' TINY: no time means anything.' if run['tiny'] else ''}", "",
             *table(["part", "result", "seconds", "why"], [[part["part"], part["result"], part["seconds"], part["why"].replace("|", "\\|")] for part in run["parts"]])]
    for path in sorted(glob.glob(os.path.join(folder, "peers*.md"))):
        with open(path) as file:
            lines += [file.read().replace("# Beside", "## Beside", 1)]
    for path in sorted(glob.glob(os.path.join(folder, "replay*.jsonl"))):
        lines += replay_table(path)
        shutil.copy(path, out)
    lines += trainings_table({name: piece for name, piece in pieces.items() if name.startswith("training-")})
    for name, piece in pieces.items():
        if "rows" in piece and "ratios" not in piece:
            lines += bench_table(name, piece)
    clocks = os.path.join(out, "clocks.csv")
    lines += clocks_table(clocks, run["parts"]) if os.path.exists(clocks) else []
    profiles = sorted(glob.glob(os.path.join(folder, "ncu-*.csv")))
    for path in profiles:
        rows = profile_rows(path)
        if rows:
            name = os.path.basename(path)[len("ncu-") : -len(".csv")]
            lines += [f"## Profile: {name}", "", *table(["kernel", *PROFILED.values()], [[row["kernel"], *(row.get(key, "") for key in PROFILED.values())] for row in rows])]
    results = {"tables.md": "\n".join(lines), "benches.json": json.dumps({"run": run, **pieces}, separators=(",", ":")) + "\n"}
    if profiles:
        results["ncu.csv"] = ""
        for path in profiles:
            with open(path, errors="replace") as file:
                results["ncu.csv"] += file.read()
    for name, text in results.items():
        path = os.path.join(out, name)
        with open(path + ".tmp", "w") as file:
            file.write(text)
        os.replace(path + ".tmp", path)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
