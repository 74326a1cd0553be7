"""Losses over classes: cross entropy and negative log-likelihood, in one operation each.

Dimension 1 is the class (dimension 0 of a vector). The log-softmax is saved with the loss, so the
gradient costs one exponential; rows whose target is ``ignore_index`` take no part.
"""

from __future__ import annotations

import math

import numpy as np

from facula.autograd.modes import modes
from facula.base import dtypes
from facula.base.caches import Cache
from facula.base.dtypes import FLOAT
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.basic import cast, zero_like
from facula.operators.loss_reduction import chosen
from facula.operators.movement import _unsqueeze, _view
from facula.operators.operator import Number, operator
from facula.operators.positions import clearly_in_range, out_of_range
from facula.operators.precision import narrowed, require_real, widened
from facula.operators.reduction import _mean, _sum, pick_along
from facula.operators.softmaxes import _log_softmax, log_softmax_body
from facula.operators.transcendental import exp
from facula.runtime.recorder import recorder


def _shape(x):
    return x._value.spec.shape


def _axis(x) -> int:
    return 0 if x._value.spec.ndim == 1 else 1


def _lifted(x, axis):
    """``x`` with a class dimension of size 1."""
    return _unsqueeze(x, axis)


def _classes_shape(like):
    """A vector of classes shaped to broadcast against ``like``."""
    return tuple([n if i == _axis(like) else 1 for i, n in enumerate(_shape(like))])


@operator(differentiable=False)
def _is_class(target, like):
    """Whether each class is the target's, in the shape of ``like``."""
    shape = _classes_shape(like)
    classes = kit.bind(m.iota, size=_shape(like)[_axis(like)], dtype=dtypes.int64)
    wanted = _lifted(target, _axis(like))
    return kit.bind(e.equal, wanted, kit.reshape(classes, shape))


@operator(differentiable=False)
def _is_valid(target, ignore_index: int):
    return target != ignore_index


def _row_weights(target, weight, valid, to):
    """Weight of each row's class, 0 where the row is ignored; without the class dimension."""
    if weight is None:
        return cast(valid, to)
    index = _select(valid, target, zero_like(target))
    shape = _shape(index)
    rows = pick_along(weight, 0, _view(index, (math.prod(shape),)))
    rows = _view(rows, shape)
    return _select(valid, cast(rows, to), 0.0)


def _picked(logp, target, valid):
    """log-probability of each row's target, without the class dimension."""
    axis = _axis(logp)
    index = _lifted(_select(valid, target, zero_like(target)), axis)
    return _view(pick_along(logp, axis, index), _shape(target))


def _row_gradient(g, rows, reduction):
    """Gradient of each row's loss, with its weight; ``mean`` divides by the sum of the weights."""
    g = widened(g)
    if reduction != "mean":
        return rows * g
    # Where every row is ignored the loss is 0 / 0, but no row has a gradient.
    return _select(rows == 0, 0.0, rows * g / _sum(rows, None, False, None))


def _reduced_rows(values, rows, reduction):
    if reduction == "none":
        return values
    total = _sum(values, None, False, None)
    return total / _sum(rows, None, False, None) if reduction == "mean" else total


# Negative log-likelihood -------------------------------------------------------------------------


def _nll_grad(g, input, target, weight, reduction, ignore_index):
    x = widened(input)
    rows = _row_weights(target, weight, _is_valid(target, ignore_index), x._value.spec.dtype)
    share = _lifted(-_row_gradient(g, rows, reduction), _axis(x))
    return _select(_is_class(target, input), share, 0.0)


def _nll_name(specs, template):
    ndim = specs[0].ndim
    if template[3] == "none" and ndim > 2 and ndim != 4:
        return "ViewBackward0"
    return "NllLossBackward0" if ndim <= 2 else "NllLoss2DBackward0"


@operator(name=_nll_name, derivative={"input": _nll_grad})
def _nll_loss(input, target, weight, reduction: str, ignore_index: int):
    x = widened(input)
    valid = _is_valid(target, ignore_index)
    rows = _row_weights(target, weight, valid, x._value.spec.dtype)
    values = -(_picked(x, target, valid) * rows)
    values = _select(valid, values, 0.0)
    return narrowed(_reduced_rows(values, rows, reduction), input._value.spec.dtype)


# Cross entropy with class indices ----------------------------------------------------------------


def _smoothing_weights(logp, weight):
    """The classes' weights shaped to broadcast; None stands for ones."""
    if weight is None:
        return None
    return cast(_view(weight, _classes_shape(logp)), logp._value.spec.dtype)


def _index_grad(g, input, target, weight, outs, reduction, ignore_index, smoothing):
    x = widened(input)
    to, axis = x._value.spec.dtype, _axis(x)
    logp = _log_softmax(x, axis, None) if modes.grad else outs[1]
    valid = _is_valid(target, ignore_index)
    rows = _row_weights(target, weight, valid, to)
    p = exp(logp)
    hit = _is_class(target, input)
    away = _select(hit, p - 1, p)
    if smoothing is None:
        return _lifted(_row_gradient(g, rows, reduction), axis) * away
    wide_g = widened(g)
    if reduction == "mean":
        wide_g = wide_g / _sum(rows, None, False, None)
    classes = _shape(x)[axis]
    per_class = _smoothing_weights(x, weight)
    if per_class is None:
        flat = p * float(classes) - 1.0
    else:
        flat = p * _sum(per_class, axis, True, None) - per_class
    even = _lifted(cast(valid, to) * wide_g, axis) * flat * (smoothing / classes)
    return _lifted(rows * wide_g, axis) * (1 - smoothing) * away + even


def _index_name(specs, template):
    if template[5] is not None:
        return "AddBackward0"
    return _nll_name(specs, template)


@operator(name=_index_name, derivative={"input": _index_grad}, only_first=True)
def _cross_entropy(input, target, weight, reduction: str, ignore_index: int, smoothing: Number):
    """The loss, and the log-softmax it was computed from."""
    x = widened(input)
    to, axis = x._value.spec.dtype, _axis(x)
    logp = log_softmax_body(x, (axis,))
    valid = _is_valid(target, ignore_index)
    rows = _row_weights(target, weight, valid, to)
    values = _select(valid, -(_picked(logp, target, valid) * rows), 0.0)
    if smoothing is not None:
        per_class = _smoothing_weights(x, weight)
        spread = -_sum(logp if per_class is None else logp * per_class, axis, False, None)
        spread = _select(valid, spread, 0.0)
        values = values * (1 - smoothing) + spread * (smoothing / _shape(x)[axis])
    return narrowed(_reduced_rows(values, rows, reduction), input._value.spec.dtype), logp


# Cross entropy with class probabilities ----------------------------------------------------------


def _mixed_target(target, smoothing, axis):
    """Target probabilities moved towards the even distribution."""
    if smoothing is None:
        return target
    return target * (1 - smoothing) + smoothing / _shape(target)[axis]


def _soft_share(g, x, reduction):
    """The gradient of each row's loss, with a class dimension where there are rows."""
    axis = _axis(x)
    if reduction == "mean":
        return widened(g) / max(x._value.spec.numel // max(_shape(x)[axis], 1), 1)
    return _lifted(widened(g), axis) if reduction == "none" else widened(g)


def _soft_input_grad(g, input, target, weight, outs, reduction, smoothing):
    x = widened(input)
    axis = _axis(x)
    logp = _log_softmax(x, axis, None) if modes.grad else outs[1]
    wanted = _mixed_target(widened(target), smoothing, axis)
    if weight is not None:
        wanted = wanted * _smoothing_weights(x, weight)
    grad = exp(logp) * _sum(wanted, axis, True, None) - wanted
    return grad * _soft_share(g, x, reduction)


def _soft_target_grad(g, input, weight, outs, reduction, smoothing):
    x = widened(input)
    logp = _log_softmax(x, _axis(x), None) if modes.grad else outs[1]
    if weight is not None:
        logp = logp * _smoothing_weights(x, weight)
    if smoothing is not None:
        logp = logp * (1 - smoothing)
    return -logp * _soft_share(g, x, reduction)


def _soft_name(specs, template):
    return "DivBackward1" if template[3] == "mean" else "NegBackward0"


@operator(
    name=_soft_name,
    derivative={"input": _soft_input_grad, "target": _soft_target_grad},
    only_first=True,
)
def _cross_entropy_soft(input, target, weight, reduction: str, smoothing: Number):
    x, wanted = widened(input), widened(target)
    axis = _axis(x)
    logp = log_softmax_body(x, (axis,))
    parts = logp * _mixed_target(wanted, smoothing, axis)
    if weight is not None:
        parts = parts * _smoothing_weights(x, weight)
    values = -_sum(parts, axis, False, None)
    if reduction == "mean":
        rows = x._value.spec.numel // max(_shape(x)[axis], 1)
        values = (
            _sum(values, None, False, None) / rows if rows else _mean(values, None, False, None)
        )
    elif reduction == "sum":
        values = _sum(values, None, False, None)
    return narrowed(values, kit.result_type(input, target)), logp


# Public functions --------------------------------------------------------------------------------


def _check_range(target, classes: int, ignore_index: int) -> None:
    """IndexError for a target that is no class, on the line that uses it."""
    if modes.trace is not None or clearly_in_range(target, classes):
        return
    found = out_of_range(target, 0, classes, ignore_index)
    if found is None:
        return
    if recorder.capture is not None and recorder.capture.is_mine():
        raise IndexError(f"Target {found} is out of bounds.")
    array = np.asarray(target._buffer())
    bad = array[((array < 0) | (array >= classes)) & (array != ignore_index)]
    if bad.size:
        raise IndexError(f"Target {int(bad[0])} is out of bounds.")


def _index_target(input, target, weight):
    """The target as int64, checked against the input."""
    own, other = input._value.spec, target._value.spec
    if own.ndim == 0:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    axis = _axis(input)
    rows = own.shape[:axis] + own.shape[axis + 1 :]
    if own.ndim > 1 and (other.ndim == 0 or own.shape[0] != other.shape[0]):
        got = other.shape[0] if other.ndim else 0
        raise ValueError(
            f"Expected input batch_size ({own.shape[0]}) to match target batch_size ({got})."
        )
    if own.ndim == 1 and other.shape == (1,):
        target = _view(target, ())
    elif rows != other.shape:
        _refuse_rows(own, other)
    if other.dtype not in (dtypes.int64, dtypes.uint8):
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {other.dtype.legacy}"
        )
    _check_class_weight(own, weight, axis)
    return target if other.dtype is dtypes.int64 else cast(target, dtypes.int64)


def _refuse_rows(own, other):
    if own.ndim <= 2:
        if other.ndim > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        raise RuntimeError(
            f"size mismatch (got input: {list(own.shape)}, target: {list(other.shape)})"
        )
    if own.ndim == 4 and other.ndim != 3:
        raise RuntimeError(
            "only batches of spatial targets supported (3D tensors) but got targets of dimension: "
            f"{other.ndim}"
        )
    wanted = (own.shape[0], *own.shape[2:])
    raise RuntimeError(
        f"size mismatch (got input: {list(own.shape)}, target: {list(other.shape)}): a target of "
        f"class indices has the shape {list(wanted)}"
    )


def _check_class_weight(own, weight, axis):
    if weight is not None and _shape(weight) != (own.shape[axis],):
        raise RuntimeError(
            f"weight tensor should be defined either for all {own.shape[axis]} classes or no "
            f"classes but got weight tensor of shape: {list(_shape(weight))}"
        )


def nll_loss(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"
):
    """Minus the log-probability that ``input`` gives each target class."""
    reduction = chosen(reduction, size_average, reduce)
    target = _index_target(input, target, weight)
    require_real("nll_loss_out_frame", input)
    _check_range(target, _shape(input)[_axis(input)], ignore_index)
    return _nll_loss(input, target, weight, reduction, int(ignore_index))


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
    reduction="mean", label_smoothing=0.0,
):  # fmt: skip
    """Cross entropy of ``softmax(input)`` and class indices, or probabilities of ``input``'s shape.

    IndexError for a class index out of range that is not ``ignore_index``.

    >>> import facula as torch
    >>> logits = torch.tensor([[0.0, 0.0]])
    >>> torch.nn.functional.cross_entropy(logits, torch.tensor([1]))
    tensor(0.6931)
    """
    own = None
    try:
        if weight is not None:
            own = weight._value.spec
        passed = (input._value.spec, target._value.spec, own, reduction) in _passed
    except (AttributeError, TypeError):  # no tensors, which the checks refuse
        passed = False
    if passed and size_average is None and reduce is None and not label_smoothing:
        _check_range(target, _shape(input)[_axis(input)], ignore_index)
        return _cross_entropy(input, target, weight, reduction, int(ignore_index), None)
    reduction = chosen(reduction, size_average, reduce)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    smoothing = float(label_smoothing) if label_smoothing else None
    if _shape(input) == _shape(target):
        return _soft_cross_entropy(input, target, weight, reduction, ignore_index, smoothing)
    target = _index_target(input, target, weight)
    require_real("log_softmax_lastdim_kernel_impl", input)
    _check_range(target, _shape(input)[_axis(input)], ignore_index)
    if smoothing is None and target._value.spec.dtype is dtypes.int64:
        _passed.put((input._value.spec, target._value.spec, own, reduction), True)
    return _cross_entropy(input, target, weight, reduction, int(ignore_index), smoothing)


_passed = Cache(1000)  # kinds of plain calls that passed all checks but that of the class numbers


def _soft_cross_entropy(input, target, weight, reduction, ignore_index, smoothing):
    own = target._value.spec
    if own.dtype.category != FLOAT:
        raise RuntimeError(
            "Expected floating point type for target with class probabilities, got "
            f"{own.dtype.legacy}"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    _check_class_weight(own, weight, _axis(target))
    return _cross_entropy_soft(input, target, weight, reduction, smoothing)


NAMESPACES = {
    "torch": [],
    "functional": ["nll_loss", "cross_entropy"],
}
