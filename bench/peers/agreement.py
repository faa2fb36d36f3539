#!/usr/bin/env python3
"""Whether PyTorch and cudal2net compute the same: both are compared with PyTorch in double precision, on the same weights, patches and batches.

  python3 bench/peers/agreement.py --device cpu
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np
import torch

import describe
import train
from common import emit, parser, random_patches, reason, use
from network import Network, initialize, read_description, read_model, write_model

PAIRS, POINTS, STEPS, SEED, RATE = 32, 64, 3, 1, 1.0
PRESETS = {"hardnet": "hardnet-200k", "ral": "ral-200k"}


class Philox:
    """The counter-based generator (Philox4x32-10) that cudal2net draws its batches with; purpose 2 is sampling, one sequence an epoch."""

    def __init__(self, seed, purpose, step):
        self.key, self.purpose, self.step, self.index, self.left = seed, purpose, step, 0, []

    def below(self, bound):
        if not self.left:
            self.left = self.block()
            self.index += 1
        return self.left.pop(0) * bound >> 32

    def block(self):
        word = 0xFFFFFFFF
        c0, c1, c2, c3 = self.index & word, self.index >> 32, self.step, self.purpose
        k0, k1 = self.key & word, self.key >> 32
        for _ in range(10):
            p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
            c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & word, (p0 >> 32) ^ c3 ^ k1, p0 & word
            k0, k1 = (k0 + 0x9E3779B9) & word, (k1 + 0xBB67AE85) & word
        return [c0, c1, c2, c3]


def drawn_rows():
    """The rows that cudal2net takes in each step, where an epoch is one batch and each point has two patches: the first patches, then the second ones."""
    steps = []
    for epoch in range(STEPS):
        random, used, pairs = Philox(SEED, 2, epoch), set(), []
        while len(pairs) < PAIRS:
            point = random.below(POINTS)
            if point not in used:
                used.add(point)
                first = random.below(2)
                random.below(1)
                pairs.append((2 * point + first, 2 * point + 1 - first))
        steps.append([first for first, _ in pairs] + [second for _, second in pairs])
    return torch.tensor(steps)


def point_patches():
    """Two patches of each point, that differ."""
    points = random_patches(POINTS, seed=2).astype(np.int16).repeat(2, 0)
    noise = np.random.default_rng(3).integers(-30, 30, points.shape)
    return np.clip(points + noise, 0, 255).astype(np.uint8)


def write_brown(patches, folder):
    """The patches as a set in Brown's format. They are 64 x 64 there: every pixel is written four times, and read as it was."""
    size, across = 1024, 16
    for mosaic in range(0, len(patches), across * across):
        large = np.zeros((across, across, 64, 64), np.uint8)
        block = patches[mosaic : mosaic + across * across].repeat(2, 1).repeat(2, 2)
        large.reshape(-1, 64, 64)[: len(block)] = block
        image = large.transpose(0, 2, 1, 3).reshape(size, size)
        header = struct.pack("<2sIHHI", b"BM", 14 + 40 + 1024 + size * size, 0, 0, 14 + 40 + 1024)
        header += struct.pack("<IiiHHIIiiII", 40, size, size, 1, 8, 0, size * size, 2835, 2835, 256, 0)
        palette = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
        with open(os.path.join(folder, f"patches{mosaic // (across * across):04}.bmp"), "wb") as file:
            file.write(header + palette + image[::-1].tobytes())
    with open(os.path.join(folder, "info.txt"), "w") as file:
        file.writelines(f"{patch // 2} 0\n" for patch in range(len(patches)))


def tool(path, *arguments):
    """Runs cudal2net, with the usual allocator."""
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    result = subprocess.run([path, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join([os.path.basename(path), *arguments])}: exit {result.returncode}: {result.stderr.strip()[-400:]}")
    return result.stdout


class Descriptors:
    """The descriptors of cudal2net and their errors."""

    def __init__(self, model):
        self.model, self.patches = model, random_patches(describe.CHECKED)
        with torch.no_grad():
            self.expected = describe.reference(model, torch.from_numpy(self.patches))

    def error_of_tool(self, path, device, precision, folder):
        files = [os.path.join(folder, name) for name in ("patches.npy", "descriptors.npy")]
        np.save(files[0], self.patches)
        tool(path, "describe", files[0], "--model", self.model, "--out", files[1], "--device", device, "--precision", precision)
        return (torch.from_numpy(np.load(files[1])).double() - self.expected).norm(dim=1).max().item()


class Losses:
    """The losses of a few steps from random weights, without augmentation and dropout."""

    def __init__(self, loss, folder, network="hardnet"):
        self.loss, self.folder, self.network = loss, folder, network
        self.initial = os.path.join(folder, "initial.safetensors")
        self.patches = point_patches()
        write_model(initialize(Network(read_description(network)), SEED), self.initial)
        write_brown(self.patches, folder)
        self.expected = self.of_variant(train.VARIANTS[0], "float64", torch.device("cpu"))

    def of_variant(self, variant, precision, device):
        model = train.network_of(variant, self.network, dropout=0)
        model.load_state_dict(read_model(self.initial).state_dict())
        rates = RATE * (1 - torch.arange(STEPS) / STEPS)
        training = train.Training(variant, model, torch.from_numpy(self.patches), drawn_rows(), rates, self.loss, precision, device, augmented=False)
        return [training.first_loss.item()] + [training().item() for _ in range(STEPS - 1)]

    def of_tool(self, path, device, precision):
        run = os.path.join(self.folder, f"{self.loss}-{device}-{precision}".replace(":", "-"))
        tool(path, "train", "--data", f"brown:{self.folder}", "--validation", "none", "--preset", PRESETS[self.loss], "--network", self.network, "--init", self.initial,
             "--batch", str(PAIRS), "--pairs", str(PAIRS), "--steps", str(STEPS), "--lr", str(RATE), "--seed", str(SEED), "--set", "dropout=0",
             "--out", run, "--device", device, "--precision", precision)
        with open(os.path.join(run, "metrics.jsonl")) as file:
            return [json.loads(line)["loss"] for line in file]

    def errors(self, losses):
        """Of the first loss, which is that of the given weights, and of all."""
        if len(losses) != STEPS:
            raise RuntimeError(f"{len(losses)} losses of {STEPS} steps")
        differences = [abs(found - expected) for found, expected in zip(losses, self.expected)]
        return {"firstLoss": differences[0], "anyLoss": max(differences)}


def main():
    options = parser(__doc__, batches=[])
    options.add_argument("--tool", default=None, help="cudal2net; default: the one that was built")
    options = use(options)
    from compare import default_tool
    path, device = options.tool or default_tool(), torch.device(options.device)
    with tempfile.TemporaryDirectory() as folder:
        descriptors = Descriptors(options.model)
        losses = {loss: Losses(loss, folder, options.network) for loss in PRESETS}
        for loss in losses.values():
            emit({"what": "train", "side": "theirs", "variant": "reference", "precision": "float64", "loss": loss.loss}, [], losses=loss.expected)
        for precision in options.precisions:
            emit({"what": "describe", "side": "ours", "precision": precision}, [],
                 error=descriptors.error_of_tool(path, options.device, precision, folder))
            for loss in losses.values():
                found = loss.of_tool(path, options.device, precision)
                emit({"what": "train", "side": "ours", "precision": precision, "loss": loss.loss}, [], losses=found, error=loss.errors(found))
                for variant in train.VARIANTS:
                    line = {"what": "train", "side": "theirs", "variant": variant.name, "precision": precision, "loss": loss.loss}
                    try:
                        found = loss.of_variant(variant, precision, device)
                        emit(line, [], losses=found, error=loss.errors(found))
                    except Exception as failure:
                        emit(line, [], skipped=reason(failure))


if __name__ == "__main__":
    sys.exit(main())
