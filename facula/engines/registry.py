"""Loads engines by name, on demand: the one place that imports inside a function."""

from __future__ import annotations

import importlib

from facula.engines.protocol import Engine

_MODULES = {
    "reference": "facula.engines.reference.engine",
    "native": "facula.engines.native.engine",
}


class Unavailable(RuntimeError):
    """An engine cannot work on this machine; the message says why."""


_loaded: dict[str, Engine] = {}


def engine(name: str) -> Engine:
    """The engine called ``name``; heavy dependencies are imported when it is first asked for."""
    found = _loaded.get(name)
    if found is None:
        if name not in _MODULES:
            raise ValueError(f"no engine is called {name!r}; there are {', '.join(_MODULES)}")
        found = importlib.import_module(_MODULES[name]).make()
        _loaded[name] = found
    return found
