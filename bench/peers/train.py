#!/usr/bin/env python3
"""The training step in PyTorch: every variant at every batch, as JSON lines with all samples.

  python3 bench/peers/train.py --device cpu --batches 256
  python3 bench/peers/train.py --device cuda --precisions bf16 --batches 1024 --loss ral

A step is all of it: gathering patches from the device's memory, transposing and mirroring them, both forward passes, the loss with its mining, backward,
momentum and update, with a rate that changes from step to step.
"""
import sys
from dataclasses import dataclass

import torch

import timing
from common import emit, parser, random_patches, reason, require, use
from network import LOSSES, Network, PairBatchNorm, Sgd, augment, initialize, normalize, read_description

STEPS = 64
PATCHES = {"cpu": 8192, "cuda": 131072}


@dataclass(frozen=True)
class Variant:
    name: str
    channels_last: bool = True
    one_pass: bool = False  # both halves in one forward pass, with batch normalization that keeps them apart
    compiled: bool = False  # torch.compile of forward and backward, and of the update
    captured: bool = False  # the whole step as one CUDA graph
    takes_long: bool = False


VARIANTS = [
    Variant("eager", channels_last=False),
    Variant("channels_last"),
    Variant("cuda graph", channels_last=False, captured=True),
    Variant("cuda graph, channels_last", captured=True),
    Variant("compiled, one pass, cuda graph", one_pass=True, compiled=True, captured=True, takes_long=True),
    Variant("compiled, one pass", one_pass=True, compiled=True, takes_long=True),
]


class Training:
    """Calling it does one step. What changes from step to step is on the device: the batches' rows, the rates, the number of the step."""

    def __init__(self, variant, model, patches, rows, rates, loss, precision, device, augmented=True):
        require(device, variant.compiled, variant.captured)
        self.settings = timing.settings(device, precision)
        timing.forget_memory(device)
        self.variant, self.device, self.augmented = variant, device, augmented
        self.autocast = precision == "bf16"
        self.dtype = torch.float64 if precision == "float64" else torch.float32
        self.model = model.to(device, self.dtype).train()
        if variant.channels_last:
            self.model.to(memory_format=torch.channels_last)
        self.patches, self.rows, self.rates = patches.to(device), rows.to(device), rates.to(device)
        self.number = torch.zeros(1, dtype=torch.long, device=device)
        self.loss = LOSSES[loss]
        self.optimizer = Sgd(self.model.parameters())
        self.forward, self.update = self.loss_of, self.optimizer.step
        if variant.compiled:
            self.forward = torch.compile(self.loss_of, dynamic=False)
        # The first step sets up what the others change; it is the only one whose momentum is not dampened.
        self.first_loss = self.step()
        if variant.compiled:
            self.update = torch.compile(self.optimizer.step, dynamic=False)
        self.run = self.step
        if variant.captured:
            state = [t.detach() for t in [*self.model.parameters(), *self.model.buffers(), *self.optimizer.velocities, self.number]]
            before = [t.clone() for t in state]
            replay, result = timing.captured(self.step)
            for values, kept in zip(state, before):
                values.copy_(kept)
            self.run = lambda: (replay(), result)[1]

    def __call__(self):
        return self.run()

    def step(self):
        for parameter in self.model.parameters():
            parameter.grad = None
        loss = self.forward(self.rows.index_select(0, self.number).flatten())
        loss.backward()
        self.update(self.rates.index_select(0, self.number).squeeze())
        self.number.add_(1).remainder_(len(self.rates))
        return loss.detach()

    def loss_of(self, rows):
        patches = self.patches.index_select(0, rows)
        if self.augmented:
            patches = augment(patches)
        x = normalize(patches, self.dtype, self.variant.channels_last)
        # A graph holds the rounded weights of its own step only.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast, cache_enabled=not self.variant.captured):
            if self.variant.one_pass:
                anchors, positives = self.model(x).chunk(2)
            else:
                anchors, positives = (self.model(side) for side in x.chunk(2))
        return self.loss(anchors, positives)


def network_of(variant, network="hardnet", dropout=None):
    """An untrained network; dropout None is that of its description."""
    return Network(read_description(network), dropout, PairBatchNorm if variant.one_pass else torch.nn.BatchNorm2d)


def random_training(variant, pairs, loss, precision, device, network="hardnet"):
    """A training on random patches, as it is measured."""
    patches = torch.from_numpy(random_patches(PATCHES[device.type]))
    random = torch.Generator().manual_seed(1)
    rows = torch.stack([torch.randperm(len(patches), generator=random)[: 2 * pairs] for _ in range(STEPS)])
    rates = torch.linspace(1e-2, 1e-3, STEPS)
    return Training(variant, initialize(network_of(variant, network), 1), patches, rows, rates, loss, precision, device)


def main():
    options = parser(__doc__, batches=[256])
    options.add_argument("--loss", choices=LOSSES, default="hardnet")
    options = use(options)
    device = torch.device(options.device)
    for precision in options.precisions:
        for variant in VARIANTS:
            for batch in options.batches:
                line = {"what": "train", "side": "theirs", "device": options.device, "precision": precision, "variant": variant.name, "batch": batch,
                        "loss": options.loss}
                try:
                    training = random_training(variant, batch // 2, options.loss, precision, device, options.network)
                    seconds = timing.samples_of(training, device, options.samples)
                    emit(line, [batch / s for s in seconds], memory=timing.device_memory(device), settings=training.settings)
                except Exception as failure:
                    emit(line, [], skipped=reason(failure))
                training = None


if __name__ == "__main__":
    sys.exit(main())
