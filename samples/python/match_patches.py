"""Describes patches and the same patches in other light, and matches them:  python3 samples/python/match_patches.py"""
import numpy

import cudal2net

device = cudal2net.Device("cpu")
model = cudal2net.Model(device)
print(f"{device.description}, {model.network}, library {cudal2net.version()}")

patches = numpy.random.default_rng(1).integers(0, 256, (200, 32, 32), numpy.uint8)
brighter = (0.2 + 0.6 * patches / 255).astype(numpy.float32)
floats = device.match(model.describe(patches), model.describe(brighter, white=1), mutual=True, ratio=0.9)
bits = device.match(model.describe_bits(patches), model.describe_bits(brighter, white=1), mutual=True)
print(f"{(floats['query'] == floats['target']).sum()} of {len(patches)} patches find their own by floats, "
      f"{(bits['query'] == bits['target']).sum()} by bits")

# Views are described where they lie: every second pixel of a larger array, upside down.
large = numpy.zeros((200, 64, 64), numpy.uint8)
large[:, ::2, ::2] = patches[:, ::-1]
assert (model.describe(large[:, 62::-2, ::2]) == model.describe(patches)).all()

try:
    import torch

    tensor = torch.from_numpy(patches.copy())
    assert (model.describe(tensor) == model.describe(patches)).all()
    print("a tensor of PyTorch is described like the array")
except ImportError:
    print("PyTorch is not installed: its tensors were not tried")

try:
    model.describe(patches[:, :31, :31])
except cudal2net.Error as error:
    print(f"as it should be, error {error.code}: {error}")
