"""Process-wide settings that are functions of ``torch``: default dtype, threads, dtype facts."""

from __future__ import annotations

import os

import numpy as np

from facula.autograd.handle import TensorBase
from facula.base import devices, dtypes
from facula.base.caches import forget
from facula.engines.registry import use_threads
from facula.tensors import legacy


def set_default_dtype(d) -> None:
    """The dtype of Python floats and of factory functions without ``dtype=``.

    >>> import facula as torch
    >>> torch.get_default_dtype()
    torch.float32
    """
    if not isinstance(d, dtypes.dtype) or not d.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, got {d}")
    if d is not dtypes.defaults.floating:
        dtypes.defaults.floating = d
        forget()  # what Python floats promote to stands in every trace


def get_default_dtype():
    """The dtype of Python floats."""
    return dtypes.default_float()


def set_default_tensor_type(t) -> None:
    """Like ``set_default_dtype``, by the name of a legacy type."""
    if isinstance(t, str):
        if "cuda" in t:
            devices.usable("cuda")
        found = legacy.dtype_of_name(t)
        if found is None:
            raise TypeError(f"invalid type: '{t}'")
        set_default_dtype(found)
    else:
        set_default_dtype(t.dtype)


def set_default_device(device) -> None:
    """Where factory functions put tensors; only the CPU is possible."""
    devices.usable(device)


_threads = {"count": os.cpu_count() or 1}


def get_num_threads() -> int:
    """Threads an engine may use."""
    return _threads["count"]


def set_num_threads(n: int) -> None:
    """Limit the threads an engine may use; results are the same bits for any number."""
    if not isinstance(n, int):
        raise TypeError(f"set_num_threads expects an int, but got {type(n).__name__}")
    if n <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    _threads["count"] = n
    use_threads(n)


class _Info:
    """Facts about one dtype."""

    def __init__(self, type=None):
        own = dtypes.default_float() if type is None else type
        self._dtype = own
        self.bits = own.itemsize * (4 if own.is_complex else 8)
        self.dtype = own.name


class finfo(_Info):
    """Limits of a floating dtype: eps, max, min, tiny, resolution.

    >>> import facula as torch
    >>> torch.finfo(torch.float32).eps
    1.1920928955078125e-07
    """

    __module__ = "facula"  # its public place, and what type() shows

    def __init__(self, type=None):
        super().__init__(type)
        own = self._dtype.to_real()
        if own.category != dtypes.FLOAT:
            raise TypeError(
                "torch.finfo() requires a floating point input type. "
                f"Use torch.iinfo to handle '{self._dtype!r}'"
            )
        if own is dtypes.bfloat16:
            self.eps, self.max, self.resolution = 0.0078125, 3.3895313892515355e38, 0.01
            self.tiny = self.smallest_normal = 1.1754943508222875e-38
        else:
            info = np.finfo(own.numpy)
            self.eps, self.max = float(info.eps), float(info.max)
            self.tiny = self.smallest_normal = float(info.tiny)
            self.resolution = float(info.resolution)
        self.min = -self.max

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.tiny:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo(_Info):
    """Limits of an integer dtype: min and max."""

    __module__ = "facula"  # its public place, and what type() shows

    def __init__(self, type):
        super().__init__(type)
        if type.category != dtypes.INTEGER:
            raise TypeError(
                "torch.iinfo() requires an integer input type. "
                f"Use torch.finfo to handle '{type!r}'"
            )
        info = np.iinfo(type.numpy)
        self.min, self.max = int(info.min), int(info.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def typename(obj) -> str:
    """The name of an object's type; for tensors the legacy name."""
    if isinstance(obj, TensorBase):
        return obj.type()
    module = getattr(obj, "__module__", "") or ""
    name = getattr(obj, "__qualname__", None) or type(obj).__qualname__
    return f"{module}.{name}" if module and module != "builtins" else name
