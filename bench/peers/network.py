"""Networks by their descriptions, their losses and model files, in plain PyTorch: what a user of HardNet's or RAL-Net's public code runs."""
import json
import math
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

SIDE = 32

# Where descriptions of networks are that have a name; the peers train HardNet's unless another is named.
LIBRARY = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "CudaL2Net", "Networks", "Library"))
USUAL = "hardnet"


def read_description(name=USUAL):
    """A network's description (docs/formats.md): one of the library by its name, or a JSON file. Comments are not taken here."""
    path = name if os.path.isfile(name) else os.path.join(LIBRARY, name + ".json")
    with open(path) as file:
        description = json.load(file)
    return checked(description, path)


def checked(description, path):
    """A description, if the peers can run it: one tower on patches of 32 x 32 that are normalized one by one, of layers that are known here."""
    settings = description.get("input", {})
    if len(description["towers"]) != 1 or settings.get("side", SIDE) != SIDE or settings.get("channels", 1) != 1:
        raise ValueError(f"{path}: the peers run networks of one tower on patches of 32 x 32")
    if settings.get("normalization", "perPatch") != "perPatch" or description.get("head", {}).get("kind", "descriptor") != "descriptor":
        raise ValueError(f"{path}: the peers run networks with the normalization perPatch that give descriptors")
    unknown = {layer["type"] for layer in description["towers"][0]["layers"]} - set(KINDS)
    if unknown:
        raise ValueError(f"{path}: the peers do not have the layers {', '.join(sorted(unknown))}; they have {', '.join(KINDS)}")
    return description


class PairBatchNorm(nn.BatchNorm2d):
    """In training, each half of the batch by its own statistics: what two forward passes do, in one."""

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        halves = x.unflatten(0, (2, -1)).float()  # [2][p][channels][rows][columns]
        variance, mean = torch.var_mean(halves, dim=(1, 3, 4), unbiased=False, keepdim=True)
        count = halves[0, :, 0].numel()
        with torch.no_grad():
            for side in range(2):
                self.running_mean.lerp_(mean[side].flatten(), self.momentum)
                self.running_var.lerp_(variance[side].flatten() * (count / (count - 1)), self.momentum)
        y = ((halves - mean) * torch.rsqrt(variance + self.eps)).flatten(0, 1)
        if self.affine:
            y = y * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return y.to(x.dtype)


class UnitVector(nn.Module):
    def forward(self, x):
        return unit_vectors(x)


class Flat(nn.Module):
    """A map as a row, in the order of cudal2net: row, column, channel."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1) if x.dim() == 4 else x


class L2Pool(nn.Module):
    """The root of the sum of squares in a window."""

    def __init__(self, **window):
        super().__init__()
        self.mean, self.area = nn.AvgPool2d(count_include_pad=True, **window), window["kernel_size"] ** 2

    def forward(self, x):
        return torch.sqrt(self.mean(x * x) * self.area)


def pool(layer):
    window = dict(kernel_size=layer.get("kernel", 2), stride=layer.get("stride", 2), padding=layer.get("padding", 0), ceil_mode=layer.get("roundUp", False))
    kind = layer.get("kind", "max")
    return nn.MaxPool2d(**window) if kind == "max" else nn.AvgPool2d(count_include_pad=True, **window) if kind == "average" else L2Pool(**window)


def convolution_of(layer, shape):
    return nn.Conv2d(shape[0], layer["out"], layer.get("kernel", 3), layer.get("stride", 1), layer.get("padding", 0), bias=layer.get("bias", False))


def linear_of(layer, shape):
    return nn.Sequential(Flat(), nn.Linear(math.prod(shape), layer["out"], bias=layer.get("bias", True)))


# Each layer of a description as modules; shape is that of its input for one patch, settings are those of the training.
KINDS = {
    "convolution": lambda layer, shape, settings: convolution_of(layer, shape),
    "batchNormalization": lambda layer, shape, settings: norm_of(layer, shape, settings["norm"]),
    "relu": lambda layer, shape, settings: nn.ReLU(),
    "tanh": lambda layer, shape, settings: nn.Tanh(),
    "dropout": lambda layer, shape, settings: nn.Dropout(layer.get("rate", 0) if settings["dropout"] is None else settings["dropout"]),
    "pooling": lambda layer, shape, settings: pool(layer),
    "linear": lambda layer, shape, settings: linear_of(layer, shape),
    "unitVector": lambda layer, shape, settings: UnitVector(),
}


def norm_of(layer, shape, norm):
    if len(shape) == 1:
        raise ValueError("the peers have batch normalization behind convolutions alone")
    return norm(shape[0], eps=layer.get("epsilon", 1e-5), momentum=0.1, affine=layer.get("learned", False))


class Network(nn.Module):
    """Normalized patches [n][1][32][32] to descriptors, by a description."""

    def __init__(self, description=None, dropout=None, norm=nn.BatchNorm2d):
        super().__init__()
        self.description = description or read_description()
        self.layers = nn.ModuleList()
        x = torch.zeros(1, 1, SIDE, SIDE)
        for layer in self.described:
            self.layers.append(KINDS[layer["type"]](layer, tuple(x.shape[1:]), {"dropout": dropout, "norm": norm}))
            with torch.no_grad():
                x = self.layers[-1].eval()(x)
        self.dimension = x[0].numel()
        self.train()

    @property
    def described(self):
        return self.description["towers"][0]["layers"]

    @property
    def banks(self):
        """The modules with a matrix of weights, and their layers' numbers from 1."""
        return [(number, module[1] if isinstance(module, nn.Sequential) else module) for number, module in enumerate(self.layers, 1)
                if isinstance(module, (nn.Conv2d, nn.Sequential))]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return Flat()(x)


class FoldedNetwork(nn.Module):
    """The same network for describing: batch normalization folded into the filters and biases before it. Its input is bytes [n][32][32]."""

    def __init__(self, trained, channels_last=False):
        super().__init__()
        self.channels_last = channels_last
        self.layers = nn.ModuleList()
        for layer in trained.eval().layers:
            if isinstance(layer, nn.modules.batchnorm._BatchNorm) and len(self.layers) > 0 and isinstance(self.layers[-1], nn.Conv2d):
                self.layers[-1] = torch.nn.utils.fusion.fuse_conv_bn_eval(self.layers[-1], layer)
            elif not isinstance(layer, nn.Dropout):
                self.layers.append(layer)
        if channels_last:
            self.to(memory_format=torch.channels_last)

    def forward(self, patches):
        weight = next(self.parameters())
        x = normalize(patches, torch.promote_types(weight.dtype, torch.float32), self.channels_last).to(weight.dtype)
        for layer in self.layers:
            x = layer(x)
        return Flat()(x)


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
    """HardNet's initialization: each bank of weights as a matrix is orthogonal times 0.6, biases are 0."""
    torch.manual_seed(seed)
    for _, module in model.banks:
        nn.init.orthogonal_(module.weight, gain=0.6)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    return model


def tensors_of(model):
    """The model's tensors by their names in our files, each with how it is turned from ours to PyTorch's and back."""
    filters, plain = (lambda t: t.permute(0, 3, 1, 2), lambda t: t.permute(0, 2, 3, 1)), (lambda t: t, lambda t: t)
    for number, module in enumerate(model.layers, 1):
        prefix = f"towers.0.layers.{number}."
        if isinstance(module, nn.Conv2d):
            yield prefix + "filters", module.weight, filters
        elif isinstance(module, nn.Sequential):
            module = module[1]
            yield prefix + "weights", module.weight, plain
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            yield prefix + "running_mean", module.running_mean, plain
            yield prefix + "running_variance", module.running_var, plain
            if module.affine:
                yield prefix + "scale", module.weight, plain
                yield prefix + "shift", module.bias, plain
            continue
        if getattr(module, "bias", None) is not None:
            yield prefix + "bias", module.bias, plain


def old_names(description):
    """Names in files of the first form, by those of the second: there a convolution and what follows it have one number."""
    names, stage = {}, 0
    for number, layer in enumerate(description["towers"][0]["layers"], 1):
        stage += layer["type"] == "convolution"
        names[f"towers.0.layers.{number}."] = f"towers.0.layers.{stage}."
    return names


def read_model(path, **arguments):
    """A model of cudal2net of one tower (docs/formats.md)."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    metadata = header.pop("__metadata__")
    names = {}
    if "network" in metadata:
        description = checked(json.loads(metadata["network"]), path)
    else:
        if metadata["architecture"] != "l2net" or metadata["normalization"] != "per-patch" or any(
                name.split(".")[-1] in ("bias", "scale", "shift") for name in header):
            raise ValueError(f"{path}: not a network of HardNet's kind (normalization per patch, no biases, no learned scale)")
        description = read_description()
        for layer in description["towers"][0]["layers"]:
            if layer["type"] == "batchNormalization":
                layer["epsilon"] = float(metadata["epsilon"])
        names = old_names(description)

    def tensor(name):
        layer, _, last = name.rpartition(".")
        entry = header[names.get(layer + ".", layer + ".") + last]
        first, end = entry["data_offsets"]
        values = np.frombuffer(data[first:end], {"F32": "<f4", "F16": "<f2"}[entry["dtype"]])
        return torch.from_numpy(values.astype(np.float32).reshape(entry["shape"]))

    model = Network(description, **arguments)
    with torch.no_grad():
        for name, values, (turned, _) in tensors_of(model):
            values.copy_(turned(tensor(name)))
    return model


def write_model(model, path):
    """The network as a model of cudal2net."""
    metadata = {"format": "cudal2net-model-2", "network": json.dumps(model.description), "patch_scale": "10"}
    header, data = {"__metadata__": metadata}, b""
    for name, values, (_, turned) in tensors_of(model):
        values = turned(values.detach()).contiguous().cpu().numpy().astype("<f4")
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)
