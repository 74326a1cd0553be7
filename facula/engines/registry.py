"""Loads engines by name, on demand: the one place that imports inside a function."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from facula.engines import freed_memory
from facula.engines.protocol import Engine

_MODULES = {
    "reference": "facula.engines.reference.engine",
    "native": "facula.engines.native.engine",
}


class Unavailable(RuntimeError):
    """An engine cannot work on this machine; the message says why."""


_loaded: dict[str, Engine] = {}
_threads: list[int] = []  # what use_threads was told last


def engine(name: str) -> Engine:
    """The engine called ``name``; heavy dependencies are imported when it is first asked for."""
    found = _loaded.get(name)
    if found is None:
        if name not in _MODULES:
            raise ValueError(f"no engine is called {name!r}; there are {', '.join(_MODULES)}")
        if not _loaded:
            freed_memory.keep()
        found = importlib.import_module(_MODULES[name]).make()
        if _threads:
            found.use_threads(_threads[-1])
        _loaded[name] = found
    return found


def random_functions() -> Callable[[str], Callable[..., None]]:
    """What gives the compiled functions that make random numbers, by name."""
    return importlib.import_module("facula.engines.native.random.functions").load


def use_threads(count: int) -> None:
    """Let engines use ``count`` threads, those that are loaded and those that will be."""
    _threads[:] = [count]
    for found in _loaded.values():
        found.use_threads(count)


def lets_go(buffer: Any) -> bool:
    """Whether an engine kept a buffer that it computed, to use it again; it no longer does."""
    found = _loaded.get("native")
    return found is not None and found.lets_go(buffer)
