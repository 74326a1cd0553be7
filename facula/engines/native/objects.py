"""Where CPython and NumPy keep what a plan reads from their objects, checked on real ones."""

from __future__ import annotations

import ctypes
import functools
import struct
import sys

import numpy as np


class Layout:
    """Places in objects, in words of 8 bytes."""

    TYPE = 1
    FLOAT_VALUE = 2
    BYTES = 4
    LIST_SIZE, LIST_ITEMS = 2, 3
    ARRAY_DATA, ARRAY_RANK, ARRAY_SHAPE, ARRAY_DTYPE, ARRAY_FLAGS = 2, 3, 4, 7, 8
    READABLE = 0x101  # C order, aligned
    WRITABLE = 0x501


class Python:
    """Places in the block of addresses that native code needs to deal with Python."""

    NDARRAY, FLOAT, INT, BOOL, LIST = range(5)
    AS_LONG, FROM_LONG, SAVE, RESTORE, ERROR, CLEAR = range(5, 11)


_FUNCTIONS = (
    "PyLong_AsLongLong", "PyLong_FromLongLong", "PyEval_SaveThread", "PyEval_RestoreThread",
    "PyErr_Occurred", "PyErr_Clear",
)  # fmt: skip


def _word(item: object, place: int) -> int:
    return ctypes.c_int64.from_address(id(item) + 8 * place).value


def _array_is_readable(array: np.ndarray) -> bool:
    rank = ctypes.c_int.from_address(id(array) + 8 * Layout.ARRAY_RANK).value
    flags = ctypes.c_int.from_address(id(array) + 8 * Layout.ARRAY_FLAGS).value
    if (
        _word(array, Layout.TYPE) != id(np.ndarray)
        or _word(array, Layout.ARRAY_DATA) != array.ctypes.data
        or rank != array.ndim
        or _word(array, Layout.ARRAY_DTYPE) != id(array.dtype)
        or flags != array.flags.num
    ):
        return False
    shape = (ctypes.c_int64 * rank).from_address(_word(array, Layout.ARRAY_SHAPE)) if rank else ()
    return tuple(shape) == array.shape


@functools.cache
def readable() -> bool:
    """Whether objects of this interpreter lie in memory as `Layout` says."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    arrays = [base, base.T, base[0, 0, 1:2].reshape(()), base[:0], np.zeros(3, bool)]
    arrays[-1].flags.writeable = False
    items = [*arrays, 0.0, -2.5, 7, True]
    kinds = (0.0, float), (7, int), (True, bool), (items, list)
    if any(_word(item, Layout.TYPE) != id(kind) for item, kind in kinds):
        return False
    if _word(items, Layout.LIST_SIZE) != len(items):
        return False
    places = (ctypes.c_int64 * len(items)).from_address(_word(items, Layout.LIST_ITEMS))
    if list(places) != [id(item) for item in items]:
        return False
    text = b"sixteen bytes..."
    if ctypes.string_at(id(text) + 8 * Layout.BYTES, len(text)) != text:
        return False
    floats = [x for x in items if type(x) is float]
    doubles = [ctypes.c_double.from_address(id(x) + 8 * Layout.FLOAT_VALUE).value for x in floats]
    return doubles == floats and all(map(_array_is_readable, arrays))


@functools.cache
def addresses() -> np.ndarray:
    """The block of addresses described by `Python`; it is never freed."""
    types = [id(kind) for kind in (np.ndarray, float, int, bool, list)]
    functions = [
        ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value for name in _FUNCTIONS
    ]
    return np.array([*types, *functions], np.uint64).view(np.int64)


class _Method(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_METH_FASTCALL = 0x80
_methods: list[_Method] = []  # CPython keeps pointers to them


def method(address: int) -> _Method:
    """The description of a built-in function whose code is at ``address``."""
    _methods.append(_Method(b"run_plan", address, _METH_FASTCALL, None))
    return _methods[-1]


def built_in(description: _Method, *owner: int):
    """A built-in function of that description; its ``self`` are bytes with these addresses."""
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return make(ctypes.addressof(description), struct.pack(f"{len(owner)}q", *owner), None)
