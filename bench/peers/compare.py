#!/usr/bin/env python3
"""cudal2net and its peers in turn on the same machine: ours, theirs, ours, theirs. Writes the ratios as Markdown and, with every sample, as JSON.

  python3 bench/peers/compare.py --device cpu --describe 16 64 256 --train 128
  python3 bench/peers/compare.py --device cuda --describe 4096 16384 65536 --train 128 512 1024 --seconds 240 --out results/peers

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


def ours(tool, what, options, precision, batch, samples):
    """Patches a second of `cudal2net bench`, every sample, with what else its report says of them."""
    text = agreement.tool(tool, "bench", what, "--device", options.device, "--precision", precision, "--batch", str(batch), "--rounds", str(samples),
                          "--threads", str(options.threads), "--json")
    report = json.loads(text)
    patches = 2 * batch if what == "train" else batch
    rows = [row for row in report["rows"] if row["batch"] == patches and row["precision"] == precision and row.get("patchesPerSecond")]
    if not rows:
        raise RuntimeError(f"bench {what} has no figure for {precision} and {patches} patches")
    return [patches / seconds for seconds in rows[0]["seconds"]], report["machine"], rows[0]


class Contender:
    """A variant of theirs that is ready to be measured."""

    def __init__(self, what, variant, precision, batch, call, patches, error, device):
        self.line = {"what": what, "side": "PyTorch", "variant": variant, "precision": precision, "batch": batch, "error": error}
        self.call, self.patches, self.device, self.samples = call, patches, device, []

    def measure(self, samples):
        self.samples += [self.patches / seconds for seconds in timing.samples_of(self.call, self.device, samples)]

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
        self.losses = agreement.Losses(options.loss, folder) if options.train else None
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
            self.leave_out(reason(failure), what=what, precision=precision, side="cudal2net", check=True)
            return None

    def prepare(self, what, variant, precision, batch):
        if what == "describe":
            if isinstance(variant, onnx_runtime.Variant):
                call = onnx_runtime.Describer(variant, self.tool, self.options, self.patches, batch, self.folder)
            else:
                call = describe.Describer(variant, self.options.model, self.patches, batch, precision, self.device)
            error = describe.largest_error(call, torch.from_numpy(self.descriptors.patches), self.descriptors.expected)
            return Contender(what, variant.name, precision, batch, call, batch, error, self.device)
        key = (variant.name, precision)
        if key not in self.errors and not (variant.takes_long and self.left() < self.options.seconds / 2):
            self.errors[key] = self.losses.errors(self.losses.of_variant(variant, precision, self.device))["firstLoss"]
        call = train.random_training(variant, batch, self.options.loss, precision, self.device)
        return Contender(what, variant.name, precision, batch, call, 2 * batch, self.errors.get(key), self.device)

    def finalists(self, what, precision, batch):
        """The fastest variants, after a moment of each."""
        best = []
        variants = train.VARIANTS if what == "train" else describe.VARIANTS + onnx_runtime.VARIANTS
        for variant in variants:
            line = {"what": what, "side": "PyTorch", "variant": variant.name, "precision": precision, "batch": batch}
            if self.left() < (self.options.seconds / 3 if variant.takes_long else 5):
                self.leave_out("no time left", **line)
                continue
            try:
                with torch.set_grad_enabled(what == "train"):
                    contender = self.prepare(what, variant, precision, batch)
                    contender.measure(3)
            except Exception as failure:
                self.leave_out(reason(failure), **line)
                continue
            contender.line["memory"] = timing.device_memory(self.device)
            self.tried.append(emit(contender.line, list(contender.samples)))
            best = sorted([*best, contender], key=Contender.speed)[-FINALISTS:]
            contender = None
        for contender in best:
            contender.samples = []
        return best

    def in_turn(self, what, precision, batch, error):
        contenders = self.finalists(what, precision, batch)
        our_samples, rounds, figures = [], [], {}
        for number in range(self.options.rounds):
            if number > 0 and self.left() < 0:
                self.leave_out("no time left", what=what, precision=precision, batch=batch, round=number + 1)
                break
            try:
                samples, self.machine, figures = ours(self.tool, what, self.options, precision, batch, self.options.samples)
                our_samples += samples
            except Exception as failure:
                self.leave_out(reason(failure), what=what, precision=precision, batch=batch, side="cudal2net")
                samples = []
            with torch.set_grad_enabled(what == "train"):
                for contender in contenders:
                    contender.measure(self.options.samples)
            theirs = max((statistics.median(contender.samples[-self.options.samples:]) for contender in contenders), default=None)
            if samples and theirs:
                rounds.append(statistics.median(samples) / theirs)
        line = {"what": what, "side": "cudal2net", "precision": precision, "batch": batch, "error": error}
        more = {key: figures[key] for key in ("hostMicroseconds", "deviceBytes", "arithmeticShare") if figures.get(key) is not None}
        self.rows.append(emit(line, our_samples, rounds=rounds, **more))
        self.rows += [emit(contender.line, contender.samples) for contender in contenders]

    def run(self):
        # The precisions and batches that matter most come first.
        for what in self.options.what:
            batches = {"describe": self.options.describe, "train": self.options.train}[what]
            for precision in sorted(self.options.precisions, key=PRECISIONS.index, reverse=True):
                error = self.check_ours(what, precision)
                for batch in sorted(batches, key=lambda batch: abs(batches.index(batch) - len(batches) // 2)):
                    if self.left() < 5:
                        self.leave_out("no time left", what=what, precision=precision, batch=batch)
                        continue
                    self.in_turn(what, precision, batch, error)

    def ratios(self):
        """Ours by the best of theirs. Describing, either side at the batch that it is fastest with; training, at the same batch."""
        result = []
        for what in self.options.what:
            batches = [None] if what == "describe" else self.options.train
            for precision in self.options.precisions:
                for batch in batches:
                    rows = [row for row in self.rows if row["what"] == what and batch in (None, row["batch"]) and "patchesPerSecond" in row]
                    mine = [row for row in rows if row["side"] == "cudal2net" and row["precision"] == precision]
                    exact = PRECISIONS[: PRECISIONS.index(precision) + 1]
                    theirs = [row for row in rows if row["side"] != "cudal2net" and row["precision"] in exact]
                    if mine and theirs:
                        best, rival = (max(side, key=lambda row: row["patchesPerSecond"]) for side in (mine, theirs))
                        result.append({"what": what, "precision": precision, "ratio": best["patchesPerSecond"] / rival["patchesPerSecond"],
                                       "rounds": best["rounds"], "ours": best, "theirs": rival})
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
    threads = f", {report['settings']['threads']} threads" if report["settings"]["threads"] else ""
    lines = [f"# Beside PyTorch: {report['deviceName']}", "",
             f"{report['date']}, commit {report['commit']}; PyTorch {report['settings']['torch']}, CUDA {report['settings']['cuda']}, cuDNN "
             f"{report['settings']['cudnn']}, Python {report['python']}, ONNX Runtime for Python {report['onnxruntime']}{threads}; load at the end "
             f"{report['load']:.1f}. Medians of {report['rounds']} rounds of {report['samples']} samples, ours and theirs in turn. Errors are against the same network in "
             "double precision: the largest distance of a descriptor, or the difference of the loss of the given weights.", "",
             "| | precision | ours, patches/s | batch | best of theirs | patches/s | batch | ratio | in each round | error, ours | theirs |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for ratio in report["ratios"]:
        mine, theirs = ratio["ours"], ratio["theirs"]
        other = "" if theirs["precision"] == ratio["precision"] else f" in {theirs['precision']}"
        rounds = ", ".join(f"{value:.2f}" for value in ratio["rounds"])
        lines.append(f"| {ratio['what']} | {ratio['precision']} | {number(mine['patchesPerSecond'])} | {mine['batch']} | {theirs['variant']}{other} | "
                     f"{number(theirs['patchesPerSecond'])} | {theirs['batch']} | **{ratio['ratio']:.2f}** | {rounds} | {number(mine['error'])} | {number(theirs['error'])} |")
    lines += ["", "Batches are patches when describing, pairs of patches when training. Every variant, tried for a moment:", "",
              "| | variant | precision | batch | patches/s | memory, MB | error |", "|---|---|---|---|---|---|---|"]
    for row in report["tried"]:
        memory = row["memory"] / 2**20 if row["memory"] else None
        lines.append(f"| {row['what']} | {row['variant']} | {row['precision']} | {row['batch']} | {number(row['patchesPerSecond'])} | {number(memory)} | {number(row['error'])} |")
    if report["leftOut"]:
        lines += ["", "Left out:", ""]
        reasons = {}
        for entry in report["leftOut"]:
            name = " ".join([*(entry[key] for key in ("what", "variant", "precision") if key in entry), *(["(ours)"] if entry.get("side") == "cudal2net" else [])])
            reasons.setdefault(entry["reason"], {}).setdefault(name, []).append(str(entry.get("batch", "")))
        for why, entries in reasons.items():
            lines.append(f"- {why}: " + "; ".join(f"{name} {', '.join(batches)}".strip() for name, batches in entries.items()))
    return "\n".join(lines) + "\n"


def main():
    options = parser(__doc__, batches=[])
    options.add_argument("--tool", default=None, help="cudal2net; default: the one that was built or published")
    options.add_argument("--what", nargs="+", choices=["describe", "train"], default=["describe", "train"])
    options.add_argument("--describe", nargs="+", type=int, default=[16, 64, 256], metavar="PATCHES", help="batches of describing")
    options.add_argument("--train", nargs="+", type=int, default=[128], metavar="PAIRS", help="batches of training")
    options.add_argument("--loss", choices=list(agreement.PRESETS), default="hardnet")
    options.add_argument("--rounds", type=int, default=3, help="times that both sides take turns")
    options.add_argument("--seconds", type=float, default=1800, help="when time is up, the rest is left out")
    options.add_argument("--out", default=None, metavar="NAME", help="write NAME.json and NAME.md")
    options = use(options)
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(options, folder)
        comparison.run()
    report = comparison.report()
    if options.out:
        for path, text in ((f"{options.out}.json", json.dumps(report, indent=1) + "\n"), (f"{options.out}.md", markdown(report))):
            with open(path + ".tmp", "w") as file:
                file.write(text)
            os.replace(path + ".tmp", path)
    print(markdown(report))
    return 0 if report["ratios"] else 1


if __name__ == "__main__":
    sys.exit(main())
