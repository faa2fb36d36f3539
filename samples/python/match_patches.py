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

grey = numpy.full((3, 32, 32), 128, numpy.uint8)
assert (model.describe(numpy.broadcast_to(grey[0, 0, 0], grey.shape)) == model.describe(grey)).all()

# An image and the same one turned by 180 degrees, at keypoints: x, y, size, angle. The index is built once.
rng = numpy.random.default_rng(2)
image = numpy.repeat(numpy.repeat(rng.integers(0, 256, (60, 80), numpy.uint8), 4, axis=0), 4, axis=1)
places = numpy.column_stack([rng.uniform(40, 280, 50), rng.uniform(40, 200, 50), rng.uniform(2, 5, 50), rng.uniform(0, 180, 50)])
turned = numpy.column_stack([319 - places[:, 0], 239 - places[:, 1], places[:, 2], places[:, 3] + 180])
here, there = model.describe_images([image, image[::-1, ::-1]], [places, turned])
targets, distances = cudal2net.Index(device, there).nearest(here, k=3)
print(f"{(targets[:, 0] == numpy.arange(50)).sum()} of 50 keypoints find their own in the turned image")
assert (targets[:, 0] == numpy.arange(50)).all() and (numpy.diff(distances, axis=1) >= 0).all()
half = places[:, 2] * model.patch_scale / 2
cos, sin = half * numpy.cos(numpy.radians(places[:, 3])), half * numpy.sin(numpy.radians(places[:, 3]))
frames = numpy.stack([numpy.stack([cos, -sin, places[:, 0]], 1), numpy.stack([sin, cos, places[:, 1]], 1)], 1)
assert abs(model.describe_image(numpy.dstack([image] * 3), frames) - here).max() < 0.05

# By DLPack descriptors stay where they were made, on a GPU too.
assert (numpy.from_dlpack(model.describe_dlpack(patches[:, None])) == model.describe(patches)).all()
model.describe_dlpack(brighter, white=1, bits=True)      # nobody takes it: it is released

try:
    import cv2

    found = cv2.SIFT_create(100).detect(image)
    print(f"{len(model.describe_image(image, found, bits=True))} of OpenCV's keypoints described")
except ImportError:
    print("OpenCV's module is not installed: its keypoints were not tried")

try:
    import torch

    tensor = torch.from_numpy(patches.copy())
    assert (model.describe(tensor) == model.describe(patches)).all()
    assert (torch.from_dlpack(model.describe_dlpack(tensor.float())).numpy() == model.describe(patches)).all()
    print("a tensor of PyTorch is described like the array")
except ImportError:
    print("PyTorch is not installed: its tensors were not tried")

try:
    model.describe(patches[:, :31, :31])
except cudal2net.Error as error:
    print(f"as it should be, error {error.code}: {error}")
