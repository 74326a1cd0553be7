"""Errors of ``torch.cuda``, and the one every call that needs a GPU raises."""

from __future__ import annotations

from typing import Any


class AcceleratorError(RuntimeError):
    """An accelerator reported an error."""


class OutOfMemoryError(RuntimeError):
    """An accelerator has too little memory left; what ``except`` clauses of scripts name."""


class CudaError(RuntimeError):
    """A call of CUDA's runtime failed."""


class DeferredCudaCallError(Exception):
    """A call that waited for CUDA's initialisation failed."""


def missing() -> Any:
    """Raise what PyTorch raises when it was built without CUDA."""
    raise AssertionError("Torch not compiled with CUDA enabled")
