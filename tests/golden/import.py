#!/usr/bin/python3
"""What the tests of `cudal2net import` compare with: descriptors by PyTorch in double precision, and small files by other programs' writers.

usage: python3 import.py [WEIGHTS]
needs: python3-torch, python3-numpy, python3-h5py, python3-scipy (Debian's)

Writes beside itself:
  import.json      descriptors of networks with weights that the tests make by the same formula (draw); and of published weights in the folder WEIGHTS
                   (tfeat-liberty.params, tgloss_liberty.mat, deepdesc_split1_072000.t7), kept as they are where the folder is not given
  small5.mat       two towers and mean images as MATLAB's format 5, by scipy
  small73.mat      the same as format 7.3, by h5py, laid out as MATLAB does
  small.pth, small-legacy.pth   a small network by torch.save, in both of its formats
"""
import json
import os
import struct
import sys

import h5py
import numpy as np
import scipy.io
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(2)


def uniform(seed, count):
    """Numbers in [0, 1), multiples of 2^-24: exact in float32, and easy to make in any language."""
    x = np.arange(count, dtype=np.uint64) + np.uint64(seed * 1000003)
    x = x * np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(32)
    x = x * np.uint64(0xD6E8FEB86659FD93)
    x ^= x >> np.uint64(32)
    return (x >> np.uint64(40)).astype(np.float64) / (1 << 24)


def draw(seed, shape, scale, middle=0.0):
    """Float32 numbers around the middle, at most scale away."""
    return ((uniform(seed, int(np.prod(shape))) - 0.5) * (2 * scale) + middle).astype(np.float32).reshape(shape)


def patches(side):
    """Noise, little contrast, one grey, a ramp with noise."""
    u = uniform(7, 4 * side * side).reshape(4, side, side)
    rows, columns = np.mgrid[0:side, 0:side]
    return np.stack([np.floor(u[0] * 256), 100 + np.floor(u[1] * 8), np.full((side, side), 77.0), (3 * rows + 2 * columns + np.floor(u[3] * 20)) % 256])


class Weights:
    """Draws the tensors of a network in the order of its layers."""

    def __init__(self, seed):
        self.seed = seed

    def next(self, shape, scale, middle=0.0):
        self.seed += 1
        return torch.from_numpy(draw(self.seed, shape, scale, middle).astype(np.float64))

    def filters(self, out, channels, kernel):
        return self.next((out, channels, kernel, kernel), (6.0 / (channels * kernel * kernel)) ** 0.5)

    def linear(self, out, inputs):
        return self.next((out, inputs), (3.0 / inputs) ** 0.5)

    def bias(self, out):
        return self.next((out,), 0.1)

    def norm(self, channels):
        return self.next((channels,), 0.5), self.next((channels,), 0.5, 1.0)


L2NET = [(1, 32, 3, 1, 1), (32, 32, 3, 1, 1), (32, 64, 3, 2, 1), (64, 64, 3, 1, 1), (64, 128, 3, 2, 1), (128, 128, 3, 1, 1), (128, 128, 8, 1, 0)]


def unit(x):
    return x / (x.pow(2).sum(1, keepdim=True) + 1e-10).sqrt()


def per_patch(x, mean_image=None, epsilon=1e-7):
    x = x if mean_image is None else x - mean_image
    flat = x.flatten(1)
    return (x - flat.mean(1)[:, None, None, None]) / (flat.std(1, unbiased=True)[:, None, None, None] + epsilon)


def l2net(w, x, biases, epsilon=1e-5, deviations=False):
    for i, (inputs, out, kernel, stride, padding) in enumerate(L2NET):
        filters = w.filters(out, inputs, kernel)
        bias = w.bias(out) if biases else None
        mean, spread = w.norm(out)
        # MatConvNet stores deviations, which hold epsilon already.
        deviation = spread if deviations else (spread + epsilon).sqrt()
        x = (F.conv2d(x, filters, bias, stride, padding) - mean[:, None, None]) / deviation[:, None, None]
        x = F.relu(x) if i < 6 else x
    return unit(x.flatten(1))


def instance_norm(x):
    return F.instance_norm(x, eps=1e-5)


def hynet(w, x):
    def response(x, channels):
        scale, shift, threshold = w.next((channels,), 0.5, 1.0), w.next((channels,), 0.5), w.next((channels,), 0.5, -0.5)
        x = x * torch.rsqrt(x.pow(2).mean((2, 3), keepdim=True) + float(np.float32(1e-6)))
        return torch.max(scale[:, None, None] * x + shift[:, None, None], threshold[:, None, None])

    x = response(x, 1)
    for inputs, out, kernel, stride, padding in L2NET[:6]:
        filters, bias = w.filters(out, inputs, kernel), w.bias(out)
        x = response(F.conv2d(x, filters, bias, stride, padding), out)
    filters = w.filters(128, 128, 8)
    mean, variance = w.norm(128)
    return unit(((F.conv2d(x, filters) - mean[:, None, None]) / (variance + 1e-5).sqrt()[:, None, None]).flatten(1))


def tfeat(x, c1, b1, c2, b2, linear, b3):
    x = F.max_pool2d(torch.tanh(F.conv2d(instance_norm(x), c1, b1)), 2)
    return torch.tanh(F.linear(torch.tanh(F.conv2d(x, c2, b2)).flatten(1), linear, b3))


def tnet(x, mean_image, weights):
    for i, (filters, bias) in enumerate(weights):
        x = F.conv2d(x if i else x - mean_image, filters, bias, 3 if i == 0 else 1)
        x = F.relu(x) if i < 4 else x
        x = F.max_pool2d(x, 2) if i < 2 else x
    x = x.flatten(1)
    return x / x.pow(2).sum(1, keepdim=True).sqrt()


TNET = [(1, 96, 7), (96, 192, 5), (192, 256, 3), (256, 256, 1), (256, 256, 1)]


def subtractive(x, kernel):
    """Torch's: minus the weighted mean over the neighbourhood and all channels, divided near borders by the share of the kernel inside."""
    channels = x.shape[1]
    bank = (kernel / (kernel.sum() * channels))[None, None].expand(1, channels, -1, -1)
    mean = F.conv2d(x, bank, padding=kernel.shape[0] // 2)
    inside = F.conv2d(torch.ones_like(x[:1]), bank, padding=kernel.shape[0] // 2)
    return x - mean / inside


def deepdesc(x, mean, deviation, weights, kernels):
    x = (x - mean) / deviation
    for i, ((filters, bias), pool) in enumerate(zip(weights, (2, 3, 4))):
        x = torch.tanh(F.conv2d(x, filters, bias))
        x = (F.avg_pool2d(x.pow(2), pool) * (pool * pool)).sqrt()
        x = subtractive(x, kernels[i]) if i < 2 else x
    return x.flatten(1)


DEEPDESC = [(1, 32, 7), (32, 64, 6), (64, 128, 5)]


def made():
    """Networks with drawn weights, by name."""
    small, large = torch.from_numpy(patches(32))[:, None], torch.from_numpy(patches(64))[:, None]
    image32, image64 = torch.from_numpy(draw(1, (32, 32), 20, 120).astype(np.float64)), torch.from_numpy(draw(2, (64, 64), 20, 120).astype(np.float64))
    centre32 = torch.from_numpy(draw(3, (32, 32), 20, 120).astype(np.float64))
    yield "hardnet", l2net(Weights(1000), per_patch(small), biases=False)
    yield "hardnet with biases", l2net(Weights(2000), per_patch(small), biases=True)
    yield "sosnet", l2net(Weights(3000), instance_norm(small), biases=False)
    yield "hynet", hynet(Weights(4000), small)
    w = Weights(5000)
    yield "tfeat", tfeat(small, w.filters(32, 1, 7), w.bias(32), w.filters(64, 32, 6), w.bias(64), w.linear(128, 4096), w.bias(128))
    yield "l2net", l2net(Weights(6000), per_patch(small, image32, 1e-12), biases=True, deviations=True)
    # Halves are rounded up, as OpenCV does.
    reduced = torch.floor(large.reshape(4, 1, 32, 2, 32, 2).sum((3, 5)) / 4 + 0.5)
    yield "cs-l2net", torch.cat([l2net(Weights(6000), per_patch(reduced, image32, 1e-12), biases=True, deviations=True),
                                 l2net(Weights(7000), per_patch(large[:, :, 16:48, 16:48], centre32, 1e-12), biases=True, deviations=True)], 1)
    w = Weights(8000)
    yield "tnet", tnet(large, image64, [(w.filters(out, inputs, kernel), w.bias(out)) for inputs, out, kernel in TNET])
    w = Weights(9000)
    weights = [(w.filters(out, inputs, kernel), w.bias(out)) for inputs, out, kernel in DEEPDESC]
    kernels = [w.next((5, 5), 0.25, 0.5) for _ in range(2)]
    yield "deepdesc", deepdesc(large, image64, w.next((64, 64), 5, 48), weights, kernels)


def published(folder):
    """Published weights, read without this project's code."""
    small, large = torch.from_numpy(patches(32))[:, None], torch.from_numpy(patches(64))[:, None]
    state = {name: value.double() for name, value in torch.load(os.path.join(folder, "tfeat-liberty.params"), map_location="cpu").items()}
    yield "tfeat-liberty.params", tfeat(small, *[state[f"{layer}.{part}"] for layer in ("features.1", "features.4", "descr.0") for part in ("weight", "bias")])
    with h5py.File(os.path.join(folder, "tgloss_liberty.mat"), "r") as f:
        layers = [f[reference] for reference in f["net/layers"][:, 0]]
        banks = [[np.array(f[part]).astype(np.float64) for part in layer["weights"][:, 0]] for layer in layers if "weights" in layer]
        weights = [(torch.from_numpy(bank.transpose(0, 1, 3, 2).copy()), torch.from_numpy(bias[:, 0])) for bank, bias in banks]
        yield "tgloss_liberty.mat", tnet(large, torch.from_numpy(np.array(f["averageImage"]).T.copy()), weights)
    mean, deviation, weights, kernels = read_torch7(os.path.join(folder, "deepdesc_split1_072000.t7"))
    yield "deepdesc_split1_072000.t7", deepdesc(large, mean, deviation, weights, kernels)


def read_torch7(path):
    """DeepDesc's file: a table with a chain of modules, a mean and a deviation."""
    with open(path, "rb") as f:
        data = f.read()
    at, known = [0], {}

    def take(code):
        value, = struct.unpack_from("<" + code, data, at[0])
        at[0] += struct.calcsize("<" + code)
        return value

    def text():
        length = take("i")
        at[0] += length
        return data[at[0] - length:at[0]].decode()

    def value():
        kind = take("i")
        if kind in (0, 1, 2, 5):
            return [lambda: None, lambda: take("d"), text, None, None, lambda: take("i") != 0][kind]()
        number = take("i")
        if number in known:
            return known[number]
        if kind == 3:
            known[number] = table = {}
            for _ in range(take("i")):
                key = value()
                table[key] = value()
            return table
        name = text()
        name = text() if name.startswith("V ") else name
        if name.endswith("Tensor"):
            sizes = take("i")
            shape, strides = [take("q") for _ in range(sizes)], [take("q") for _ in range(sizes)]
            offset, storage = take("q") - 1, value()
            known[number] = None if storage is None else np.lib.stride_tricks.as_strided(storage[offset:], shape, [4 * s for s in strides]).astype(np.float64)
        elif name.endswith("Storage"):
            count, size = take("q"), 4 if "Float" in name else 8
            known[number] = np.frombuffer(data, "<f4" if size == 4 else "<i8", count, at[0])
            at[0] += count * size
        else:
            known[number] = value()
        return known[number]

    root = value()
    modules = [root["desc"]["modules"][float(i)] for i in range(1, 13)]
    banks = [(torch.from_numpy(m["weight"]), torch.from_numpy(m["bias"])) for m in modules if "weight" in m]
    kernels = [torch.from_numpy(m["kernel"]) for m in modules if "kernel" in m]
    return torch.from_numpy(root["mean"][0].copy()), torch.from_numpy(root["std"][0].copy()), banks, kernels


def small_towers():
    """Two towers of 64 x 64 pixels halved: a convolution and normalization each, in MATLAB's order [row][column][in][out]."""
    for seed in (100, 200):
        w = Weights(seed)
        filters, bias = w.filters(3, 1, 32), w.bias(3)
        mean, spread = w.norm(3)
        yield {
            "filters": filters.numpy().astype(np.float32).transpose(2, 3, 1, 0), "bias": bias.numpy().astype(np.float32)[:, None],
            "moments": torch.stack([mean, spread], 1).numpy().astype(np.float32), "image": draw(seed, (32, 32), 20, 120),
        }


def write_small5():
    def cells(items):
        array = np.empty((1, len(items)), dtype=object)
        for i, item in enumerate(items):
            array[0, i] = item
        return array

    variables = {"note": "by scipy", "empty": np.zeros((0, 0))}
    for tower, (net, image) in zip(small_towers(), (("net", "pixMean"), ("netCen", "pixMeanCen"))):
        ones, zeros = np.ones((3, 1), np.float32), np.zeros((3, 1), np.float32)
        variables[net] = {"layers": cells([
            {"type": "conv", "name": "conv1", "weights": cells([tower["filters"], tower["bias"]]), "stride": 1.0, "pad": 0.0},
            {"type": "bnormPair", "name": "bnormPair1", "weights": cells([ones, zeros, tower["moments"]])},
            {"type": "normalize", "name": "normalize1", "param": np.array([6.0, 0, 1, 0.5])}])}
        variables[image] = tower["image"]
    scipy.io.savemat(os.path.join(HERE, "small5.mat"), variables, do_compression=True)


def write_small73():
    path = os.path.join(HERE, "small73.mat")
    with h5py.File(path, "w", userblock_size=512, libver="earliest") as f:
        references = f.create_group("#refs#")

        def put(where, name, array, kind, **storage):
            data = where.create_dataset(name, data=np.asarray(array), **storage)
            data.attrs["MATLAB_class"] = np.string_(kind)
            return data

        def refer(array, kind="single", **storage):
            return put(references, f"r{len(references)}", array, kind, **storage).ref

        def text(where, name, value):
            put(where, name, np.array([[ord(letter)] for letter in value], np.uint16), "char")

        def cell(where, name, items):
            data = where.create_dataset(name, (len(items), 1), dtype=h5py.ref_dtype)
            for i, item in enumerate(items):
                data[i, 0] = item
            data.attrs["MATLAB_class"] = np.string_("cell")

        def layer(kind, items, **more):
            group = references.create_group(f"r{len(references)}")
            group.attrs["MATLAB_class"] = np.string_("struct")
            text(group, "type", kind)
            text(group, "name", kind + "1")
            for name, value in more.items():
                put(group, name, value, "double")
            if items:
                cell(group, "weights", items)
            return group.ref

        text(f, "note", "by h5py")
        empty = put(f, "empty", np.zeros(2, np.uint64), "double")
        empty.attrs["MATLAB_empty"] = np.uint8(1)
        for tower, (net, image) in zip(small_towers(), (("net", "pixMean"), ("netCen", "pixMeanCen"))):
            group = f.create_group(net)
            group.attrs["MATLAB_class"] = np.string_("struct")
            # HDF5 shows MATLAB's sizes in turned order.
            filters = refer(tower["filters"].transpose(), chunks=(2, 1, 20, 32), compression="gzip", shuffle=net == "netCen")
            cell(group, "layers", [
                layer("conv", [filters, refer(tower["bias"].transpose())], stride=[[1.0]], pad=[[0.0]]),
                layer("bnormPair", [refer(np.ones((1, 3), np.float32)), refer(np.zeros((1, 3), np.float32)), refer(tower["moments"].transpose())]),
                layer("normalize", [], param=np.array([[6.0], [0], [1], [0.5]]))])
            put(f, image, tower["image"].transpose(), "single", chunks=(32, 32), compression="gzip")
    # What MATLAB writes before: a text of 116 bytes, 8 bytes, version and byte order.
    with open(path, "r+b") as f:
        f.write("MATLAB 7.3 MAT-file, by h5py".ljust(116).encode() + bytes(8) + b"\x00\x02IM")


def write_small_pth():
    w = Weights(300)
    mean, variance = w.norm(4)
    state = {"conv.weight": w.filters(4, 1, 32).float(), "bn.running_mean": mean.float(), "bn.running_var": variance.float(), "bn.num_batches_tracked": torch.tensor(7)}
    torch.save({"epoch": 3, "state_dict": state}, os.path.join(HERE, "small.pth"))
    torch.save({"epoch": 3, "state_dict": state}, os.path.join(HERE, "small-legacy.pth"), _use_new_zipfile_serialization=False)


def rows(descriptors):
    return [[float(f"{value:.9g}") for value in row] for row in descriptors.tolist()]


def main():
    path = os.path.join(HERE, "import.json")
    kept = json.load(open(path))["published"] if os.path.exists(path) else {}
    result = {"made": {name: rows(values) for name, values in made()}, "published": kept}
    if len(sys.argv) > 1:
        result["published"] = {name: rows(values) for name, values in published(sys.argv[1])}
    with open(path, "w") as f:
        lines = [f"  {json.dumps(part)}: {{\n" + ",\n".join(f"    {json.dumps(name)}: {json.dumps(values, separators=(',', ':'))}" for name, values in result[part].items())
                 + "\n  }" for part in result]
        f.write("{\n" + ",\n".join(lines) + "\n}\n")
    write_small5()
    write_small73()
    write_small_pth()


main()
