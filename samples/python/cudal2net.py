"""CudaL2Net for Python: the C library over ctypes, with NumPy arrays. Tensors in the host's memory come in by DLPack.

    import cudal2net
    device = cudal2net.Device()
    model = cudal2net.Model(device)
    a, b = model.describe(patches_a), model.describe(patches_b)      # [n][side][side] uint8 or float32, of any strides
    for match in device.match(a, b, mutual=True, ratio=0.9):
        print(match["query"], match["target"], match["distance"])

    c = model.describe_image(image, cv2.SIFT_create().detect(image))     # or [n][4]: x, y, size, angle; or [n][2][3]: affine frames
    targets, distances = cudal2net.Index(device, c).nearest(a, k=5)

CUDAL2NET_LIBRARY names the library; else it is looked for in artifacts/native of this repository, and where the system's libraries are.
"""
import ctypes
import json
import os

import numpy

__all__ = ["Device", "Error", "Index", "Model", "Tensor", "version"]

_U8, _F32, _BITS = 0, 1, 2
_KEYPOINT, _FRAME = 0, 1
_P, _I32, _I64, _F64, _TEXT = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_double, ctypes.c_char_p

_MATCH = numpy.dtype([("query", "i4"), ("target", "i4"), ("distance", "f4"), ("second_distance", "f4")])


class _DeviceInfo(ctypes.Structure):
    _fields_ = [("name", _TEXT), ("description", _TEXT), ("note", _TEXT)]


class _ModelInfo(ctypes.Structure):
    _fields_ = [("dimension", _I32), ("patch_side", _I32), ("scores_pairs", _I32), ("binary_bytes", _I32), ("patch_scale", _F64),
                ("network", _TEXT), ("metadata", _TEXT)]


class _Patches(ctypes.Structure):
    _fields_ = [("data", _P), ("count", _I64), ("side", _I32), ("type", _I32), ("patch_stride", _I64), ("row_stride", _I64),
                ("pixel_stride", _I64), ("white", _F64)]


class _Descriptors(ctypes.Structure):
    _fields_ = [("data", _P), ("count", _I64), ("dimension", _I32), ("type", _I32)]


class _Image(ctypes.Structure):
    _fields_ = [("data", _P), ("stride", _I64), ("width", _I32), ("height", _I32), ("channels", _I32)]


class _Regions(ctypes.Structure):
    _fields_ = [("data", _P), ("count", _I64), ("patch_scale", _F64), ("type", _I32)]


# The table of cudal2net.h, in its order: name, result, parameters.
_FUNCTIONS = [
    ("version", _TEXT),
    ("status_code", _I32, _P),
    ("status_text", _TEXT, _P),
    ("status_release", None, _P),
    ("device_open", _P, _TEXT, _I32, _TEXT, _P),
    ("device_info", _P, _P, _P),
    ("device_synchronize", _P, _P),
    ("device_release", _P, _P),
    ("model_load", _P, _P, _TEXT, _P),
    ("model_load_memory", _P, _P, _P, _I64, _P),
    ("model_load_default", _P, _P, _P),
    ("model_info", _P, _P, _P),
    ("model_release", _P, _P),
    ("describe", _P, _P, _P, _P, _I64),
    ("describe_bits", _P, _P, _P, _P, _I64),
    ("score", _P, _P, _P, _P, _P, _I64),
    ("match", _P, _P, _P, _P, _I32, _F64, _P, _I64, _P),
    ("describe_images", _P, _P, _P, _P, _I64, _I32, _P, _I64, _P, _I64),
    ("device_open_stream", _P, _P, _I32, _TEXT, _P),
    ("describe_on_device", _P, _P, _P, _I32, _P, _I64),
    ("describe_dlpack", _P, _P, _P, _F64, _I32, _P),
    ("index_build", _P, _P, _P, _P),
    ("index_match", _P, _P, _P, _I32, _F64, _P, _I64, _P),
    ("index_nearest", _P, _P, _P, _I32, _P, _P, _I64),
    ("index_release", _P, _P),
]


# DLPack's structures. A capsule holds one of the two forms of a tensor with an owner; which one says its name.
class _DlTensor(ctypes.Structure):
    _fields_ = [("data", _P), ("device_type", _I32), ("device_id", _I32), ("ndim", _I32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
                ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(_I64)), ("strides", ctypes.POINTER(_I64)), ("byte_offset", ctypes.c_uint64)]


_DELETER = ctypes.CFUNCTYPE(None, _P)


class _DlVersioned(ctypes.Structure):
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", _P), ("deleter", _DELETER), ("flags", ctypes.c_uint64),
                ("tensor", _DlTensor)]


class _DlOld(ctypes.Structure):
    _fields_ = [("tensor", _DlTensor), ("context", _P), ("deleter", _DELETER)]


_DESTRUCTOR = ctypes.PYFUNCTYPE(None, _P)
_python = ctypes.PyDLL(None)
_capsule_new, _capsule_pointer, _capsule_is = _python.PyCapsule_New, _python.PyCapsule_GetPointer, _python.PyCapsule_IsValid
_capsule_new.restype, _capsule_new.argtypes = ctypes.py_object, [_P, ctypes.c_char_p, _DESTRUCTOR]
_capsule_pointer.restype, _capsule_pointer.argtypes = _P, [_P, ctypes.c_char_p]
_capsule_is.argtypes = [_P, ctypes.c_char_p]
_given = {}      # what must live until whoever took an old form calls its deleter


@_DESTRUCTOR
def _unused(capsule):
    """A capsule that nobody took releases its tensor; one that was taken has another name."""
    for name, form in ((b"dltensor_versioned", _DlVersioned), (b"dltensor", _DlOld)):
        if _capsule_is(capsule, name):
            place = _capsule_pointer(capsule, name)
            form.from_address(place).deleter(place)


@_DELETER
def _delete_old(place):
    old, versioned = _given.pop(place)
    _DlVersioned.from_address(versioned).deleter(versioned)


class Tensor:
    """Descriptors in the memory of the device that described them, for torch.from_dlpack, numpy.from_dlpack and the like. They can be taken once."""

    def __init__(self, place):
        self._place = place
        tensor = _DlVersioned.from_address(place).tensor
        self.shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
        self._device = (tensor.device_type, tensor.device_id)

    def __dlpack_device__(self):
        return self._device

    def __dlpack__(self, stream=None, max_version=None, dl_device=None, copy=None):
        if self._place is None:
            raise BufferError("these descriptors were taken before")
        if copy or dl_device not in (None, self._device):
            raise BufferError("descriptors are given where they lie, without a copy")
        place, self._place = self._place, None
        if max_version is not None and max_version[0] >= 1:
            return _capsule_new(place, b"dltensor_versioned", _unused)
        old = _DlOld(_DlVersioned.from_address(place).tensor, None, _delete_old)
        _given[ctypes.addressof(old)] = old, place
        return _capsule_new(ctypes.addressof(old), b"dltensor", _unused)

    def __del__(self):
        if self.__dict__.get("_place"):
            _DlVersioned.from_address(self._place).deleter(self._place)


class _Api(ctypes.Structure):
    _fields_ = [("size", _I64)] + [(name, ctypes.CFUNCTYPE(*signature)) for name, *signature in _FUNCTIONS]


class Error(RuntimeError):
    """A call failed: the text says what happened and what to do, `code` is a cl2_code."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def _load():
    built = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "artifacts", "native", "lib", "libcudal2net.so")
    path = os.environ.get("CUDAL2NET_LIBRARY") or (built if os.path.exists(built) else "libcudal2net.so")
    get = ctypes.CDLL(path).cl2_get_api
    get.restype, get.argtypes = ctypes.POINTER(_Api), [ctypes.c_uint32]
    table = get(2)
    if not table:
        raise ImportError(f"{path} is older than this module, or its parts are not beside it")
    return table.contents


_api = _load()


def _check(status):
    if status:
        error = Error(_api.status_code(status), _api.status_text(status).decode())
        _api.status_release(status)
        raise error


def _array(values):
    """A NumPy view of what a caller gives: an array, or a tensor in the host's memory by DLPack."""
    if isinstance(values, numpy.ndarray) or not hasattr(values, "__dlpack__"):
        return numpy.asarray(values)
    return numpy.from_dlpack(values)


def _patches(values, white):
    array = _array(values)
    if array.ndim != 3 or array.shape[1] != array.shape[2]:
        raise ValueError(f"patches are [n][side][side], not {list(array.shape)}")
    if array.dtype not in (numpy.uint8, numpy.float32):
        raise TypeError(f"patches are uint8 or float32, not {array.dtype}")
    if array.size and not any(array.strides):      # one pixel for all: to the library strides of 0 are dense patches
        array = numpy.ascontiguousarray(array)
    strides = array.strides if array.size else (0, 0, 0)
    view = _Patches(array.ctypes.data, array.shape[0], array.shape[1], _F32 if array.dtype == numpy.float32 else _U8, *strides, white)
    return view, array


def _image(values):
    array = _array(values)
    if array.dtype != numpy.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,)):
        raise TypeError(f"images are uint8, [height][width] or [height][width][3] in the order red, green, blue, not {list(array.shape)} of {array.dtype}")
    channels = array.shape[2] if array.ndim == 3 else 1
    packed = array.strides[1] == channels and array.strides[2:] in ((), (1,)) and array.strides[0] >= array.shape[1] * channels
    array = array if packed else numpy.ascontiguousarray(array)
    return _Image(array.ctypes.data, array.strides[0], array.shape[1], array.shape[0], channels), array


def _regions(places, patch_scale):
    if len(places) and hasattr(places[0], "pt"):      # OpenCV's keypoints; an angle of -1 is none
        places = [(*k.pt, k.size, max(k.angle, 0)) for k in places]
    array = numpy.ascontiguousarray(_array(places), numpy.float32)
    if array.size == 0:
        array = array.reshape(0, 4)
    if array.shape[1:] not in ((4,), (2, 3)):
        raise ValueError(f"keypoints are [n][4] (x, y, size, angle), frames [n][2][3], not {list(array.shape)}")
    return _Regions(array.ctypes.data, len(array), patch_scale, _KEYPOINT if array.ndim == 2 else _FRAME), array


def _descriptors(values):
    array = numpy.ascontiguousarray(_array(values))
    if array.ndim != 2 or array.dtype not in (numpy.uint8, numpy.float32):
        raise TypeError(f"descriptors are [n][d] of float32 or uint8, not {list(array.shape)} of {array.dtype}")
    bits = array.dtype == numpy.uint8
    return _Descriptors(array.ctypes.data, array.shape[0], array.shape[1] * (8 if bits else 1), _BITS if bits else _F32), array


def _matches(call, handle, queries, targets, mutual, ratio):
    """Asks for the matches of queries; targets are given, or the handle's own."""
    views = [_descriptors(values) for values in [queries] + targets]
    matches, count = numpy.empty(views[0][0].count, _MATCH), _I64()
    _check(call(handle, *[ctypes.byref(view) for view, keep in views], mutual, ratio, matches.ctypes.data, len(matches), ctypes.byref(count)))
    return matches[:count.value]


def version():
    """The library's version."""
    return _api.version().decode()


class Device:
    """A device: "auto", "cpu", "cuda", "cuda:N"; or, with stream, a GPU in the CUDA context that is current on this thread.

    stream: a CUstream as a number, 0 for the default one: torch.cuda.current_stream().cuda_stream, say. Work is queued there, beside the caller's.
    """

    def __init__(self, name="auto", threads=0, precision="float32", stream=None):
        self._handle = _P()
        if stream is None:
            _check(_api.device_open(name.encode(), threads, precision.encode(), ctypes.byref(self._handle)))
        else:
            _check(_api.device_open_stream(stream, threads, precision.encode(), ctypes.byref(self._handle)))
        info = _DeviceInfo()
        _check(_api.device_info(self._handle, ctypes.byref(info)))
        self.name, self.description = info.name.decode(), info.description.decode()
        self.note = info.note.decode() if info.note else None

    def match(self, queries, targets, mutual=False, ratio=1.0):
        """Nearest targets that pass the tests, by rising query, as an array of (query, target, distance, second_distance).

        queries, targets: [n][dimension] float32, compared by Euclidean distance; or [n][bytes] uint8, packed bits, compared by differing bits.
        """
        return _matches(_api.match, self._handle, queries, [targets], mutual, ratio)

    def __del__(self, release=_api.device_release):
        release(self.__dict__.get("_handle"))


class Model:
    """A model on a device: a file, its bytes, or, without either, the one inside the library."""

    def __init__(self, device, path=None, data=None):
        self._handle, self._device = _P(), device
        place = ctypes.byref(self._handle)
        if path is not None:
            _check(_api.model_load(device._handle, os.fsencode(path), place))
        elif data is not None:
            _check(_api.model_load_memory(device._handle, ctypes.cast(ctypes.c_char_p(data), _P), len(data), place))
        else:
            _check(_api.model_load_default(device._handle, place))
        info = _ModelInfo()
        _check(_api.model_info(self._handle, ctypes.byref(info)))
        self.dimension, self.patch_side, self.patch_scale = info.dimension, info.patch_side, info.patch_scale
        self.scores_pairs, self.network, self._binary_bytes = bool(info.scores_pairs), info.network.decode(), info.binary_bytes
        self.metadata = json.loads(info.metadata)

    def describe(self, patches, white=255):
        """[n][dimension] float32 of patches [n][side][side], uint8 or float32, where `white` is the value of white."""
        view, keep = _patches(patches, white)
        out = numpy.empty((view.count, self.dimension), numpy.float32)
        _check(_api.describe(self._handle, ctypes.byref(view), out.ctypes.data, out.size))
        return out

    def describe_bits(self, patches, white=255):
        """[n][dimension / 8] uint8: the signs of the descriptors, packed."""
        view, keep = _patches(patches, white)
        out = numpy.empty((view.count, self._binary_bytes), numpy.uint8)
        _check(_api.describe_bits(self._handle, ctypes.byref(view), out.ctypes.data, out.size))
        return out

    def describe_dlpack(self, patches, white=255, bits=False):
        """A Tensor of descriptors on the device where the patches lie: whatever has __dlpack__, [n][side][side] or [n][1][side][side], uint8 or float32.

        Nothing is copied. On a GPU the tensor must be of the model's device.
        """
        try:
            capsule = patches.__dlpack__(max_version=(1, 0))
        except TypeError:      # a library that knows the old form only
            capsule = patches.__dlpack__()
        if _capsule_is(id(capsule), b"dltensor_versioned"):
            place = _capsule_pointer(id(capsule), b"dltensor_versioned")
        else:
            view = _DlVersioned(1, 0, None, _DELETER(), 0, _DlOld.from_address(_capsule_pointer(id(capsule), b"dltensor")).tensor)
            place = ctypes.addressof(view)
        result = _P()
        _check(_api.describe_dlpack(self._handle, place, white, _BITS if bits else _F32, ctypes.byref(result)))
        return Tensor(result.value)

    def describe_images(self, images, keypoints, bits=False, patch_scale=0, patches=False):
        """A list of descriptors, for each image [n][dimension] float32 or, with bits, [n][dimension / 8] uint8.

        images       uint8, [height][width] grey or [height][width][3] red, green, blue (cv2 reads blue first: image[:, :, ::-1])
        keypoints    for each image [n][4] of x, y, size, angle in OpenCV's terms; or a list of cv2.KeyPoint; or [n][2][3], affine frames as kornia's
        patch_scale  the patch's side in the image over a keypoint's size; 0 is the model's
        patches      give the patches, too: (descriptors, patches), patches [n][side][side] uint8 for each image
        """
        views, regions = [_image(image) for image in images], [_regions(places, patch_scale) for places in keypoints]
        if len(views) != len(regions):
            raise ValueError(f"{len(views)} images and {len(regions)} sets of keypoints")
        counts = [region.count for region, keep in regions]
        width = self._binary_bytes if bits else self.dimension
        out = numpy.empty((sum(counts), width), numpy.uint8 if bits else numpy.float32)
        cut = numpy.empty((sum(counts), self.patch_side, self.patch_side), numpy.uint8) if patches else None
        _check(_api.describe_images(
            self._handle, (_Image * len(views))(*[view for view, keep in views]), (_Regions * len(views))(*[region for region, keep in regions]), len(views),
            _BITS if bits else _F32, out.ctypes.data, out.size, cut.ctypes.data if patches else None, cut.size if patches else 0))
        ends = numpy.cumsum(counts)[:-1] if counts else []
        split = lambda rows: numpy.split(rows, ends) if counts else []
        return (split(out), split(cut)) if patches else split(out)

    def describe_image(self, image, keypoints, bits=False, patch_scale=0, patches=False):
        """Descriptors of one image: see describe_images."""
        result = self.describe_images([image], [keypoints], bits, patch_scale, patches)
        return (result[0][0], result[1][0]) if patches else result[0]

    def score(self, first, second, white=255):
        """[n] float32, the larger the more alike: for networks that score pairs."""
        (a, keep_a), (b, keep_b) = _patches(first, white), _patches(second, white)
        out = numpy.empty(a.count, numpy.float32)
        _check(_api.score(self._handle, ctypes.byref(a), ctypes.byref(b), out.ctypes.data, out.size))
        return out

    def __del__(self, release=_api.model_release):
        release(self.__dict__.get("_handle"))


class Index:
    """Descriptors that are kept on a device, to be searched often."""

    def __init__(self, device, targets):
        self._handle, self._device = _P(), device
        view, keep = _descriptors(targets)
        _check(_api.index_build(device._handle, ctypes.byref(view), ctypes.byref(self._handle)))

    def match(self, queries, mutual=False, ratio=1.0):
        """As Device.match."""
        return _matches(_api.index_match, self._handle, queries, [], mutual, ratio)

    def nearest(self, queries, k):
        """The k nearest targets of each query by rising distance: ([n][k] int32 rows, [n][k] float32 distances). Where there are fewer, -1 and infinity."""
        view, keep = _descriptors(queries)
        targets, distances = numpy.empty((view.count, max(k, 0)), numpy.int32), numpy.empty((view.count, max(k, 0)), numpy.float32)
        _check(_api.index_nearest(self._handle, ctypes.byref(view), k, targets.ctypes.data, distances.ctypes.data, targets.size))
        return targets, distances

    def __del__(self, release=_api.index_release):
        release(self.__dict__.get("_handle"))
