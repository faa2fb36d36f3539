"""What the peers' scripts share: options, random input, output."""
import argparse
import json
import os
import statistics
import sys

import numpy as np
import torch

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
MODEL = os.path.join(ROOT, "src", "CudaL2Net", "Networks", "Pretrained", "l2net-synthetic.safetensors")

MALLOC = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=34359738368:glibc.malloc.trim_threshold=34359738368"


def parser(description, batches):
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda")
    options.add_argument("--precisions", nargs="+", choices=["float32", "tf32", "bf16"], help="default: all on CUDA, float32 on a CPU")
    options.add_argument("--batches", nargs="+", type=int, default=batches, help="patches, two per pair when training")
    options.add_argument("--samples", type=int, default=9)
    options.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="CPU threads; default: one per core")
    options.add_argument("--network", default="hardnet", help="what is trained: a network of the library, or a JSON file (cudal2net info --networks)")
    options.add_argument("--model", default=MODEL, help="a model of cudal2net; default: the one in the box")
    return options


def use(parser):
    """Reads the options and sets threads and memory up. On a CPU, PyTorch needs an allocator that keeps large blocks and backs them with large pages."""
    options = parser.parse_args()
    if options.device == "cpu" and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = MALLOC
        os.execv(sys.executable, [sys.executable, *sys.argv])
    torch.set_num_threads(options.threads)
    options.precisions = options.precisions or (["float32"] if options.device == "cpu" else ["float32", "tf32", "bf16"])
    return options


def random_patches(count, seed=1):
    """Bytes [count][32][32] with edges and noise."""
    random = np.random.default_rng(seed)
    angle, wave = random.uniform(0, 2 * np.pi, (2, count, 1, 1)).astype(np.float32)
    rows, columns = np.mgrid[0:32, 0:32].astype(np.float32)
    across = np.cos(angle) * columns + np.sin(angle) * rows
    noise = random.integers(-40, 40, (count, 32, 32), dtype=np.int16)
    return (128 + 80 * np.sin(across * (0.2 + wave / (2 * np.pi))) + noise).astype(np.uint8)


def emit(line, samples, **more):
    """Prints a line of JSON: what was measured, the median, every sample."""
    line = dict(line, **({"patchesPerSecond": statistics.median(samples), "samples": samples} if samples else {}), **more)
    print(json.dumps(line), flush=True)
    return line


class Unavailable(Exception):
    """What this PyTorch or this device does not have."""


def require(device, compiled=False, captured=False, frozen=False):
    if compiled and not hasattr(torch, "compile"):
        raise Unavailable(f"PyTorch {torch.__version__} has no torch.compile")
    if captured and device.type != "cuda":
        raise Unavailable("CUDA graphs are for CUDA devices")
    if frozen and device.type != "cpu":
        raise Unavailable("oneDNN is for CPUs")


def reason(error):
    """An exception in one line."""
    if isinstance(error, Unavailable):
        return str(error)
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200] if text else ''}"
