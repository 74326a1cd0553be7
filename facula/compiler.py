"""``torch.compiler``: programs compile themselves, so these steer nothing and are harmless."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from facula.autograd.handle import TensorBase
from facula.tensors.sharing import from_numpy


def disable(fn: Callable | None = None, recursive: bool = True, *, reason: str | None = None):
    """The function itself (or a decorator that returns it)."""
    return (lambda f: f) if fn is None else fn


def is_compiling() -> bool:
    """Whether the code is being traced by ``torch.compile``: never.

    >>> import facula as torch
    >>> torch.compiler.is_compiling()
    False
    """
    return False


def is_dynamo_compiling() -> bool:
    """The same question by its old name."""
    return False


def is_exporting() -> bool:
    """Whether the code is being exported: never."""
    return False


def reset() -> None:
    """Forget compiled programs; facula's stay valid, so nothing is forgotten."""


def allow_in_graph(fn: Any) -> Any:
    """Marks functions that need no look inside; they stay as they are."""
    return fn


def assume_constant_result(fn: Callable) -> Callable:
    """Marks a function whose result does not change; it stays as it is."""
    return fn


def cudagraph_mark_step_begin() -> None:
    """Marks the beginning of a step: without effect."""


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """Names that ``torch.compile(backend=...)`` knows, besides those for debugging."""
    return ["cudagraphs", "inductor", "onnxrt", "openxla", "tvm"]


class set_stance:
    """How compiled functions behave from now on (or inside ``with``): accepted, without effect."""

    def __init__(
        self, stance: str = "default", *, skip_guard_eval_unsafe: bool = False, **kwargs: Any
    ):
        self.stance = stance

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: object) -> None:
        return None

    def __call__(self, fn: Callable) -> Callable:
        return fn


def wrap_numpy(fn: Callable) -> Callable:
    """A function of NumPy arrays as one of tensors: arguments and results are converted."""

    @functools.wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        given = [a.numpy() if isinstance(a, TensorBase) else a for a in args]
        named = {k: a.numpy() if isinstance(a, TensorBase) else a for k, a in kwargs.items()}
        result = fn(*given, **named)
        return from_numpy(result) if isinstance(result, np.ndarray) else result

    return wrapped


def nested_compile_region(fn: Callable | None = None) -> Any:
    """Marks a function that is compiled once for all its uses, which every block is here."""
    return (lambda f: f) if fn is None else fn
