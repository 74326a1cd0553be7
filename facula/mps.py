"""``torch.mps`` of a build without Apple's GPUs."""

from __future__ import annotations

from typing import Any

from facula.tensors import Tensor


def _refuse(call: str) -> Any:
    raise RuntimeError(f"Cannot execute {call}() without MPS backend.")


def is_available() -> bool:
    """Whether an Apple GPU can be used: no."""
    return False


def device_count() -> int:
    """Number of Apple GPUs: 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed the GPU: accepted and without effect."""
    int(seed)


def seed() -> None:
    """Seed the GPU with a random number; refused."""
    _refuse("getDefaultGenerator")


def get_rng_state() -> Tensor:
    """State of the GPU's stream; refused."""
    return _refuse("getDefaultGenerator")


def set_rng_state(new_state: Tensor) -> None:
    """Set the GPU's stream; refused."""
    _refuse("getDefaultGenerator")


def synchronize() -> None:
    """Wait for the GPU; refused."""
    _refuse("deviceSynchronize")


def empty_cache() -> None:
    """Give cached GPU memory back; refused."""
    _refuse("emptyCache")


def current_allocated_memory() -> int:
    """Bytes of GPU memory in use by tensors; refused."""
    return _refuse("getCurrentAllocatedMemory")


def driver_allocated_memory() -> int:
    """Bytes of GPU memory the driver holds; refused."""
    return _refuse("getDriverAllocatedMemory")


def recommended_max_memory() -> int:
    """How many bytes of GPU memory should be used at most; refused."""
    return _refuse("getRecommendedMaxMemory")


def set_per_process_memory_fraction(fraction: float) -> None:
    """Limit the GPU memory of this process; refused."""
    _refuse("setMemoryFraction")
