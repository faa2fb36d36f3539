"""The network, its losses and its model files, in plain PyTorch: what a user of HardNet's or RAL-Net's public code runs."""
import json

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

SIDE, DIMENSION = 32, 128

# Of each convolution: kernel, channels in and out, stride, padding.
LAYERS = [(3, 1, 32, 1, 1), (3, 32, 32, 1, 1), (3, 32, 64, 2, 1), (3, 64, 64, 1, 1), (3, 64, 128, 2, 1), (3, 128, 128, 1, 1), (8, 128, 128, 1, 0)]


class PairBatchNorm(nn.BatchNorm2d):
    """In training, each half of the batch by its own statistics: what two forward passes do, in one."""

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        sides = x.unflatten(0, (2, -1)).float()  # [2][p][channels][rows][columns]
        variance, mean = torch.var_mean(sides, dim=(1, 3, 4), unbiased=False, keepdim=True)
        count = sides[0, :, 0].numel()
        with torch.no_grad():
            for side in range(2):
                self.running_mean.lerp_(mean[side].flatten(), self.momentum)
                self.running_var.lerp_(variance[side].flatten() * (count / (count - 1)), self.momentum)
        return ((sides - mean) * torch.rsqrt(variance + self.eps)).to(x.dtype).flatten(0, 1)


class L2Net(nn.Module):
    """Normalized patches [n][1][32][32] to unit vectors [n][128]. No biases, batch normalization with scale 1 and shift 0."""

    def __init__(self, dropout=0.3, epsilon=1e-5, norm=nn.BatchNorm2d):
        super().__init__()
        self.dropout = dropout
        self.convolutions = nn.ModuleList(nn.Conv2d(cin, cout, kernel, stride, padding, bias=False) for kernel, cin, cout, stride, padding in LAYERS)
        self.norms = nn.ModuleList(norm(cout, eps=epsilon, momentum=0.1, affine=False) for _, _, cout, _, _ in LAYERS)

    def forward(self, x):
        for layer, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
            last = layer == len(LAYERS) - 1
            if last and self.dropout > 0:
                x = F.dropout(x, self.dropout, self.training)
            x = norm(convolution(x))
            if not last:
                x = F.relu(x)
        return unit_vectors(x)


class FoldedL2Net(nn.Module):
    """The same network for describing: batch normalization folded into filters and biases. Its input is bytes [n][32][32]."""

    def __init__(self, trained, channels_last=False):
        super().__init__()
        self.channels_last = channels_last
        trained = trained.eval()
        self.convolutions = nn.ModuleList(
            torch.nn.utils.fusion.fuse_conv_bn_eval(convolution, norm) for convolution, norm in zip(trained.convolutions, trained.norms))
        if channels_last:
            self.to(memory_format=torch.channels_last)

    def forward(self, patches):
        weight = self.convolutions[0].weight
        x = normalize(patches, torch.promote_types(weight.dtype, torch.float32), self.channels_last).to(weight.dtype)
        for convolution in self.convolutions[:-1]:
            x = F.relu(convolution(x))
        return unit_vectors(self.convolutions[-1](x))


def normalize(patches, dtype=torch.float32, channels_last=False):
    """Bytes [n][32][32] to [n][1][32][32], each patch with mean 0 and deviation 1."""
    x = patches.to(dtype).flatten(1)
    deviation, mean = torch.std_mean(x, dim=1, keepdim=True)
    x = (x - mean) / (deviation + 1e-7)
    # With one channel both layouts are the same numbers; PyTorch goes by the strides.
    return x.view(-1, SIDE, SIDE, 1).permute(0, 3, 1, 2) if channels_last else x.view(-1, 1, SIDE, SIDE)


def unit_vectors(x):
    x = x.flatten(1)
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    return x / torch.sqrt((x * x).sum(1, keepdim=True) + 1e-10)


def hardnet_loss(anchors, positives):
    """Margin 1 on Euclidean distances, the hardest negative of each pair's row and column."""
    squares = (anchors * anchors).sum(1).unsqueeze(1) + (positives * positives).sum(1).unsqueeze(0)
    distances = torch.sqrt(squares - 2 * (anchors @ positives.t()) + 1e-6) + 1e-8
    positive, negative = hardest(distances, 0.008)
    return torch.clamp(1 + positive - negative, min=0).mean()


def ral_loss(anchors, positives):
    """RAL-Net's tanh on angular distances."""
    distances = 2 * (1 - anchors @ positives.t())
    positive, negative = hardest(distances, 6.4e-5)
    return (1 + torch.tanh(positive - negative)).mean()


LOSSES = {"hardnet": hardnet_loss, "ral": ral_loss}


def hardest(distances, near_duplicate):
    """Distances of the pairs, and the smallest of each pair's row and column that is neither the pair's nor a near duplicate's."""
    excluded = torch.eye(len(distances), dtype=torch.bool, device=distances.device) | (distances < near_duplicate)
    others = distances + 10 * excluded
    return distances.diagonal(), torch.minimum(others.amin(1), others.amin(0))


def augment(patches):
    """Both patches of a pair, bytes [2p][32][32]: with probability 1/2 transposed, with probability 1/2 mirrored."""
    pairs = patches.unflatten(0, (2, -1))
    transposed, mirrored = torch.rand(2, pairs.shape[1], 1, 1, device=patches.device) < 0.5
    pairs = torch.where(transposed, pairs.transpose(2, 3), pairs)
    return torch.where(mirrored, pairs.flip(3), pairs).flatten(0, 1)


class Sgd:
    """torch.optim.SGD with momentum and dampening, but for the rate, which is a tensor: so that a step needs nothing from the host and can be captured."""

    def __init__(self, parameters, momentum=0.9, dampening=0.9, decay=1e-4):
        self.parameters = list(parameters)
        self.momentum, self.dampening, self.decay = momentum, dampening, decay
        self.velocities = None

    @torch.no_grad()
    def step(self, rate):
        gradients = torch._foreach_add([p.grad for p in self.parameters], self.parameters, alpha=self.decay)
        if self.velocities is None:
            self.velocities = list(gradients)
        else:
            torch._foreach_mul_(self.velocities, self.momentum)
            torch._foreach_add_(self.velocities, gradients, alpha=1 - self.dampening)
        for parameter, velocity in zip(self.parameters, self.velocities):
            parameter.addcmul_(velocity, -rate)


def initialize(model, seed):
    """HardNet's initialization: each filter bank as a matrix is orthogonal times 0.6."""
    torch.manual_seed(seed)
    for convolution in model.convolutions:
        nn.init.orthogonal_(convolution.weight, gain=0.6)
    return model


def read_model(path, **arguments):
    """The first tower of a model of cudal2net (docs/formats.md)."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    metadata = header.pop("__metadata__")
    if metadata["normalization"] != "per-patch" or any(name.split(".")[-1] in ("bias", "scale", "shift") for name in header):
        raise ValueError(f"{path}: not a network of HardNet's kind (normalization per patch, no biases, no learned scale)")

    def tensor(name):
        entry = header[name]
        first, end = entry["data_offsets"]
        values = np.frombuffer(data[first:end], {"F32": "<f4", "F16": "<f2"}[entry["dtype"]])
        return torch.from_numpy(values.astype(np.float32).reshape(entry["shape"]))

    model = L2Net(epsilon=float(metadata["epsilon"]), **arguments)
    with torch.no_grad():
        for layer, (convolution, norm) in enumerate(zip(model.convolutions, model.norms), 1):
            prefix = f"towers.0.layers.{layer}."
            convolution.weight.copy_(tensor(prefix + "filters").permute(0, 3, 1, 2))
            norm.running_mean.copy_(tensor(prefix + "running_mean"))
            norm.running_var.copy_(tensor(prefix + "running_variance"))
    return model


def write_model(model, path):
    """The network as a model of cudal2net."""
    tensors = {}
    for layer, (convolution, norm) in enumerate(zip(model.convolutions, model.norms), 1):
        prefix = f"towers.0.layers.{layer}."
        tensors[prefix + "filters"] = convolution.weight.permute(0, 2, 3, 1)
        tensors[prefix + "running_mean"] = norm.running_mean
        tensors[prefix + "running_variance"] = norm.running_var
    metadata = {"format": "cudal2net-model-1", "architecture": "l2net", "normalization": "per-patch", "epsilon": repr(model.norms[0].eps), "patch_scale": "10"}
    header, data = {"__metadata__": metadata}, b""
    for name, values in tensors.items():
        values = values.detach().cpu().numpy().astype("<f4")
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)
