"""Normalisation: activations scaled to mean 0 and variance 1 over batch, layer, group or instance.

Statistics are computed in two passes (mean, then squared distances from it), which loses no
digits when the mean is large; 16-bit floats are normalised in float32.
"""

from __future__ import annotations

import math

from facula.autograd.modes import modes
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import reduction as r
from facula.operators import kit
from facula.operators.basic import cast, write_value
from facula.operators.movement import _view
from facula.operators.operator import Number, operator
from facula.operators.pointwise import square
from facula.operators.precision import narrowed, require_real, wide_dtype, widened
from facula.operators.reduction import _mean, _sum
from facula.operators.transcendental import rsqrt


def _shape(x):
    return x._value.spec.shape


def _along_channels(parameter, ndim, wide):
    """A vector of channels shaped to broadcast along dimension 1, in the computing dtype."""
    count = parameter._value.spec.numel
    return cast_to(_view(parameter, (1, count, *(1,) * (ndim - 2))), wide)


def cast_to(x, to):
    """``x`` in dtype ``to``; nothing is recorded when it has it already."""
    return x if x._value.spec.dtype is to else cast(x, to)


# Shared by all: the statistics, and the gradient through them ------------------------------------


def _moments(x, axes):
    """Mean and (biased) variance along ``axes``, which stay with size 1."""
    mean = _mean(x, axes, True, None)
    return mean, _mean(square(x - mean), axes, True, None)


def _standardize(x, axes, eps):
    """(x - mean) * rstd with its mean, variance and rstd, inside a body."""
    kept = tuple([1 if i in axes else n for i, n in enumerate(_shape(x))])
    own = x._value.spec.dtype
    count = kit.number(max(math.prod([_shape(x)[a] for a in axes]), 1), own)

    def average(y):
        return kit.reshape(kit.bind(e.div, kit.bind(r.total, y, axes=axes), count), kept)

    mean = average(x)
    centred = kit.bind(e.sub, x, mean)
    variance = average(kit.bind(e.mul, centred, centred))
    scale = rsqrt(variance + eps)
    return kit.bind(e.mul, centred, scale), mean, variance, scale


def _statistics_again(x, axes, eps):
    mean, variance = _moments(x, axes)
    return mean, rsqrt(variance + eps)


def _through_statistics(g, unit, scale, axes):
    """Gradient of the input, given that of the standardized values ``unit``."""
    along = _mean(g, axes, True, None) + unit * _mean(g * unit, axes, True, None)
    return scale * (g - along)


def _scaled(x, weight, bias):
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


# Batch normalisation -----------------------------------------------------------------------------


def _batch_axes(x):
    return tuple([a for a in range(x._value.spec.ndim) if a != 1])


def _vector(x):
    return kit.reshape(x, (x._value.spec.numel,))


def _batch_norm_train_grad(g, input, weight, outs, eps, needs):
    x, g = widened(input), widened(g)
    wide, ndim = x._value.spec.dtype, x._value.spec.ndim
    axes = _batch_axes(x)
    if modes.grad:
        mean, scale = _statistics_again(x, axes, eps)
    else:
        mean, scale = (_along_channels(o, ndim, wide) for o in outs[1:3])
    unit = (x - mean) * scale
    found = _parameter_grads(g, unit, axes, needs)
    if "input" in needs:
        inner = g if weight is None else g * _along_channels(weight, ndim, wide)
        found["input"] = _through_statistics(inner, unit, scale, axes)
    return found


def _parameter_grads(g, unit, axes, needs):
    found = {}
    if "weight" in needs:
        found["weight"] = _sum(g * unit, axes, False, None)
    if "bias" in needs:
        found["bias"] = _sum(g, axes, False, None)
    return found


@operator(name="NativeBatchNorm", derivative=_batch_norm_train_grad)
def _batch_norm_train(input, weight, bias, eps: Number):
    """Result, mean, 1/std and unbiased variance of each channel."""
    x = widened(input)
    wide, ndim = x._value.spec.dtype, x._value.spec.ndim
    axes = _batch_axes(x)
    unit, mean, variance, scale = _standardize(x, axes, eps)
    if weight is not None:
        weight = _along_channels(weight, ndim, wide)
    if bias is not None:
        bias = _along_channels(bias, ndim, wide)
    out = narrowed(_scaled(unit, weight, bias), input._value.spec.dtype)
    count = input._value.spec.numel // max(_shape(input)[1], 1)
    unbiased = variance * (count / (count - 1) if count > 1 else math.nan)
    return out, _vector(mean), _vector(scale), _vector(unbiased)


@operator(differentiable=False)
def _moved(running, batch, momentum: Number):
    """A running statistic moved towards the batch's."""
    return running * (1 - momentum) + cast_to(batch, running._value.spec.dtype) * momentum


def _batch_norm_eval_grad(g, input, weight, running_mean, running_var, eps, needs):
    x, g = widened(input), widened(g)
    wide, ndim = x._value.spec.dtype, x._value.spec.ndim
    scale = rsqrt(_along_channels(running_var, ndim, wide) + eps)
    found = {}
    if "weight" in needs or "bias" in needs:
        unit = (x - _along_channels(running_mean, ndim, wide)) * scale
        found = _parameter_grads(g, unit, _batch_axes(x), needs)
    if "input" in needs:
        slope = scale if weight is None else scale * _along_channels(weight, ndim, wide)
        found["input"] = g * slope
    return found


@operator(name="NativeBatchNorm", derivative=_batch_norm_eval_grad)
def _batch_norm_eval(input, weight, bias, running_mean, running_var, eps: Number):
    x = widened(input)
    wide, ndim = x._value.spec.dtype, x._value.spec.ndim
    slope = rsqrt(_along_channels(running_var, ndim, wide) + eps)
    if weight is not None:
        slope = slope * _along_channels(weight, ndim, wide)
    shift = _along_channels(running_mean, ndim, wide)
    if bias is not None:
        bias = _along_channels(bias, ndim, wide)
    return narrowed(_scaled(x - shift, slope, bias), input._value.spec.dtype)


def _check_channels(input, running_mean, running_var, weight, bias):
    own = input._value.spec
    if own.ndim < 2:
        raise ValueError(f"expected at least 2D input (got {own.ndim}D input)")
    require_real("batch_norm", input)
    vectors = {
        "running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias
    }  # fmt: skip
    for name, vector in vectors.items():
        if vector is not None and vector._value.spec.numel != own.shape[1]:
            raise RuntimeError(
                f"{name} should contain {own.shape[1]} elements not {vector._value.spec.numel}"
            )


def batch_norm(
    input,
    running_mean,
    running_var,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-05,
):
    """Each channel (dimension 1) scaled to mean 0 and variance 1, then by weight and bias.

    In training the batch's own statistics are used and the running ones are moved towards them
    in place; otherwise the running ones are used. ValueError when training with a single value
    in each channel.
    """
    shape = _shape(input)
    if training and len(shape) >= 2:
        _refuse_single(shape, shape[0] * math.prod(shape[2:]))
    _check_channels(input, running_mean, running_var, weight, bias)
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError("running_mean must be defined in evaluation mode")
        return _batch_norm_eval(input, weight, bias, running_mean, running_var, float(eps))
    out, mean, _, variance = _batch_norm_train(input, weight, bias, float(eps))
    _update_running(running_mean, running_var, mean, variance, momentum)
    return out


def _refuse_single(shape, per_channel):
    if per_channel == 1:
        raise ValueError(
            "Expected more than 1 value per channel when training, got input size "
            f"torch.Size({list(shape)})"
        )


def _update_running(running_mean, running_var, mean, variance, momentum):
    momentum = float(momentum)
    if running_mean is not None:
        write_value(running_mean, _moved(running_mean, mean, momentum)._value)
    if running_var is not None:
        write_value(running_var, _moved(running_var, variance, momentum)._value)


# Instance normalisation --------------------------------------------------------------------------


def _instance_grad(g, input, weight, outs, eps, needs):
    x, g = widened(input), widened(g)
    ndim, wide = x._value.spec.ndim, x._value.spec.dtype
    axes = tuple(range(2, ndim))
    if modes.grad:
        mean, scale = _statistics_again(x, axes, eps)
    else:
        kept = (*_shape(x)[:2], *(1,) * (ndim - 2))
        mean, scale = (_view(o, kept) for o in outs[1:3])
    unit = (x - mean) * scale
    found = _parameter_grads(g, unit, _batch_axes(x), needs)
    if "input" in needs:
        inner = g if weight is None else g * _along_channels(weight, ndim, wide)
        found["input"] = _through_statistics(inner, unit, scale, axes)
    return found


@operator(name="View", derivative=_instance_grad)
def _instance_norm(input, weight, bias, eps: Number):
    """Result, and mean, 1/std of each instance; mean and unbiased variance of each channel."""
    x = widened(input)
    ndim, wide = x._value.spec.ndim, x._value.spec.dtype
    unit, mean, variance, scale = _standardize(x, tuple(range(2, ndim)), eps)
    if weight is not None:
        weight = _along_channels(weight, ndim, wide)
    if bias is not None:
        bias = _along_channels(bias, ndim, wide)
    out = narrowed(_scaled(unit, weight, bias), input._value.spec.dtype)
    pairs = _shape(x)[:2]
    count = math.prod(_shape(x)[2:])
    unbiased = variance * (count / (count - 1) if count > 1 else math.nan)
    means = _mean(_view(mean, pairs), (0,), False, None)
    variances = _mean(_view(unbiased, pairs), (0,), False, None)
    return out, kit.reshape(mean, pairs), kit.reshape(scale, pairs), means, variances


def instance_norm(
    input, running_mean=None, running_var=None, weight=None, bias=None,
    use_input_stats=True, momentum=0.1, eps=1e-05,
):  # fmt: skip
    """Each channel of each sample scaled to mean 0 and variance 1, then by weight and bias."""
    shape = _shape(input)
    if use_input_stats:
        _refuse_single_spatial(shape)
    _check_channels(input, running_mean, running_var, weight, bias)
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "Expected running_mean and running_var to be defined when use_input_stats is false"
            )
        return _batch_norm_eval(input, weight, bias, running_mean, running_var, float(eps))
    out, _, _, mean, variance = _instance_norm(input, weight, bias, float(eps))
    _update_running(running_mean, running_var, mean, variance, momentum)
    return out


def _refuse_single_spatial(shape):
    if math.prod(shape[2:]) == 1:
        raise ValueError(
            "Expected more than 1 spatial element when training, got input size "
            f"torch.Size({list(shape)})"
        )


# Layer and group normalisation -------------------------------------------------------------------


def _lead(x, tail: int):
    """The axes that are normalised (the last ``tail``), and the ones before them."""
    ndim = x._value.spec.ndim
    return tuple(range(ndim - tail, ndim)), tuple(range(ndim - tail))


def _layer_norm_grad(g, input, weight, outs, normalized_shape, eps, needs):
    x, g = widened(input), widened(g)
    axes, lead = _lead(x, len(_sizes(normalized_shape)))
    mean, scale = _statistics_again(x, axes, eps) if modes.grad else outs[1:3]
    unit = (x - mean) * scale
    found = _parameter_grads(g, unit, lead, needs) if lead else {"weight": g * unit, "bias": g}
    if "input" in needs:
        inner = g if weight is None else g * widened(weight)
        found["input"] = _through_statistics(inner, unit, scale, axes)
    return {name: found[name] for name in needs}


def _sizes(normalized_shape):
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


def _check_normalized_shape(input, normalized_shape, parameters):
    shape = _sizes(normalized_shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            f"element, but got normalized_shape = {list(shape)}"
        )
    for name, parameter in parameters.items():
        if parameter is not None and _shape(parameter) != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(_shape(parameter))} and normalized_shape = {list(shape)}"
            )
    own = _shape(input)
    if own[max(len(own) - len(shape), 0) :] != shape:
        stars = ", ".join(["*", *map(str, shape)])
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [{stars}], but got "
            f"input of size{list(own)}"
        )
    return len(shape)


@operator(name="NativeLayerNorm", derivative=_layer_norm_grad, only_first=True)
def layer_norm(input, normalized_shape, weight=None, bias=None, eps: Number = 1e-05):
    """The last dimensions (``normalized_shape``) scaled to mean 0 and variance 1.

    >>> import facula as torch
    >>> torch.layer_norm(torch.tensor([1.0, 3.0]), (2,), eps=0.0)
    tensor([-1.,  1.])
    """
    tail = _check_normalized_shape(input, normalized_shape, {"weight": weight, "bias": bias})
    require_real("LayerNormKernelImpl", input)
    x = widened(input)
    wide = x._value.spec.dtype
    unit, mean, _, scale = _standardize(x, _lead(x, tail)[0], eps)
    weight = None if weight is None else cast_to(weight, wide)
    bias = None if bias is None else cast_to(bias, wide)
    return narrowed(_scaled(unit, weight, bias), input._value.spec.dtype), mean, scale


def _group_view(x, groups):
    """``x`` as (samples, groups, channels of a group, positions)."""
    n, channels, *sizes = _shape(x)
    return _view(x, (n, groups, channels // groups, math.prod(sizes)))


def _group_parameter(parameter, groups, wide):
    channels = parameter._value.spec.numel
    return cast_to(_view(parameter, (1, groups, channels // groups, 1)), wide)


def _group_norm_grad(g, input, weight, outs, num_groups, eps, needs):
    groups = int(num_groups)
    x, g = _group_view(widened(input), groups), _group_view(widened(g), groups)
    axes = (2, 3)
    mean, scale = _statistics_again(x, axes, eps) if modes.grad else outs[1:3]
    unit = (x - mean) * scale
    channels = (_shape(input)[1],)
    found = {n: _view(p, channels) for n, p in _parameter_grads(g, unit, (0, 3), needs).items()}
    if "input" in needs:
        inner = g if weight is None else g * _group_parameter(weight, groups, x._value.spec.dtype)
        found["input"] = _view(_through_statistics(inner, unit, scale, axes), _shape(input))
    return found


@operator(name="NativeGroupNorm", derivative=_group_norm_grad, only_first=True)
def group_norm(input, num_groups, weight=None, bias=None, eps: Number = 1e-05):
    """Channels in ``num_groups`` groups, each group of each sample scaled to mean 0, variance 1."""
    shape = _shape(input)
    if len(shape) < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {len(shape)}"
        )
    channels = shape[1]
    per_channel = shape[0] * channels // num_groups * math.prod(shape[2:])
    if num_groups <= 0 or channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(shape)} and num_groups={num_groups}"
        )
    _refuse_single((shape[0] * channels // num_groups, num_groups, *shape[2:]), per_channel)
    for name, parameter in {"weight": weight, "bias": bias}.items():
        if parameter is not None and _shape(parameter) != (channels,):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, "
                f"but got {name} of shape {list(_shape(parameter))} and input of shape "
                f"{list(shape)}"
            )
    require_real("GroupNormKernelImpl", input)
    groups = int(num_groups)
    x = _group_view(widened(input), groups)
    wide = x._value.spec.dtype
    unit, mean, _, scale = _standardize(x, (2, 3), eps)
    weight = None if weight is None else _group_parameter(weight, groups, wide)
    bias = None if bias is None else _group_parameter(bias, groups, wide)
    out = _view(_scaled(unit, weight, bias), shape)
    return narrowed(out, input._value.spec.dtype), mean, scale


# Root mean square normalisation ------------------------------------------------------------------


def _rms_norm_grad(g, input, weight, normalized_shape, eps, needs):
    x, g = widened(input), widened(g)
    axes, lead = _lead(x, len(_sizes(normalized_shape)))
    eps = _epsilon(input) if eps is None else eps
    scale = rsqrt(_mean(square(x), axes, True, None) + eps)
    unit = x * scale
    found = {}
    if "weight" in needs:
        found["weight"] = _sum(g * unit, lead, False, None) if lead else g * unit
    if "input" in needs:
        inner = g if weight is None else g * widened(weight)
        found["input"] = scale * (inner - unit * _mean(inner * unit, axes, True, None))
    return found


_EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23}


def _epsilon(input):
    return _EPSILON[wide_dtype(input._value.spec.dtype).name]


@operator(name="Mul", derivative=_rms_norm_grad)
def rms_norm(input, normalized_shape, weight=None, eps: Number = None):
    """The last dimensions divided by their root mean square, then scaled by ``weight``."""
    tail = _check_normalized_shape(input, normalized_shape, {"weight": weight})
    require_real("rms_norm", input)
    x = widened(input)
    axes = _lead(x, tail)[0]
    eps = _epsilon(input) if eps is None else eps
    out = x * rsqrt(_mean(square(x), axes, True, None) + eps)
    if weight is not None:
        out = out * cast_to(weight, x._value.spec.dtype)
    return narrowed(out, input._value.spec.dtype)


NAMESPACES = {
    "torch": ["layer_norm", "group_norm", "rms_norm"],
    "functional": ["batch_norm", "instance_norm", "layer_norm", "group_norm", "rms_norm"],
}
