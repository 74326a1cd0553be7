"""Nested dicts, lists and tuples of tensors: taking them apart and putting them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula.tensors import Tensor


def leaves(tree: Any) -> list[Any]:
    """The leaves in order; None is a leaf."""
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in leaves(value)]
    if isinstance(tree, (list, tuple)):
        return [leaf for value in tree for leaf in leaves(value)]
    return [tree]


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with every leaf replaced."""
    if isinstance(tree, dict):
        return type(tree)((key, mapped(function, value)) for key, value in tree.items())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[mapped(function, value) for value in tree])
    if isinstance(tree, (list, tuple)):
        return type(tree)([mapped(function, value) for value in tree])
    return function(tree)


def rebuilt(tree: Any, new: list[Any]) -> Any:
    """The tree with its leaves replaced by ``new``, in order."""
    left = iter(new)
    return mapped(lambda leaf: next(left), tree)


def tensors_of(tree: Any, what: str) -> list[Tensor]:
    """The leaves, all of which have to be tensors."""
    found = leaves(tree)
    for leaf in found:
        if not isinstance(leaf, Tensor):
            raise RuntimeError(f"{what} must be tensors, got {type(leaf).__name__}")
    return found
