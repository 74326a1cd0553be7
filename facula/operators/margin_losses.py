"""Losses over several classes that keep a margin, and losses over several labels at once."""

from __future__ import annotations

from facula.autograd.modes import modes
from facula.base import dtypes
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import movement as m
from facula.graph.primitives import reduction as r
from facula.operators import kit
from facula.operators.activation import logsigmoid
from facula.operators.arithmetic import _select
from facula.operators.class_losses import _is_class
from facula.operators.loss_reduction import chosen, node_name, reduced
from facula.operators.movement import _unsqueeze, _view
from facula.operators.operator import Number, operator
from facula.operators.pointwise import clamp
from facula.operators.positions import array_of
from facula.operators.reduction import _sum, pick_along


def _shape(x):
    return x._value.spec.shape


# One class for each row --------------------------------------------------------------------------


@operator(name="MultiMarginLoss")
def _multi_margin_loss(input, target, weight, p: int, reduction: str, margin: Number):
    rows, classes = _shape(input)
    column = _unsqueeze(target, 1)
    z = clamp(margin - pick_along(input, 1, column) + input, 0.0)
    if p == 2:
        z = z * z
    if weight is not None:
        z = z * _view(pick_along(weight, 0, target), (rows, 1))
    values = _sum(_select(_is_class(target, input), 0.0, z), 1, False, None) / classes
    return reduced(values, reduction)


def multi_margin_loss(
    input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """Mean over the classes i of ``max(0, margin - x[target] + x[i]) ** p``, 0 for the target."""
    reduction = chosen(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight._value.spec.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    single = input._value.spec.ndim <= 1
    given = _shape(target)
    if single:
        input = _view(input, (1, input._value.spec.numel))
        target = _view(target, (target._value.spec.numel,))
    rows, classes = _shape(input)
    if _shape(target) != (rows,):
        raise RuntimeError(
            f"inconsistent target size, expected {rows} but got {list(_shape(target))}"
        )
    if modes.trace is None:
        array = array_of(target)
        if array.size and (array.min() < 0 or array.max() >= classes):
            raise RuntimeError("target out of range")
    out = _multi_margin_loss(input, target, weight, int(p), reduction, float(margin))
    return _view(out, given) if single and reduction == "none" else out


# Several labels for each row ---------------------------------------------------------------------


@operator(differentiable=False)
def _is_label(target):
    """(which classes are labels, which positions hold labels): labels stop at the first -1."""
    rows, classes = _shape(target)
    ended = kit.bind(r.cumsum, kit.as_dtype(target < 0, dtypes.int64), axis=1)
    used = ended == 0
    column = (rows, classes, 1)
    index = kit.reshape(_select(used, target, 0), column)
    numbers = kit.bind(m.iota, size=classes, dtype=dtypes.int64)
    hit = kit.bind(e.equal, index, numbers)
    hit = kit.bind(e.bit_and, hit, kit.reshape(used, column))
    return kit.bind(r.maximum, hit, axes=(1,)), used


@operator(name="MultilabelMarginLoss")
def _multilabel_margin_loss(input, target, reduction: str):
    classes = _shape(input)[1]
    labels, used = _is_label(target)
    index = _select(used, target, 0)
    chosen_values = _unsqueeze(pick_along(input, 1, index), 2)
    gaps = clamp(1 - chosen_values + _unsqueeze(input, 1), 0.0)
    counted = _unsqueeze(used, 2) & ~_unsqueeze(labels, 1)
    values = _sum(_select(counted, gaps, 0.0), (1, 2), False, None) / classes
    return reduced(values, reduction)


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """Hinge loss between each label of a row (up to the first -1) and each class that is none."""
    reduction = chosen(reduction, size_average, reduce)
    own, other = input._value.spec, target._value.spec
    if own.shape != other.shape and not (own.ndim == 0 and other.numel == 1):
        raise RuntimeError(
            f"inconsistent target size: {list(other.shape)} for input of size: {list(own.shape)}"
        )
    single = own.ndim <= 1
    if single:
        input, target = _view(input, (1, own.numel)), _view(target, (1, own.numel))
    if modes.trace is None:
        array = array_of(target)
        if array.size and (array.min() < -1 or array.max() >= _shape(input)[1]):
            raise RuntimeError(
                "Expected all elements of target to be at least -1 and below the classes"
            )
    out = _multilabel_margin_loss(input, target, reduction)
    return _view(out, ()) if single and reduction == "none" else out


@operator(name=lambda specs, template: node_name(template[3], "DivBackward0"))
def _multilabel_soft_margin_loss(input, target, weight, reduction: str):
    values = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        values = values * weight
    return reduced(_sum(values, -1, False, None) / _shape(input)[-1], reduction)


def multilabel_soft_margin_loss(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """Mean over the classes of the binary cross entropy of each class's logit."""
    wanted = (
        reduction
        if size_average is None and reduce is None
        else chosen(reduction, size_average, reduce)
    )
    if wanted not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    return _multilabel_soft_margin_loss(input, target, weight, wanted)


NAMESPACES = {
    "torch": [],
    "functional": ["multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss"],
}
