#!/usr/bin/env python3
"""Describing in PyTorch: every variant at every batch, as JSON lines with all samples.

  python3 bench/peers/describe.py --device cpu --batches 16 64 256
  python3 bench/peers/describe.py --device cuda --precisions bf16 --batches 4096 16384
"""
import sys
from dataclasses import dataclass

import torch

import timing
from common import emit, parser, random_patches, reason, require, use
from network import FoldedNetwork, normalize, read_model

# Inputs in turn, so that none is met again while the device's caches hold it.
BLOCKS = 4
CHECKED = 256


@dataclass(frozen=True)
class Variant:
    name: str
    channels_last: bool = True
    frozen: bool = False    # traced, frozen, laid out for oneDNN: CPU
    compiled: bool = False  # torch.compile
    captured: bool = False  # one CUDA graph
    takes_long: bool = False


VARIANTS = [
    Variant("eager", channels_last=False),
    Variant("channels_last"),
    Variant("frozen", channels_last=False, frozen=True),
    Variant("cuda graph", channels_last=False, captured=True),
    Variant("cuda graph, channels_last", captured=True),
    Variant("compiled, cuda graph", compiled=True, captured=True, takes_long=True),
    Variant("compiled", compiled=True, takes_long=True),
]


class Describer:
    """Describes blocks of patches that lie in the device's memory as bytes; the descriptors stay there."""

    def __init__(self, variant, model, patches, batch, precision, device):
        require(device, variant.compiled, variant.captured, variant.frozen)
        self.settings = timing.settings(device, precision)
        timing.forget_memory(device)
        self.device, self.batch = device, batch
        self.blocks = [patches[torch.arange(first, first + batch) % len(patches)].to(device) for first in range(0, BLOCKS * batch, batch)]
        self.calls = 0
        trained = read_model(model)
        self.dimension = trained.dimension
        network = FoldedNetwork(trained, variant.channels_last)
        network = network.to(device, torch.bfloat16 if precision == "bf16" else torch.float32).eval().requires_grad_(False)
        self.network = network
        if variant.frozen:
            self.network = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, self.blocks[0])))
        if variant.compiled:
            self.network = torch.compile(network, dynamic=False)
        self.replay = None
        if variant.captured:
            self.input = self.blocks[0].clone()
            self.replay, self.output = timing.captured(lambda: self.network(self.input))

    def __call__(self):
        """The next block."""
        self.calls += 1
        return self.describe(self.blocks[self.calls % BLOCKS])

    def from_host(self):
        """The next block from host memory, its descriptors back to host memory, both pinned; done when they are there."""
        if not hasattr(self, "pinned"):
            self.pinned = [block.cpu().pin_memory() for block in self.blocks]
            self.descriptors = torch.empty(self.batch, self.dimension).pin_memory()
        self.calls += 1
        block = self.pinned[self.calls % BLOCKS].to(self.device, non_blocking=True)
        self.descriptors.copy_(self.describe(block), non_blocking=True)
        torch.cuda.synchronize()

    def describe(self, block):
        if self.replay is None:
            return self.network(block)
        self.input.copy_(block)
        self.replay()
        return self.output


def reference(model, patches):
    """Descriptors in double precision, with batch normalization as it stands in the model."""
    return read_model(model).double().eval()(normalize(patches, torch.float64))


def largest_error(describer, patches, expected):
    """The largest distance of a descriptor from the reference's."""
    count = len(expected)
    found = describer.describe(patches[torch.arange(describer.batch) % count].to(describer.device))[:count]
    return (found.double().cpu() - expected[: len(found)]).norm(dim=1).max().item()


@torch.no_grad()
def main():
    options = use(parser(__doc__, batches=[16, 64, 256]))
    device = torch.device(options.device)
    patches = torch.from_numpy(random_patches(max(CHECKED, min(65536, BLOCKS * max(options.batches)))))
    expected = reference(options.model, patches[:CHECKED])
    for precision in options.precisions:
        for variant in VARIANTS:
            for batch in options.batches:
                line = {"what": "describe", "side": "theirs", "device": options.device, "precision": precision, "variant": variant.name, "batch": batch}
                try:
                    describer = Describer(variant, options.model, patches, batch, precision, device)
                    error = largest_error(describer, patches, expected)
                    seconds = timing.samples_of(describer, device, options.samples)
                    emit(line, [batch / s for s in seconds], error=error, memory=timing.device_memory(device), settings=describer.settings)
                except Exception as failure:
                    emit(line, [], skipped=reason(failure))
                describer = None


if __name__ == "__main__":
    sys.exit(main())
