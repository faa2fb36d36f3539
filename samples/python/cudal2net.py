"""CudaL2Net for Python: the C library over ctypes, with NumPy arrays. Tensors in the host's memory come in by DLPack.

    import cudal2net
    device = cudal2net.Device()
    model = cudal2net.Model(device)
    a, b = model.describe(patches_a), model.describe(patches_b)      # [n][side][side] uint8 or float32, of any strides
    for match in device.match(a, b, mutual=True, ratio=0.9):
        print(match["query"], match["target"], match["distance"])

CUDAL2NET_LIBRARY names the library; else it is looked for in artifacts/native of this repository, and where the system's libraries are.
"""
import ctypes
import json
import os

import numpy

__all__ = ["Device", "Error", "Model", "version"]

_U8, _F32, _BITS = 0, 1, 2
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
]


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
    table = get(1)
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
    strides = array.strides if array.size else (0, 0, 0)
    view = _Patches(array.ctypes.data, array.shape[0], array.shape[1], _F32 if array.dtype == numpy.float32 else _U8, *strides, white)
    return view, array


def version():
    """The library's version."""
    return _api.version().decode()


class Device:
    """A device: "auto", "cpu", "cuda", "cuda:N"."""

    def __init__(self, name="auto", threads=0, precision="float32"):
        self._handle = _P()
        _check(_api.device_open(name.encode(), threads, precision.encode(), ctypes.byref(self._handle)))
        info = _DeviceInfo()
        _check(_api.device_info(self._handle, ctypes.byref(info)))
        self.name, self.description = info.name.decode(), info.description.decode()
        self.note = info.note.decode() if info.note else None

    def match(self, queries, targets, mutual=False, ratio=1.0):
        """Nearest targets that pass the tests, by rising query, as an array of (query, target, distance, second_distance).

        queries, targets: [n][dimension] float32, compared by Euclidean distance; or [n][bytes] uint8, packed bits, compared by differing bits.
        """
        views = [self._descriptors(values) for values in (queries, targets)]
        matches, count = numpy.empty(views[0][0].count, _MATCH), _I64()
        _check(_api.match(self._handle, ctypes.byref(views[0][0]), ctypes.byref(views[1][0]), mutual, ratio, matches.ctypes.data, len(matches),
                          ctypes.byref(count)))
        return matches[:count.value]

    @staticmethod
    def _descriptors(values):
        array = numpy.ascontiguousarray(_array(values))
        if array.ndim != 2 or array.dtype not in (numpy.uint8, numpy.float32):
            raise TypeError(f"descriptors are [n][d] of float32 or uint8, not {list(array.shape)} of {array.dtype}")
        bits = array.dtype == numpy.uint8
        return _Descriptors(array.ctypes.data, array.shape[0], array.shape[1] * (8 if bits else 1), _BITS if bits else _F32), array

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

    def score(self, first, second, white=255):
        """[n] float32, the larger the more alike: for networks that score pairs."""
        (a, keep_a), (b, keep_b) = _patches(first, white), _patches(second, white)
        out = numpy.empty(a.count, numpy.float32)
        _check(_api.score(self._handle, ctypes.byref(a), ctypes.byref(b), out.ctypes.data, out.size))
        return out

    def __del__(self, release=_api.model_release):
        release(self.__dict__.get("_handle"))
