"""``torch.cuda.memory`` without a GPU: no memory is in use."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

from facula.cuda.errors import missing


def empty_cache() -> None:
    """Give cached GPU memory back: there is none."""


def memory_allocated(device: Any = None) -> int:
    """Bytes of GPU memory in use by tensors."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that were in use by tensors."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """Bytes of GPU memory the allocator holds."""
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes the allocator held."""
    return 0


def _renamed(old: str, new: str) -> None:
    warnings.warn(
        f"`torch.cuda.{old}` has been renamed to `torch.cuda.{new}`", FutureWarning, stacklevel=3
    )


def memory_cached(device: Any = None) -> int:
    """Old name of :func:`memory_reserved`."""
    _renamed("memory_cached", "memory_reserved")
    return 0


def max_memory_cached(device: Any = None) -> int:
    """Old name of :func:`max_memory_reserved`."""
    _renamed("max_memory_cached", "max_memory_reserved")
    return 0


def memory_stats(device: Any = None) -> OrderedDict:
    """Figures of the allocator: none."""
    return OrderedDict()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Free and total GPU memory; refused."""
    return missing()


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """A table of the allocator's figures; refused."""
    return missing()


def memory_snapshot(*args: Any, **kwargs: Any) -> Any:
    """The allocator's state; refused."""
    return missing()


def reset_peak_memory_stats(device: Any = None) -> None:
    """Start measuring the peak anew; refused."""
    missing()


reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats


def reset_accumulated_memory_stats(device: Any = None) -> None:
    """Start counting anew; refused."""
    missing()


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Limit the GPU memory of this process; refused."""
    missing()


def caching_allocator_alloc(size: int, device: Any = None, stream: Any = None) -> int:
    """Allocate GPU memory by hand; refused."""
    return missing()


def _record_memory_history(*args: Any, **kwargs: Any) -> None:
    """Record allocations; refused."""
    missing()
