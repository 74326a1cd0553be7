"""The few operators that the gradient machinery itself uses; the operators layer supplies them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula.base.dtypes import COMPLEX, FLOAT


class Tools:
    """Filled in by ``facula.operators``: autograd stands below it and may not import it."""

    add: Callable[..., Any]
    sum_to_size: Callable[..., Any]
    real: Callable[..., Any]
    cast: Callable[..., Any]
    ones: Callable[..., Any]
    zeros: Callable[..., Any]
    identity: Callable[..., Any]
    write_value: Callable[..., Any]
    assign: Callable[..., Any]


tools = Tools()


def fit(grad, spec):
    """A gradient brought to its operand's shape (sum over broadcast axes) and dtype."""
    own = grad._value.spec
    if own is spec:
        return grad
    if own.shape != spec.shape:
        grad = tools.sum_to_size(grad, spec.shape)
    if own.dtype is not spec.dtype:
        if own.dtype.category == COMPLEX and spec.dtype.category == FLOAT:
            grad = tools.real(grad)
        grad = tools.cast(grad, spec.dtype)
    return grad
