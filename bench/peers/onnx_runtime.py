"""The exported network in ONNX Runtime for Python. On a CPU, `cudal2net bench describe` has its own comparison with ONNX Runtime, without Python."""
import os
from dataclasses import dataclass

import torch

from common import Unavailable

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True)
class Variant:
    name: str = "ONNX Runtime"
    takes_long: bool = False


VARIANTS = [Variant()]


def version():
    return onnxruntime.__version__ if onnxruntime else None


class Describer:
    """Describes blocks of patches, which it is given as floats in host memory, in turn."""

    def __init__(self, tool, options, patches, batch, folder):
        if onnxruntime is None:
            raise Unavailable("this Python has no onnxruntime")
        if options.device != "cpu" and PROVIDERS["cuda"] not in onnxruntime.get_available_providers():
            raise Unavailable("this onnxruntime has no provider for CUDA")
        from agreement import tool as run
        path = os.path.join(folder, "model.onnx")
        if not os.path.exists(path):
            run(tool, "export", "--model", options.model, "--format", "onnx", "--out", path)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(path, settings, providers=[PROVIDERS["cpu" if options.device == "cpu" else "cuda"]])
        self.device, self.batch, self.calls = torch.device("cpu"), batch, 0
        self.blocks = [self.floats(patches[torch.arange(first, first + batch) % len(patches)]) for first in range(0, 4 * batch, batch)]

    def __call__(self):
        self.calls += 1
        return self.session.run(None, {"patches": self.blocks[self.calls % len(self.blocks)]})

    def describe(self, block):
        return torch.from_numpy(self.session.run(None, {"patches": self.floats(block)})[0])

    @staticmethod
    def floats(block):
        return block.numpy().astype("float32").reshape(-1, 1, 32, 32)
