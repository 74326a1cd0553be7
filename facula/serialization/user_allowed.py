"""Keeps the classes and functions that the user allows in checkpoints besides the built-in list."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from facula.base import public_names as names

Allowed = Callable[..., Any] | tuple[Callable[..., Any], str]

_allowed: list[Allowed] = []


def add_safe_globals(safe_globals: list[Allowed]) -> None:
    """Allow `load(..., weights_only=True)` to use these classes and functions.

    Each entry is the class or function itself, or `(object, "full.name.in.the.file")` when the file
    knows it under another name. Only add what is safe to call with arguments chosen by a stranger.
    """
    for entry in safe_globals:
        if not any(entry is known or entry == known for known in _allowed):
            _allowed.append(entry)


def get_safe_globals() -> list[Allowed]:
    """Return the list of what was added with `add_safe_globals`."""
    return list(_allowed)


def clear_safe_globals() -> None:
    """Forget everything added with `add_safe_globals`."""
    _allowed.clear()


@contextlib.contextmanager
def safe_globals(safe_globals: list[Allowed]) -> Iterator[None]:
    """Allow the given classes and functions inside a `with` block only.

    >>> import facula as torch
    >>> with torch.serialization.safe_globals([MyConfig]):  # doctest: +SKIP
    ...     state = torch.load("run.pt")
    """
    before = list(_allowed)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _allowed[:] = before


def allowed_by_name() -> dict[str, Any]:
    """Return the user's allowed objects under every full name a file may use for them."""
    found = {}
    for entry in _allowed:
        if isinstance(entry, tuple):
            item, name = entry
            found[name] = item
            continue
        module: Any = getattr(entry, "__module__", None)
        name = getattr(entry, "__qualname__", getattr(entry, "__name__", ""))
        if module is None or not name:
            raise TypeError(f"safe globals must be classes or functions, got {entry!r}")
        found[f"{module}.{name}"] = entry
        found[".".join(names.to_torch(module, name))] = entry
    return found
