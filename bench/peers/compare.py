#!/usr/bin/env python3
"""cudal2net and its peers in turn on the same machine: ours, theirs, ours, theirs. Writes the ratios as Markdown and, with every sample, as JSON.

  python3 bench/peers/compare.py --device cpu --describe 16 64 256 --train 256
  python3 bench/peers/compare.py --device cuda --describe 2048 16384 --train 256 1024 2048 --seconds 240 --out results/peers

First both are compared with the same network in double precision. Then every variant of PyTorch is tried for a moment, and the fastest ones of each kind are
measured in turn with ours; when time runs short, the last ones are left out, which is said.
"""
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch

import agreement
import describe
import onnx_runtime
import timing
import train
from common import ROOT, emit, parser, random_patches, reason, use

# A variant may stand for a precision if it computes in this or a more exact one.
PRECISIONS = ["float32", "tf32", "bf16"]
FINALISTS = 2


def default_tool():
    paths = [os.path.join(ROOT, "artifacts", *names) for names in (("cudal2net", "cudal2net"), ("tests", "CudaL2Net.Cli"))]
    return next((path for path in paths if os.path.exists(path)), paths[0])


def ours(tool, what, options, precision, batches):
    """`cudal2net bench` once: of each figure every sample in patches per second, by where the patches are and by batch; and its report."""
    text = agreement.tool(tool, "bench", what, "--device", options.device, "--precision", precision, "--batch", *map(str, batches), "--rounds",
                          str(options.samples), "--threads", str(options.threads if options.device == "cpu" else 0), "--json")
    report = json.loads(text)
    figures = {}
    for row in report["rows"]:
        if row.get("patchesPerSecond") and row["operation"] in ("training step", "describe"):
            where = "host" if "host" in row["shape"] else "device"
            figures["" if what == "train" else where, row["batch"]] = ([row["batch"] / seconds for seconds in row["seconds"]], row)
    if not figures:
        raise RuntimeError(f"bench {what} has no figures for {precision}")
    return figures, report["machine"]


class Contender:
    """A variant of theirs that is ready to be measured."""

    def __init__(self, what, where, variant, precision, batch, call, error, device):
        self.line = {"what": what, "where": where, "side": "theirs", "variant": variant, "precision": precision, "batch": batch, "error": error}
        self.where, self.batch, self.call, self.device, self.samples = where, batch, call, device, []

    def measure(self, samples):
        self.samples += [self.batch / seconds for seconds in timing.samples_of(self.call, self.device, samples)]

    def speed(self):
        return statistics.median(self.samples)


class Comparison:
    def __init__(self, options, folder):
        self.options, self.folder, self.device = options, folder, torch.device(options.device)
        self.tool = options.tool or default_tool()
        self.deadline = time.monotonic() + options.seconds
        self.left_out, self.tried, self.rows, self.machine = [], [], [], None
        self.errors = {}
        self.descriptors = agreement.Descriptors(options.model)
        self.losses = agreement.Losses(options.loss, folder) if "train" in options.what else None
        self.patches = torch.from_numpy(random_patches(min(65536, max([describe.CHECKED, *[4 * batch for batch in options.describe]]))))

    def left(self):
        return self.deadline - time.monotonic()

    def leave_out(self, why, **line):
        self.left_out.append(dict(line, reason=why))
        emit(line, [], skipped=why)

    def check_ours(self, what, precision):
        """The error of ours against double precision."""
        try:
            if what == "describe":
                return self.descriptors.error_of_tool(self.tool, self.options.device, precision, self.folder)
            return self.losses.errors(self.losses.of_tool(self.tool, self.options.device, precision))["firstLoss"]
        except Exception as failure:
            self.leave_out(reason(failure), what=what, precision=precision, side="ours", check=True)
            return None

    def prepare(self, what, variant, precision, batch):
        if what == "describe":
            if isinstance(variant, onnx_runtime.Variant):
                call = onnx_runtime.Describer(self.tool, self.options, self.patches, batch, self.folder)
            else:
                call = describe.Describer(variant, self.options.model, self.patches, batch, precision, self.device)
            error = describe.largest_error(call, torch.from_numpy(self.descriptors.patches), self.descriptors.expected)
            where = "device" if self.device.type == "cuda" else "host"
            return Contender(what, where, variant.name, precision, batch, call, error, self.device)
        key = (variant.name, precision)
        if key not in self.errors and not (variant.takes_long and self.left() < self.options.seconds / 2):
            self.errors[key] = self.losses.errors(self.losses.of_variant(variant, precision, self.device))["firstLoss"]
        call = train.random_training(variant, batch // 2, self.options.loss, precision, self.device)
        return Contender(what, "", variant.name, precision, batch, call, self.errors.get(key), self.device)

    def finalists(self, what, precision, batches):
        """The fastest variants, after a moment of each."""
        best = []
        variants = train.VARIANTS if what == "train" else describe.VARIANTS + onnx_runtime.VARIANTS
        for variant in variants:
            for batch in batches:
                line = {"what": what, "side": "theirs", "variant": variant.name, "precision": precision, "batch": batch}
                if self.left() < (self.options.seconds / 3 if variant.takes_long else 5):
                    self.leave_out("no time left", **line)
                    continue
                try:
                    contender = self.prepare(what, variant, precision, batch)
                    contender.measure(3)
                except Exception as failure:
                    self.leave_out(reason(failure), **line)
                    continue
                memory = timing.device_memory(self.device)
                self.tried.append(emit(contender.line, list(contender.samples), memory=memory))
                best = sorted([*best, contender], key=Contender.speed)[-FINALISTS:]
                contender = None
        for contender in best:
            contender.samples = []
        if self.device.type == "cuda" and what == "describe":
            best += [Contender(what, "host", *(contender.line[key] for key in ("variant", "precision", "batch")), contender.call.from_host,
                               contender.line["error"], self.device) for contender in best]
        return best

    def in_turn(self, what, precision, batches):
        with torch.set_grad_enabled(what == "train"):
            error = self.check_ours(what, precision)
            if what == "describe":
                contenders = self.finalists(what, precision, batches)
            else:
                contenders = [contender for batch in batches for contender in self.finalists(what, precision, [batch])]
            mine = {}
            for number in range(self.options.rounds):
                if number > 0 and self.left() < 0:
                    self.leave_out("no time left", what=what, precision=precision, round=number + 1)
                    break
                try:
                    figures, self.machine = ours(self.tool, what, self.options, precision, batches)
                    for key, (samples, row) in figures.items():
                        entry = mine.setdefault(key, {"samples": [], "medians": [], "row": row})
                        entry["samples"] += samples
                        entry["medians"].append(statistics.median(samples))
                        if row.get("peer"):
                            rival = entry.setdefault("rival", {"name": row["peer"]["name"], "samples": [], "medians": []})
                            rival["samples"] += [key[1] / seconds for seconds in row["peer"]["seconds"]]
                            rival["medians"].append(key[1] / statistics.median(row["peer"]["seconds"]))
                except Exception as failure:
                    self.leave_out(reason(failure), what=what, precision=precision, side="ours")
                for contender in contenders:
                    contender.measure(self.options.samples)
        for (where, batch), entry in mine.items():
            line = {"what": what, "where": where, "side": "ours", "precision": precision, "batch": batch, "error": error, "rounds": entry["medians"]}
            more = {key: entry["row"][key] for key in ("hostMicroseconds", "deviceBytes", "arithmeticShare") if entry["row"].get(key) is not None}
            self.rows.append(emit(line, entry["samples"], **more))
            if "rival" in entry:
                # ONNX Runtime, which `bench describe` itself measures in turn with ours.
                rival = dict(line, side="theirs", variant=f"{entry['rival']['name']}, by our bench", error=None, rounds=entry["rival"]["medians"])
                self.rows.append(emit(rival, entry["rival"]["samples"]))
        for contender in contenders:
            size = self.options.samples
            medians = [statistics.median(contender.samples[first : first + size]) for first in range(0, len(contender.samples), size)]
            self.rows.append(emit(contender.line, contender.samples, rounds=medians))

    def run(self):
        # The lowest precision is the one that counts most.
        for precision in sorted(self.options.precisions, key=PRECISIONS.index, reverse=True):
            for what in self.options.what:
                if self.left() < 5:
                    self.leave_out("no time left", what=what, precision=precision)
                else:
                    self.in_turn(what, precision, self.options.describe if what == "describe" else self.options.train)
                    self.write()

    def write(self):
        """The report as it is by now, so that it is there if the rest takes too long."""
        if self.options.out:
            report = self.report()
            for path, text in ((f"{self.options.out}.json", json.dumps(report, indent=1) + "\n"), (f"{self.options.out}.md", markdown(report))):
                with open(path + ".tmp", "w") as file:
                    file.write(text)
                os.replace(path + ".tmp", path)

    def ratios(self):
        """Ours by the best of theirs. Describing, either side at the batch that it is fastest with; training, at the same batch."""
        result = []
        for what, where, batch in [("describe", "device", None), ("describe", "host", None), *[("train", "", batch) for batch in self.options.train]]:
            for precision in PRECISIONS:
                rows = [row for row in self.rows if row["what"] == what and row["where"] == where and batch in (None, row["batch"])]
                mine = [row for row in rows if row["side"] == "ours" and row["precision"] == precision]
                exact = PRECISIONS[: PRECISIONS.index(precision) + 1]
                theirs = [row for row in rows if row["side"] == "theirs" and row["precision"] in exact]
                if mine and theirs:
                    best, rival = (max(side, key=lambda row: row["patchesPerSecond"]) for side in (mine, theirs))
                    result.append({"what": what, "where": where, "precision": precision, "ratio": best["patchesPerSecond"] / rival["patchesPerSecond"],
                                   "rounds": [a / b for a, b in zip(best["rounds"], rival["rounds"])], "ours": best, "theirs": rival})
        return result

    def report(self):
        git = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--exclude", "*", "--dirty=+"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return {"kind": "peers", "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
                "commit": git.stdout.strip() or (self.machine or {}).get("commit", "unknown"), "device": self.options.device,
                "deviceName": torch.cuda.get_device_name() if self.device.type == "cuda" else (self.machine or {}).get("processor", "CPU"),
                "python": sys.version.split()[0], "settings": timing.settings(self.device, "float32"), "malloc": os.environ.get("GLIBC_TUNABLES"),
                "onnxruntime": onnx_runtime.version(), "loss": self.options.loss, "rounds": self.options.rounds, "samples": self.options.samples,
                "load": os.getloadavg()[0], "machine": self.machine, "ratios": self.ratios(), "rows": self.rows, "tried": self.tried, "leftOut": self.left_out}


def number(value):
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1e}" if value < 0.01 else f"{value:.2f}"


def markdown(report):
    """The report as tables."""
    settings = report["settings"]
    threads = f", {settings['threads']} threads" if settings["threads"] else ""
    cuda = f", CUDA {settings['cuda']}, cuDNN {settings['cudnn']}" if settings["cuda"] else ""
    onnx = f", ONNX Runtime for Python {report['onnxruntime']}" if report["onnxruntime"] else ""
    lines = [f"# Beside PyTorch and ONNX Runtime: {report['deviceName']}", "",
             f"{report['date']}, commit {report['commit']}; PyTorch {settings['torch']}{cuda}{onnx}, Python {report['python']}{threads}; load of the machine at "
             f"the end {report['load']:.1f}. Medians of {report['rounds']} rounds of {report['samples']} samples, ours and theirs in turn. Batches are in patches, two a "
             "pair. Errors are against the same network in double precision: the largest distance of a descriptor, or the difference of the loss of the given "
             f"weights ({report['loss']}).", "",
             "| | precision | ours, patches/s | batch | best of theirs | patches/s | batch | ratio | in each round | error, ours | theirs |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for ratio in report["ratios"]:
        mine, theirs = ratio["ours"], ratio["theirs"]
        what = ratio["what"] + (f" from {ratio['where']} memory" if ratio["where"] else "")
        other = "" if theirs["precision"] == ratio["precision"] else f" in {theirs['precision']}"
        rounds = ", ".join(f"{value:.2f}" for value in ratio["rounds"])
        lines.append(f"| {what} | {ratio['precision']} | {number(mine['patchesPerSecond'])} | {mine['batch']} | {theirs['variant']}{other} | "
                     f"{number(theirs['patchesPerSecond'])} | {theirs['batch']} | **{ratio['ratio']:.2f}** | {rounds} | {number(mine['error'])} | {number(theirs['error'])} |")
    lines += ["", "Every variant of theirs, tried for a moment:", "",
              "| | variant | precision | batch | patches/s | memory, MB | error |", "|---|---|---|---|---|---|---|"]
    for row in report["tried"]:
        memory = row["memory"] / 2**20 if row["memory"] else None
        lines.append(f"| {row['what']} | {row['variant']} | {row['precision']} | {row['batch']} | {number(row['patchesPerSecond'])} | {number(memory)} | {number(row['error'])} |")
    if report["leftOut"]:
        lines += ["", "Left out:", ""]
        reasons = {}
        for entry in report["leftOut"]:
            name = " ".join([*(entry[key] for key in ("what", "variant", "precision") if key in entry), *(["(ours)"] if entry.get("side") == "ours" else [])])
            reasons.setdefault(entry["reason"], {}).setdefault(name, []).append(str(entry.get("batch", "")))
        for why, entries in reasons.items():
            lines.append(f"- {why}: " + "; ".join(f"{name} {', '.join(batches)}".strip() for name, batches in entries.items()))
    return "\n".join(lines) + "\n"


def main():
    options = parser(__doc__, batches=[])
    options.add_argument("--tool", default=None, help="cudal2net; default: the one that was built or published")
    options.add_argument("--what", nargs="+", choices=["describe", "train"], default=["describe", "train"])
    options.add_argument("--describe", nargs="+", type=int, default=[16, 64, 256], metavar="PATCHES", help="batches of describing")
    options.add_argument("--train", nargs="+", type=int, default=[256], metavar="PATCHES", help="batches of training, two patches per pair")
    options.add_argument("--loss", choices=list(agreement.PRESETS), default="hardnet")
    options.add_argument("--rounds", type=int, default=3, help="times that both sides take turns")
    options.add_argument("--seconds", type=float, default=1800, help="when time is up, the rest is left out")
    options.add_argument("--out", default=None, metavar="NAME", help="write NAME.json and NAME.md")
    options = use(options)
    if options.network != "hardnet":
        sys.exit("compare.py measures trainings of hardnet, which cudal2net bench train takes; agreement.py and train.py take other networks")
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(options, folder)
        comparison.run()
    report = comparison.report()
    print(markdown(report))
    return 0 if report["ratios"] else 1


if __name__ == "__main__":
    sys.exit(main())
