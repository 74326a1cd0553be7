"""``torch.accelerator``: one name for whatever accelerator there is; here there is none."""

from __future__ import annotations

import warnings
from typing import Any

from facula.base.devices import device


def _refuse() -> Any:
    raise RuntimeError("Cannot access accelerator device when none is available.")


def is_available() -> bool:
    """Whether there is an accelerator: no.

    >>> import facula as torch
    >>> torch.accelerator.is_available()
    False
    """
    return False


def device_count() -> int:
    """Number of accelerators: 0."""
    return 0


def current_accelerator(check_available: bool = False) -> device | None:
    """The type of accelerator: None."""
    return None


def current_device_index() -> int:
    """Index of the current accelerator; refused."""
    return _refuse()


def set_device_index(device: Any, /) -> None:
    """Choose the current accelerator; refused."""
    _refuse()


def current_device_idx() -> int:
    """Old name of :func:`current_device_index`."""
    warnings.warn("Use `current_device_index` instead.", FutureWarning, stacklevel=2)
    return _refuse()


def set_device_idx(device: Any, /) -> None:
    """Old name of :func:`set_device_index`."""
    warnings.warn("Use `set_device_index` instead.", FutureWarning, stacklevel=2)
    _refuse()


def current_stream(device: Any = None, /) -> Any:
    """The current stream; refused."""
    return _refuse()


def set_stream(stream: Any) -> None:
    """Make a stream current; refused."""
    _refuse()


def synchronize(device: Any = None, /) -> None:
    """Wait for the accelerator; refused."""
    _refuse()


def empty_cache() -> None:
    """Give cached memory back; refused."""
    _refuse()


def memory_allocated(device_index: Any = None, /) -> int:
    """Bytes in use by tensors; refused."""
    return _refuse()


def max_memory_allocated(device_index: Any = None, /) -> int:
    """The most bytes that were in use by tensors; refused."""
    return _refuse()


def memory_reserved(device_index: Any = None, /) -> int:
    """Bytes the allocator holds; refused."""
    return _refuse()


def max_memory_reserved(device_index: Any = None, /) -> int:
    """The most bytes the allocator held; refused."""
    return _refuse()


def memory_stats(device_index: Any = None, /) -> dict:
    """Figures of the allocator; refused."""
    return _refuse()


def reset_peak_memory_stats(device_index: Any = None, /) -> None:
    """Start measuring the peak anew; refused."""
    _refuse()


class device_index:
    """A context in which another accelerator is current; None changes nothing."""

    def __init__(self, device: int | None, /):
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            _refuse()

    def __exit__(self, *exc: object) -> None:
        return None
