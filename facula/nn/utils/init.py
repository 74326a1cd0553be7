"""Building a module without drawing its initial weights."""

from __future__ import annotations

import inspect
from typing import Any

from facula.nn.modules.module import Module
from facula.tensors import get_rng_state, set_rng_state


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Module:
    """A module whose parameters hold no meaningful values yet.

    PyTorch builds it on the meta device; here the weights are drawn and forgotten, so the
    random stream is put back to where it was.
    """
    if not isinstance(module_cls, type) or not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    from_stream = get_rng_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        set_rng_state(from_stream)
