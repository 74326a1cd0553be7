"""Calling several modules, each on its own input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facula.nn.modules.module import Module
from facula.tensors import Tensor


def parallel_apply(
    modules: Sequence[Module],
    inputs: Sequence[Any],
    kwargs_tup: Sequence[dict[str, Any]] | None = None,
    devices: Any = None,
) -> list[Any]:
    """The outputs of the modules, in order; one device computes them one after the other."""
    if len(modules) != len(inputs):
        raise AssertionError(
            f"The number of modules {len(modules)} is not equal to the number of inputs "
            f"{len(inputs)}"
        )
    options = [{}] * len(modules) if kwargs_tup is None else kwargs_tup
    return [
        module(*((args,) if isinstance(args, Tensor) else tuple(args)), **kwargs)
        for module, args, kwargs in zip(modules, inputs, options)
    ]
