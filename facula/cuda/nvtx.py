"""``torch.cuda.nvtx``: marks for NVIDIA's profilers, which need CUDA."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

_ABSENT = "NVTX functions not installed. Are you sure you have a CUDA build?"


def range_push(msg: str) -> int:
    """Open a named range; refused."""
    raise RuntimeError(_ABSENT)


def range_pop() -> int:
    """Close the innermost range; refused."""
    raise RuntimeError(_ABSENT)


def mark(msg: str) -> None:
    """Mark a point in time; refused."""
    raise RuntimeError(_ABSENT)


@contextlib.contextmanager
def range(msg: str, *args: object, **kwargs: object) -> Iterator[None]:
    """A named range as a context; refused."""
    range_push(msg.format(*args, **kwargs))
    yield
