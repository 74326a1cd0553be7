"""stack_module_state: the parameters of several equal modules as those of one batch of modules."""

from __future__ import annotations

from collections.abc import Sequence

from facula import operators as ops
from facula.nn import Module
from facula.tensors import Tensor


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parameters and buffers of several equal modules, each name stacked along a new dimension."""
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    params = {
        name: ops.stack([dict(m.named_parameters())[name] for m in models])
        .detach()
        .requires_grad_(value.requires_grad)
        for name, value in models[0].named_parameters()
    }
    buffers = {
        name: ops.stack([dict(m.named_buffers())[name] for m in models])
        for name, _ in models[0].named_buffers()
    }
    return params, buffers
