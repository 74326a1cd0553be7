"""How losses are reduced: none, mean or sum, with the older boolean arguments."""

from __future__ import annotations

import warnings

from facula.operators.precision import narrowed
from facula.operators.reduction import _mean, _sum


def checked(reduction: str) -> str:
    """``reduction`` if it is one; ValueError otherwise."""
    if reduction in ("mean", "none", "sum"):
        return reduction
    if reduction == "elementwise_mean":
        warnings.warn(
            "reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.",
            stacklevel=4,
        )
        return "mean"
    raise ValueError(f"{reduction} is not a valid value for reduction")


def chosen(reduction, size_average=None, reduce=None, stacklevel=4) -> str:
    """The reduction that a loss's arguments ask for; warns about the older ones."""
    if size_average is None and reduce is None:
        return checked(reduction)
    if reduce is not None and not reduce:
        found = "none"
    else:
        found = "mean" if size_average is None or size_average else "sum"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{found}' instead.",
        stacklevel=stacklevel,
    )
    return found


def reduced(values, reduction: str, to=None):
    """Elementwise losses reduced, and in the dtype they should have."""
    if reduction == "mean":
        values = _mean(values, None, False, None)
    elif reduction == "sum":
        values = _sum(values, None, False, None)
    return values if to is None else narrowed(values, to)


def spread(g, reduction: str, count: int):
    """The gradient of each elementwise loss from that of the reduced one; it broadcasts."""
    return g / max(count, 1) if reduction == "mean" else g


def node_name(reduction: str, otherwise: str) -> str:
    """Name of the last gradient node where PyTorch's reduction is an operation of its own."""
    return {"mean": "MeanBackward0", "sum": "SumBackward0"}.get(reduction, otherwise)


def warn_sizes(input, target, stacklevel=3) -> None:
    """PyTorch's warning about operands that broadcast in a loss."""
    own, other = input._value.spec, target._value.spec
    if own.shape != other.shape:
        warnings.warn(
            f"Using a target size ({other.size}) that is different to the input size ({own.size}). "
            "This will likely lead to incorrect results due to broadcasting. Please ensure they "
            "have the same size.",
            stacklevel=stacklevel,
        )
