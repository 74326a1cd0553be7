"""Losses between an input and a target of the same shape, each one recorded operation."""

from __future__ import annotations

import math
import warnings

from facula.autograd.modes import modes
from facula.base.dtypes import FLOAT
from facula.operators import kit
from facula.operators.arithmetic import _select, maximum, minimum, mul
from facula.operators.loss_reduction import checked, chosen, node_name, reduced, spread, warn_sizes
from facula.operators.movement import _unsqueeze
from facula.operators.operator import Number, operator
from facula.operators.pointwise import abs as abs_
from facula.operators.pointwise import sgn, sign, square
from facula.operators.precision import require_real, widened
from facula.operators.reduction import _sum
from facula.operators.transcendental import exp, log, log1p, sigmoid


def _count(*tensors) -> int:
    """Number of elements of the broadcast operands."""
    return math.prod(kit.broadcast_shapes(*tensors))


def _wide_pair(input, target):
    a, b = kit.promoted(input, target)
    return widened(a), widened(b), a._value.spec.dtype


def _one_difference(slope):
    """Rules of a loss of ``input - target``: ``slope(difference, *static arguments)``."""

    def grad(g, input, target, reduction, *rest):
        g = spread(widened(g), reduction, _count(input, target))
        return g * slope(widened(input) - widened(target), *rest)

    return grad


# Distances --------------------------------------------------------------------------------------


def _mse_grad(g, input, target, reduction):
    scale = spread(widened(g) * 2.0, reduction, _count(input, target))
    return (widened(input) - widened(target)) * scale


@operator(
    name="MseLoss",
    derivative={
        "input": _mse_grad,
        "target": lambda g, input, target, reduction: -_mse_grad(g, input, target, reduction),
    },
)
def _mse_loss(input, target, reduction: str):
    a, b, own = _wide_pair(input, target)
    if own.category < FLOAT:
        require_real("mse_cpu", a)
    return reduced(square(a - b), reduction, own)


def _check_weight(input, weight):
    if weight._value.spec.shape != input._value.spec.shape:
        raise ValueError("Weights and input must have the same size.")


def _weighted(values, weight, reduction):
    """Weighted elementwise losses; their mean is divided by the sum of the weights."""
    values = mul(values, weight)
    total = values if reduction == "none" else _sum(values, None, False, None)
    return total / _sum(weight, None, False, None) if reduction == "mean" else total


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """Mean (sum, or each) of the squared differences.

    >>> import facula as torch
    >>> torch.nn.functional.mse_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """
    warn_sizes(input, target)
    reduction = chosen(reduction, size_average, reduce)
    if weight is None:
        return _mse_loss(input, target, reduction)
    _check_weight(input, weight)
    return _weighted(square(input - target), weight, reduction)


def _l1_name(specs, template):
    return node_name(template[2], "AbsBackward0")


_l1_grad = _one_difference(lambda d: sgn(d))


@operator(
    name=_l1_name,
    derivative={
        "input": lambda g, input, target, reduction: _l1_grad(g, input, target, reduction),
        "target": lambda g, input, target, reduction: -_l1_grad(g, input, target, reduction),
    },
)
def _l1_loss(input, target, reduction: str):
    a, b, own = _wide_pair(input, target)
    return reduced(abs_(a - b), reduction, own.to_real())


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """Mean (sum, or each) of the absolute differences."""
    warn_sizes(input, target)
    reduction = chosen(reduction, size_average, reduce)
    if weight is None:
        return _l1_loss(input, target, reduction)
    _check_weight(input, weight)
    return _weighted(abs_(input - target), weight, reduction)


def _smooth_slope(d, beta):
    return _select(abs_(d) < beta, d / beta, sign(d))


_smooth_grad = _one_difference(_smooth_slope)


@operator(
    name="SmoothL1Loss",
    derivative={
        "input": lambda g, input, target, reduction, beta: _smooth_grad(
            g, input, target, reduction, beta
        ),
        "target": lambda g, input, target, reduction, beta: (
            -_smooth_grad(g, input, target, reduction, beta)
        ),
    },
)
def _smooth_l1_loss(input, target, reduction: str, beta: Number):
    a, b, own = _wide_pair(input, target)
    size = abs_(a - b)
    return reduced(
        _select(size < beta, 0.5 * size * size / beta, size - 0.5 * beta), reduction, own
    )


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """Squared below ``beta``, absolute above, joined smoothly."""
    warn_sizes(input, target)
    reduction = chosen(reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return _l1_loss(input, target, reduction)
    return _smooth_l1_loss(input, target, reduction, float(beta))


def _huber_slope(d, delta):
    return maximum(minimum(d, delta), -delta)


_huber_grad = _one_difference(_huber_slope)


@operator(
    name="HuberLoss",
    derivative={
        "input": lambda g, input, target, reduction, delta: _huber_grad(
            g, input, target, reduction, delta
        ),
        "target": lambda g, input, target, reduction, delta: (
            -_huber_grad(g, input, target, reduction, delta)
        ),
    },
)
def _huber_loss(input, target, reduction: str, delta: Number):
    a, b, own = _wide_pair(input, target)
    size = abs_(a - b)
    small = 0.5 * size * size
    return reduced(_select(size <= delta, small, delta * (size - 0.5 * delta)), reduction, own)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """Squared below ``delta``, then linear with slope ``delta``."""
    warn_sizes(input, target)
    reduction = checked(reduction)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if weight is None:
        return _huber_loss(input, target, reduction, float(delta))
    _check_weight(input, weight)
    return reduced(mul(_huber_loss(input, target, "none", float(delta)), weight), reduction)


# Probabilities ----------------------------------------------------------------------------------


def _bce_input_grad(g, input, target, weight, reduction):
    g = _weighted_g(g, input, weight, reduction)
    x = widened(input)
    return g * (x - widened(target)) / maximum((1 - x) * x, 1e-12)


def _weighted_g(g, input, weight, reduction):
    g = spread(widened(g), reduction, input._value.spec.numel)
    return g if weight is None else g * widened(weight)


def _bce_target_grad(g, input, target, weight, reduction):
    x = widened(input)
    return _weighted_g(g, input, weight, reduction) * (_floored(log1p(-x)) - _floored(log(x)))


def _floored(logarithm):
    """A logarithm of a probability, not below -100, so that no product is infinite."""
    return maximum(logarithm, -100.0)


@operator(
    name="BinaryCrossEntropy",
    derivative={"input": _bce_input_grad, "target": _bce_target_grad},
)
def _binary_cross_entropy(input, target, weight, reduction: str):
    x, t = widened(input), widened(target)
    values = (t - 1) * _floored(log1p(-x)) - t * _floored(log(x))
    if weight is not None:
        values = values * widened(weight)
    return reduced(values, reduction, input._value.spec.dtype)


_IN_UNIT_INTERVAL = frozenset(("SigmoidBackward0", "SoftmaxBackward0"))


def _check_probabilities(input) -> None:
    """Refuse values outside [0, 1]; nothing is computed for what cannot lie outside."""
    if modes.trace is not None or type(input._node).__name__ in _IN_UNIT_INTERVAL:
        return
    array = input._buffer()
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        raise RuntimeError("all elements of input should be between 0 and 1")


def binary_cross_entropy(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """Cross entropy between probabilities ``input`` and targets in [0, 1]."""
    reduction = chosen(reduction, size_average, reduce)
    own, other = input._value.spec, target._value.spec
    if own.shape != other.shape:
        raise ValueError(
            f"Using a target size ({other.size}) that is different to the input size ({own.size}) "
            "is deprecated. Please ensure they have the same size."
        )
    if own.dtype is not other.dtype:
        raise RuntimeError(f"Found dtype {other.dtype.legacy} but expected {own.dtype.legacy}")
    require_real("binary_cross_entropy", input)
    _check_probabilities(input)
    return _binary_cross_entropy(input, target, weight, reduction)


def _softplus(x):
    return log1p(exp(-abs_(x))) + maximum(x, 0.0)


def _logits_input_grad(g, input, target, weight, pos_weight, reduction):
    g, x, t = _weighted_g(g, input, weight, reduction), widened(input), widened(target)
    if pos_weight is None:
        return g * (sigmoid(x) - t)
    hot = t * widened(pos_weight)
    return g * ((hot + 1 - t) * sigmoid(x) - hot)


def _logits_target_grad(g, input, weight, pos_weight, reduction):
    g, x = _weighted_g(g, input, weight, reduction), widened(input)
    if pos_weight is None:
        return -g * x
    return g * ((widened(pos_weight) - 1) * _softplus(-x) - x)


@operator(
    name="BinaryCrossEntropyWithLogits",
    derivative={"input": _logits_input_grad, "target": _logits_target_grad},
)
def _binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction: str):
    x, t = widened(input), widened(target)
    tail = _softplus(-x)
    if pos_weight is not None:
        tail = ((widened(pos_weight) - 1) * t + 1) * tail
    values = (1 - t) * x + tail
    if weight is not None:
        values = values * widened(weight)
    return reduced(values, reduction, kit.result_type(input, target))


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """Binary cross entropy of ``sigmoid(input)``, without overflow for large inputs."""
    reduction = chosen(reduction, size_average, reduce)
    own, other = input._value.spec, target._value.spec
    if own.shape != other.shape:
        raise ValueError(f"Target size ({other.size}) must be the same as input size ({own.size})")
    to = kit.result_type(input, target)
    if to.category > other.dtype.category:
        raise RuntimeError(
            f"result type {to.legacy} can't be cast to the desired output type {other.dtype.legacy}"
        )
    return _binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction)


def _soft_margin_grad(g, input, target, reduction):
    x, t = widened(input), widened(target)
    return -spread(widened(g), reduction, _count(input, target)) * t * sigmoid(-(t * x))


@operator(name="SoftMarginLoss", derivative={"input": _soft_margin_grad})
def _soft_margin_loss(input, target, reduction: str):
    return reduced(
        _softplus(-(widened(target) * widened(input))), reduction, input._value.spec.dtype
    )


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """``log(1 + exp(-target * input))`` for targets 1 and -1."""
    return _soft_margin_loss(input, target, chosen(reduction, size_average, reduce))


# Likelihoods ------------------------------------------------------------------------------------


def _kl_name(specs, template):
    return node_name(template[2], "MulBackward0" if template[3] else "SubBackward0")


def _kl_input_grad(g, input, target, reduction, log_target):
    t = widened(target)
    g = spread(widened(g), reduction, _count(input, target))
    return -g * (exp(t) if log_target else t)


def _kl_target_grad(g, input, target, reduction, log_target):
    x, t = widened(input), widened(target)
    g = spread(widened(g), reduction, _count(input, target))
    if log_target:
        return g * exp(t) * (t - x + 1)
    return _select(t == 0, g * 0.0, g * (log(t) + 1 - x))


@operator(name=_kl_name, derivative={"input": _kl_input_grad, "target": _kl_target_grad})
def _kl_div(input, target, reduction: str, log_target: bool):
    x, t, own = _wide_pair(input, target)
    if log_target:
        return reduced(exp(t) * (t - x), reduction, own)
    entropy = _select(t == 0, t * 0.0, t * log(t))
    return reduced(entropy - t * x, reduction, own)


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """Kullback-Leibler divergence of log-probabilities ``input`` from ``target``."""
    legacy = size_average is not None or reduce is not None
    if reduction == "mean" and not legacy:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. "
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition. 'mean' will be changed to behave the same as 'batchmean' in the next "
            "major release.",
            stacklevel=2,
        )
    batchmean = reduction == "batchmean" and not legacy
    wanted = "sum" if batchmean else chosen(reduction, size_average, reduce)
    out = _kl_div(input, target, wanted, bool(log_target))
    return out / input._value.spec.shape[0] if batchmean and input._value.spec.ndim else out


def _poisson_name(specs, template):
    return node_name(template[4], "AddBackward0" if template[3] else "SubBackward0")


def _poisson_grad(g, input, target, log_input, reduction, eps):
    x, t = widened(input), widened(target)
    slope = exp(x) - t if log_input else 1 - t / (x + eps)
    return spread(widened(g), reduction, _count(input, target)) * slope


def _stirling(t):
    """log(t!) by Stirling's formula, for t above 1."""
    return t * log(t) - t + 0.5 * log(2 * math.pi * t)


def _poisson_target_grad(g, input, target, log_input, full, reduction, eps):
    x, t = widened(input), widened(target)
    slope = -x if log_input else -log(x + eps)
    if full:
        slope = slope + _select(t > 1, log(t) + 0.5 / t, t * 0.0)
    return spread(widened(g), reduction, _count(input, target)) * slope


@operator(name=_poisson_name, derivative={"input": _poisson_grad, "target": _poisson_target_grad})
def _poisson_nll_loss(input, target, log_input: bool, full: bool, reduction: str, eps: Number):
    x, t, own = _wide_pair(input, target)
    values = exp(x) - t * x if log_input else x - t * log(x + eps)
    if full:
        values = values + _select(t > 1, _stirling(t), t * 0.0)
    return reduced(values, reduction, kit.floating(own))


def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-08, reduce=None,
    reduction="mean",
):  # fmt: skip
    """Negative log-likelihood of counts ``target`` under a Poisson distribution."""
    reduction = chosen(reduction, size_average, reduce)
    return _poisson_nll_loss(input, target, bool(log_input), bool(full), reduction, float(eps))


def _gaussian_name(specs, template):
    return node_name(template[4], "AddBackward0" if template[3] else "MulBackward0")


@operator(name=_gaussian_name)
def _gaussian_nll_loss(input, target, var, full: bool, reduction: str, eps: Number):
    # The clamp takes no part in the gradient: values below eps get the slope they have at eps.
    var = var + _lift(var, eps)
    values = 0.5 * (log(var) + square(input - target) / var)
    if full:
        values = values + 0.5 * math.log(2 * math.pi)
    return reduced(values, reduction)


@operator(differentiable=False)
def _lift(var, eps: Number):
    """What has to be added to raise ``var`` to at least ``eps``."""
    return maximum(var, eps) - var


def gaussian_nll_loss(input, target, var, full=False, eps=1e-06, reduction="mean"):
    """Negative log-likelihood of ``target`` under normal distributions (mean, variance)."""
    own = input._value.spec.shape
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = input * 0.0 + var
    elif modes.trace is None and (var._buffer() < 0).any():
        raise ValueError("var has negative entry/entries")
    shape = var._value.spec.shape
    if shape != own:
        differing = sum([b for a, b in zip(own, shape, strict=False) if a != b])
        if own[:-1] == shape:
            var = _unsqueeze(var, len(shape))
        elif len(own) != len(shape) or differing != 1:
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    return _gaussian_nll_loss(input, target, var, bool(full), reduction, float(eps))


NAMESPACES = {
    "functional": [
        "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
        "binary_cross_entropy_with_logits", "soft_margin_loss", "kl_div", "poisson_nll_loss",
        "gaussian_nll_loss",
    ],
}  # fmt: skip
