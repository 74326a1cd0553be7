"""Checks of the options that several optimizers have in common."""

from __future__ import annotations

from typing import Any

from facula.tensors import Tensor


def check_lr(lr: Any) -> None:
    """A learning rate is a number >= 0, or a tensor with one element."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    check_at_least_zero("learning rate", lr)


def check_at_least_zero(what: str, value: Any) -> None:
    """Raise ValueError("Invalid <what>: ...") for negative numbers and for nan."""
    if not value >= 0.0:
        raise ValueError(f"Invalid {what}: {value}")


def check_betas(betas: Any) -> None:
    """Both decay rates of the running averages lie in [0, 1)."""
    for i in range(2):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")


def check_fused(fused: Any, foreach: Any, differentiable: bool) -> None:
    """``fused``, ``foreach`` and ``differentiable`` are accepted, but not all together."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
