"""The names a file may use when it is loaded with `weights_only=True`, and what they stand for.

Nothing else can be reached. `CALLABLES` may be called with arguments from the file, so each is
either harmless for all arguments or a wrapper that checks them; `VALUES` may only be mentioned.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import os
import pathlib
import pickle
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from facula.serialization import numpy_values, rebuild, tensor_io
from facula.serialization.storages import storage_types

# Asking for anything in these modules is refused even when the user allowed it.
BLOCKED_MODULES = ("sys", "os", "posix", "nt")


def _encode(text: Any, encoding: Any = "utf-8") -> bytes:
    """Bytes as pickle protocols below 3 write them: as text in Latin-1."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8"):
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r} are not allowed")
    return text.encode(encoding)


def _bytes(*args: Any) -> bytes:
    if args:
        raise pickle.UnpicklingError("bytes() may only be called without arguments by a file")
    return b""


def _bytearray(data: Any = b"", encoding: Any = "latin1") -> bytearray:
    if isinstance(data, str):
        return bytearray(_encode(data, encoding))
    if not isinstance(data, (bytes, bytearray)):
        raise pickle.UnpicklingError(f"bytearray() of {type(data).__name__} is not allowed")
    return bytearray(data)


def _default_dict(factory: Any = None) -> collections.defaultdict:
    if factory is not None and not any(factory is known for known in _FACTORIES):
        raise pickle.UnpicklingError(f"a defaultdict that calls {factory!r} is not allowed")
    return collections.defaultdict(factory)


def _collection(cls: type, *sources: type) -> Callable[..., Any]:
    """Make `cls` from a finished list or dict only: a huge `range` would take all memory."""

    def make(*args: Any) -> Any:
        if args and type(args[0]) not in sources:
            raise pickle.UnpicklingError(f"{cls.__name__} of a {type(args[0]).__name__}")
        return cls(*args)

    return make


def _path(cls: type) -> Callable[..., Any]:
    def make(*parts: Any) -> Any:
        if not all(isinstance(part, str) for part in parts):
            raise pickle.UnpicklingError("a path of something else than strings")
        return cls(*parts)

    return make


def _reconstructor(cls: Any, base: Any, state: Any) -> Any:
    """Plain instances as pickle protocols 0 and 1 write them."""
    if cls is not argparse.Namespace or base is not object or state is not None:
        raise pickle.UnpicklingError(f"an instance of {cls!r} is not allowed")
    return argparse.Namespace()


_FACTORIES = (list, dict, set, tuple, int, float, str, bool, complex, collections.OrderedDict)

_PATHS = {
    "PurePosixPath": pathlib.PurePosixPath,
    "PureWindowsPath": pathlib.PureWindowsPath,
    # A path of the other system cannot exist here; its pure form can.
    "PosixPath": type(pathlib.Path()) if os.sep == "/" else pathlib.PurePosixPath,
    "WindowsPath": type(pathlib.Path()) if os.sep != "/" else pathlib.PureWindowsPath,
}


def _callables() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {
        "collections.OrderedDict": collections.OrderedDict,
        "collections.Counter": _collection(collections.Counter, dict),
        "collections.deque": _collection(collections.deque, list, tuple),
        "collections.defaultdict": _default_dict,
        "builtins.set": _collection(set, list, tuple),
        "builtins.frozenset": _collection(frozenset, list, tuple),
        "builtins.complex": complex,
        "builtins.slice": slice,
        "builtins.range": range,
        "builtins.xrange": range,  # how protocol 2 spells it, for Python 2
        "builtins.bytes": _bytes,
        "builtins.bytearray": _bytearray,
        "_codecs.encode": _encode,
        "argparse.Namespace": argparse.Namespace,
        "types.SimpleNamespace": types.SimpleNamespace,
        "copyreg._reconstructor": _reconstructor,
        "datetime.datetime": datetime.datetime,
        "datetime.date": datetime.date,
        "datetime.time": datetime.time,
        "datetime.timedelta": datetime.timedelta,
        "datetime.timezone": datetime.timezone,
        "numpy.dtype": numpy_values.make_dtype,
        "numpy._core.multiarray._reconstruct": numpy_values.reconstruct,
        "numpy._core.multiarray.scalar": numpy_values.scalar,
        "numpy._core.numeric._frombuffer": numpy_values.from_buffer,
        **rebuild.REBUILDERS,
        **tensor_io.callables(),
    }
    for name, cls in _PATHS.items():
        found[f"pathlib.{name}"] = found[f"pathlib._local.{name}"] = _path(cls)
    return found


def _values() -> dict[str, Any]:
    found: dict[str, Any] = {f"builtins.{t.__name__}": t for t in (list, dict, tuple, int, float)}
    found |= {f"builtins.{t.__name__}": t for t in (str, bool, object)}
    found |= {"numpy.ndarray": np.ndarray, **storage_types(), **tensor_io.values()}
    for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8"):
        found[f"numpy.{name}"] = getattr(np, name)
    return found


def full_name(module: str, name: str) -> str:
    """Return one spelling for names that moved between versions of Python and NumPy."""
    module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
    if module.startswith("numpy.core."):
        module = "numpy._core." + module.removeprefix("numpy.core.")
    return f"{module}.{name}"


CALLABLES = _callables()
VALUES = _values()
