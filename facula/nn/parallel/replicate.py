"""Copies of a module that share its parameters."""

from __future__ import annotations

from typing import Any

from facula.nn.modules.module import Module


def replicate(network: Module, devices: Any, detach: bool = False) -> list[Module]:
    """One copy of the module tree per device; ``detach`` cuts the copies from the gradient."""
    return [_copy(network, detach) for _ in devices]


def _copy(module: Module, detach: bool) -> Module:
    replica = module._replicate_for_data_parallel()
    for name, child in module._modules.items():
        replica._modules[name] = None if child is None else _copy(child, detach)
    if detach:
        for name, parameter in module._parameters.items():
            if parameter is not None:
                replica._parameters[name] = parameter.detach()
    return replica
