"""Arguments and results as leaves: nested lists, tuples and dicts taken apart and built again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula.autograd.handle import TensorBase

_VALUES = (bool, int, str, bytes, type(None))  # told apart by what they are, not by which object


def enter(item: Any, key: list, leaves: list) -> None:
    """Append the leaves of one argument, and to ``key`` all that has to be equal in a replay."""
    cls = item.__class__
    if issubclass(cls, TensorBase):
        key.append(item._value.spec)
        key.append(0 if item._node is None else 1 if item._grad is None else 2)
        leaves.append(item)
    elif cls is float:
        key.append(float)
        leaves.append(item)
    elif issubclass(cls, (list, tuple)):
        key.append((cls, len(item)))
        for part in item:
            enter(part, key, leaves)
    elif issubclass(cls, dict):
        key.append((cls, *item))
        for part in item.values():
            enter(part, key, leaves)
    elif cls in _VALUES:
        key.append((cls, item))
        leaves.append(item)
    else:
        key.append(id(item))
        leaves.append(item)


def rebuild(item: Any, leaf: Callable[[Any], Any]) -> Any:
    """``item`` with each of its leaves replaced by what ``leaf`` makes of it, in order."""
    cls = item.__class__
    if issubclass(cls, TensorBase):
        return leaf(item)
    if issubclass(cls, (list, tuple)):
        parts = [rebuild(part, leaf) for part in item]
        if hasattr(item, "_fields"):
            return cls(*parts)
        return parts if cls is list else cls(parts)
    if issubclass(cls, dict):
        found = [(name, rebuild(part, leaf)) for name, part in item.items()]
        return dict(found) if cls is dict else cls(found)
    return leaf(item)


def shape_of(item: Any) -> Any:
    """The structure of a result without its leaves; equal structures are rebuilt alike."""
    cls = item.__class__
    if issubclass(cls, TensorBase):
        return "tensor"
    if issubclass(cls, (list, tuple)):
        return (cls, *[shape_of(part) for part in item])
    if issubclass(cls, dict):
        return (cls, *[(name, shape_of(part)) for name, part in item.items()])
    return cls
