"""The ``flags()`` context that several modules of ``torch.backends`` have."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any


def flags_context(module: ModuleType | Any, names: tuple[str, ...]) -> Callable[..., Any]:
    """A context manager that sets attributes of ``module`` and restores them."""

    @contextlib.contextmanager
    def flags(*args: Any, **kwargs: Any) -> Iterator[None]:
        """Change settings inside a ``with`` block."""
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        unknown = set(given) - set(names)
        if unknown:
            raise TypeError(f"flags() got an unexpected keyword argument '{min(unknown)}'")
        before = {name: getattr(module, name) for name in given}
        for name, value in given.items():
            setattr(module, name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(module, name, value)

    return flags
