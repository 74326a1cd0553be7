"""Splitting arguments along the batch and joining results again."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula.tensors import Tensor


def scatter(inputs: Any, target_gpus: Any, dim: int = 0) -> Any:
    """Chunks of every tensor in ``inputs``, one structure per place; the rest is repeated."""
    places = len(target_gpus)

    def split(value: Any) -> list:
        if isinstance(value, Tensor):
            return list(ops.chunk(value, places, dim))
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return [type(value)(*parts) for parts in zip(*map(split, value))]
        if isinstance(value, tuple) and value:
            return list(zip(*map(split, value)))
        if isinstance(value, list) and value:
            return [list(parts) for parts in zip(*map(split, value))]
        if isinstance(value, dict) and value:
            return [dict(zip(value, parts)) for parts in zip(*map(split, value.values()))]
        return [value] * places

    return split(inputs)


def scatter_kwargs(
    inputs: tuple, kwargs: dict[str, Any] | None, target_gpus: Any, dim: int = 0
) -> tuple[tuple, tuple]:
    """Scattered positional and keyword arguments, the shorter one filled up."""
    split_inputs = list(scatter(inputs, target_gpus, dim)) if inputs else []
    split_kwargs = list(scatter(kwargs, target_gpus, dim)) if kwargs else []
    count = max(len(split_inputs), len(split_kwargs), 0)
    split_inputs += [()] * (count - len(split_inputs))
    split_kwargs += [{}] * (count - len(split_kwargs))
    return tuple(split_inputs), tuple(split_kwargs)


def gather(outputs: Any, target_device: Any, dim: int = 0) -> Any:
    """The results of all places joined along the batch; scalars become a vector."""
    first = outputs[0]
    if isinstance(first, Tensor):
        parts = [o.reshape(1) if o.dim() == 0 else o for o in outputs]
        return ops.cat(parts, dim if first.dim() else 0)
    if first is None:
        return None
    if isinstance(first, dict):
        if not all(len(first) == len(o) for o in outputs):
            raise ValueError("All dicts must have the same number of keys")
        return type(first)((k, gather([o[k] for o in outputs], target_device, dim)) for k in first)
    joined = [gather(parts, target_device, dim) for parts in zip(*outputs)]
    return type(first)(*joined) if hasattr(first, "_fields") else type(first)(joined)
