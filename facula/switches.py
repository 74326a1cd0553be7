"""Switches of ``torch`` that scripts set (determinism, matmul precision ...) and its checks."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from facula.base.devices import CPU, device
from facula.tensors import Tensor
from facula.tensors.storages import TypedStorage, UntypedStorage

_PRECISIONS = ("highest", "high", "medium")
_DEBUG_MODES = {"default": 0, "warn": 1, "error": 2}
_set: dict[str, Any] = {
    "deterministic": False,
    "warn_only": False,
    "precision": "highest",
    "warn_always": False,
    "interop": 1,
}


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for results that do not depend on timing; facula's never do.

    >>> import facula as torch
    >>> torch.use_deterministic_algorithms(True)
    >>> torch.are_deterministic_algorithms_enabled()
    True
    >>> torch.use_deterministic_algorithms(False)
    """
    _set["deterministic"], _set["warn_only"] = bool(mode), bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Whether deterministic algorithms were asked for."""
    return _set["deterministic"]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether a violation would only warn."""
    return _set["warn_only"]


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """0 or "default", 1 or "warn", 2 or "error"."""
    if isinstance(debug_mode, str):
        if debug_mode not in _DEBUG_MODES:
            raise RuntimeError(
                "invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got "
                f"{debug_mode}"
            )
        debug_mode = _DEBUG_MODES[debug_mode]
    elif not isinstance(debug_mode, int):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}"
        )
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


def get_deterministic_debug_mode() -> int:
    """0: off, 1: warn, 2: error."""
    if not _set["deterministic"]:
        return 0
    return 1 if _set["warn_only"] else 2


def set_float32_matmul_precision(precision: str) -> None:
    """Allow products of float32 in fewer bits: "highest", "high" or "medium".

    A CPU always uses full float32, so this is remembered and changes nothing.
    """
    if precision not in _PRECISIONS:
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current"
            "setFloat32MatmulPrecision call has no effect.",
            stacklevel=2,
        )
        return
    _set["precision"] = precision


def get_float32_matmul_precision() -> str:
    """What ``set_float32_matmul_precision`` was told."""
    return _set["precision"]


def set_flush_denormal(mode: bool) -> bool:
    """Flush denormal numbers to zero: not supported, so False is returned and they are kept."""
    return False


def get_num_interop_threads() -> int:
    """Threads for operations that run side by side."""
    return _set["interop"]


def set_num_interop_threads(n: int) -> None:
    """Set the threads for operations that run side by side; remembered only."""
    if n <= 0:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    _set["interop"] = int(n)


def set_warn_always(b: bool) -> None:
    """Let warnings that appear once appear always."""
    _set["warn_always"] = bool(b)


def is_warn_always_enabled() -> bool:
    """Whether warnings appear always."""
    return _set["warn_always"]


def get_default_device() -> device:
    """Where factory functions put tensors."""
    return CPU


def get_device_module(device: Any = None) -> ModuleType:
    """The module of a type of device: ``torch.cpu``, ``torch.cuda``, ..."""
    kind = "cpu" if device is None else _device_type(device)
    try:
        return importlib.import_module(f"facula.{kind}")
    except ModuleNotFoundError:
        raise RuntimeError(
            f"Invalid device_module '{kind}'. Try 'cpu', 'cuda', 'mps' or 'xpu'."
        ) from None


def _device_type(wanted: Any) -> str:
    return device(wanted).type


def _assert(condition: Any, message: str) -> None:
    """``assert`` as a function."""
    assert condition, message


def _failed(error: type[Exception], cond: Any, message: Callable[[], Any] | None) -> None:
    if not isinstance(cond, (bool, Tensor)):
        raise TypeError(f"cond must be a bool, but got {type(cond)}")
    if cond:
        return
    if message is None:
        raise error("Expected cond to be True, but got False.")
    if not callable(message):
        raise TypeError("message must be a callable")
    raise error(str(message()))


def _check(cond: Any, message: Callable[[], Any] | None = None) -> None:
    """RuntimeError unless ``cond``; ``message()`` makes the text."""
    _failed(RuntimeError, cond, message)


def _check_value(cond: Any, message: Callable[[], Any] | None = None) -> None:
    """ValueError unless ``cond``."""
    _failed(ValueError, cond, message)


def _check_index(cond: Any, message: Callable[[], Any] | None = None) -> None:
    """IndexError unless ``cond``."""
    _failed(IndexError, cond, message)


def _check_type(cond: Any, message: Callable[[], Any] | None = None) -> None:
    """TypeError unless ``cond``."""
    _failed(TypeError, cond, message)


def _check_not_implemented(cond: Any, message: Callable[[], Any] | None = None) -> None:
    """NotImplementedError unless ``cond``."""
    _failed(NotImplementedError, cond, message)


def is_storage(obj: Any) -> bool:
    """Whether an object is a storage."""
    return isinstance(obj, (TypedStorage, UntypedStorage))


def is_vulkan_available() -> bool:
    """Whether the Vulkan backend can be used: no."""
    return False


def compiled_with_cxx11_abi() -> bool:
    """Whether C++ extensions use the C++11 ABI; kept for build scripts."""
    return True
