"""``torch.cuda.random``: seeds of GPUs, accepted although there is none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from facula.cuda.errors import missing
from facula.tensors import Tensor


def manual_seed(seed: int) -> None:
    """Seed the current GPU: accepted and, without one, without effect."""
    int(seed)


def manual_seed_all(seed: int) -> None:
    """Seed all GPUs: accepted and, without any, without effect."""
    int(seed)


def seed() -> None:
    """Seed the current GPU with a random number: without effect."""


def seed_all() -> None:
    """Seed all GPUs with random numbers: without effect."""


def initial_seed() -> int:
    """Seed of the current GPU; refused."""
    return missing()


def get_rng_state(device: Any = "cuda") -> Tensor:
    """State of a GPU's stream; refused."""
    return missing()


def get_rng_state_all() -> list[Tensor]:
    """States of all GPUs' streams: an empty list."""
    return []


def set_rng_state(new_state: Tensor, device: Any = "cuda") -> None:
    """Set a GPU's stream: without effect."""


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Set all GPUs' streams: without effect."""
