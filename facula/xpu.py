"""``torch.xpu`` of a build without Intel's GPUs."""

from __future__ import annotations

from typing import Any


def _missing() -> Any:
    raise AssertionError("Torch not compiled with XPU enabled")


def is_available() -> bool:
    """Whether an Intel GPU can be used: no."""
    return False


def is_initialized() -> bool:
    """Whether the state of the GPU was initialised."""
    return False


def device_count() -> int:
    """Number of Intel GPUs: 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed the GPU: accepted and without effect."""
    int(seed)


def manual_seed_all(seed: int) -> None:
    """Seed all GPUs: accepted and without effect."""
    int(seed)


def empty_cache() -> None:
    """Give cached GPU memory back: there is none."""


def memory_allocated(device: Any = None) -> int:
    """Bytes of GPU memory in use by tensors."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that were in use by tensors."""
    return 0


def synchronize(device: Any = None) -> None:
    """Wait for the GPU; refused."""
    _missing()


def current_device() -> int:
    """Index of the current GPU; refused."""
    return _missing()


def set_device(device: Any) -> None:
    """Choose the current GPU; refused."""
    _missing()


def get_device_name(device: Any = None) -> str:
    """Name of a GPU; refused."""
    return _missing()
