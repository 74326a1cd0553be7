"""Activation functions: element by element, each one recorded operation with its own derivative."""

from __future__ import annotations

import math

from facula.base.dtypes import BOOL, COMPLEX, FLOAT
from facula.graph.primitives import elementwise as p
from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.arithmetic import _select, maximum, minimum
from facula.operators.basic import conj, real_part, zero_like
from facula.operators.joining import _cat
from facula.operators.movement import _view
from facula.operators.operator import Number, operator
from facula.operators.pointwise import abs as abs_
from facula.operators.pointwise import sgn
from facula.operators.precision import largest, narrowed, require_real, widened
from facula.operators.reduction import _sum
from facula.operators.slicing import slice_axis
from facula.operators.transcendental import erf, exp, expm1, log1p, sigmoid, tanh

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def _own(x):
    return x._value.spec.dtype


# Gradients of rectifiers are operators of their own, because PyTorch's count as depending on the
# point (with derivative 0).


def _passed_grads(g, gg, result):
    return {"gg": _passed(g, result), "result": zero_like(result)}


@operator(name="ThresholdBackward", derivative=_passed_grads)
def _passed(gg, result):
    return _select(result <= 0, 0.0, gg)


def _leaked_grads(g, gg, x, slope):
    return {"gg": _leaked(g, x, slope), "x": zero_like(x)}


@operator(name="LeakyReluBackward", derivative=_leaked_grads)
def _leaked(gg, x, slope: Number):
    return _select(x > 0, gg, gg * slope)


# Rectifiers -------------------------------------------------------------------------------------


@operator(derivative={"input": lambda g, out: _passed(g, out)})
def relu(input):
    """``max(input, 0)``, element by element.

    >>> import facula as torch
    >>> torch.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    own = _own(input)
    if own.category == BOOL:
        raise RuntimeError("Boolean inputs not supported for relu")
    if own.category == COMPLEX:
        raise NotImplementedError("clamp is not supported for complex types")
    return kit.bind(p.maximum, input, kit.number(0, own))


def _limited_grad(g, input, min_val, max_val):
    return _select((input <= min_val) | (input >= max_val), 0.0, g)


@operator(derivative={"input": _limited_grad})
def hardtanh(input, min_val: Number = -1.0, max_val: Number = 1.0):
    """``input`` limited to [min_val, max_val]; no gradient at and beyond the limits."""
    own = _own(input)
    if own.category == BOOL:
        raise RuntimeError("Bool inputs not supported for hardtanh")
    low, high = kit.as_dtype(min_val, own), kit.as_dtype(max_val, own)
    return kit.bind(p.minimum, kit.bind(p.maximum, input, low), high)


def relu6(input):
    """``min(max(input, 0), 6)``."""
    return hardtanh(input, 0.0, 6.0)


@operator(derivative={"input": lambda g, input, negative_slope: _leaked(g, input, negative_slope)})
def leaky_relu(input, negative_slope: Number = 0.01):
    """``input`` where positive, ``negative_slope * input`` elsewhere."""
    require_real("leaky_relu_cpu", input)
    return _select(input > 0, input, input * negative_slope)


@operator(
    derivative={
        "input": lambda g, input, threshold: _select(input <= threshold, 0.0, g),
    }
)
def threshold(input, threshold: Number, value: Number):
    """``input`` where it is above ``threshold``, ``value`` elsewhere."""
    below = kit.bind(p.less_equal, input, kit.as_dtype(threshold, _own(input)))
    return kit.bind(p.select, below, kit.as_dtype(value, _own(input)), input)


def _prelu_weight(weight, input):
    """The slopes shaped to broadcast along dimension 1 of the input."""
    ndim = input._value.spec.ndim
    count = weight._value.spec.numel
    return (count,) if ndim < 2 else (1, count, *(1,) * (ndim - 2))


def _prelu_weight_grad(g, input, weight):
    shape = input._value.spec.shape
    grad = _select(input > 0, 0.0, g * input)
    if weight._value.spec.numel == 1:
        return _view(_sum(grad, None, False, None), weight._value.spec.shape)
    axes = tuple([a for a in range(len(shape)) if a != 1])
    return _sum(grad, axes, False, None) if axes else grad


@operator(
    name="PreluKernel",
    derivative={
        "input": lambda g, input, weight: _select(
            input > 0, g, g * _view(weight, _prelu_weight(weight, input))
        ),
        "weight": _prelu_weight_grad,
    },
)
def prelu(input, weight):
    """Leaky relu whose slope is learned: one ``weight``, or one for each channel (dimension 1)."""
    own, slopes = input._value.spec, weight._value.spec
    if own.dtype is not slopes.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {own.dtype.legacy} and {slopes.dtype.legacy}"
        )
    if slopes.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {slopes.ndim}"
        )
    if slopes.numel != 1:
        if own.ndim == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = own.shape[1] if own.ndim > 1 else 1
        if channels != slopes.numel:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{slopes.numel} and channel size = {channels}."
            )
    shape = _prelu_weight(weight, input) if own.ndim else ()
    return _select(input > 0, input, input * kit.reshape(weight, shape))


@operator(name="RreluWithNoise", derivative={"input": lambda g, noise: g * noise})
def _rrelu_with_noise(input, noise):
    return input * noise


@operator(
    name="RreluWithNoise",
    derivative={"input": lambda g, input, slope: _select(input > 0, g, g * slope)},
)
def _rrelu_mean(input, slope: Number):
    return _select(input > 0, input, input * slope)


# Exponential ones -------------------------------------------------------------------------------


def _elu_value(input, alpha, scale, input_scale):
    x = widened(input)
    low = expm1(x if input_scale is None else x * input_scale) * alpha
    out = _select(x <= 0, low, x)
    return narrowed(out if scale is None else out * scale, _own(input))


def _elu_grad(g, input, alpha, scale, input_scale):
    g, x = widened(g), widened(input)
    slope = exp(x) * alpha if input_scale is None else exp(x * input_scale) * (alpha * input_scale)
    grad = _select(x <= 0, g * slope, g)
    return grad if scale is None else grad * scale


@operator(derivative={"input": lambda g, input, alpha: _elu_grad(g, input, alpha, None, None)})
def elu(input, alpha: Number = 1.0):
    """``input`` where positive, ``alpha * (exp(input) - 1)`` elsewhere."""
    require_real("elu_cpu", input)
    return _elu_value(input, alpha, None, None)


@operator(
    name="Elu",
    derivative={"input": lambda g, input: _elu_grad(g, input, _SELU_ALPHA, _SELU_SCALE, None)},
)
def selu(input):
    """The elu whose constants keep mean 0 and variance 1 (Klambauer et al. 2017)."""
    require_real("elu_cpu", input)
    return _elu_value(input, _SELU_ALPHA, _SELU_SCALE, None)


@operator(
    name="Celu",
    derivative={"input": lambda g, input, alpha: _elu_grad(g, input, alpha, None, 1 / alpha)},
)
def _celu(input, alpha: Number):
    require_real("elu_cpu", input)
    return _elu_value(input, alpha, None, 1 / alpha)


def celu(input, alpha=1.0):
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``: an elu with a continuous slope."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _celu(input, float(alpha))


def _softplus_grad(g, input, beta, threshold):
    g, x = widened(g), widened(input) * beta
    return _select(x > threshold, g, g * sigmoid(x))


@operator(derivative={"input": _softplus_grad})
def softplus(input, beta: Number = 1.0, threshold: Number = 20.0):
    """``log(1 + exp(beta * input)) / beta``; linear where ``beta * input`` is above threshold."""
    require_real("softplus_cpu", input)
    x = widened(input)
    scaled = x * beta
    return narrowed(_select(scaled > threshold, x, log1p(exp(scaled)) / beta), _own(input))


@operator(
    name="LogSigmoid", derivative={"input": lambda g, input: widened(g) * sigmoid(-widened(input))}
)
def logsigmoid(input):
    """``log(sigmoid(input))``, accurate for large negative inputs too."""
    require_real("log_sigmoid_cpu", input)
    x = widened(input)
    return narrowed(minimum(x, 0.0) - log1p(exp(-abs_(x))), _own(input))


# Smooth gates -----------------------------------------------------------------------------------


def _gelu_grad(g, input, approximate):
    g, x = widened(g), widened(input)
    if approximate == "none":
        density = exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
        return g * (_normal_cdf(x) + x * density)
    inner, root = _gelu_inner(x), math.sqrt(2 / math.pi)
    t = tanh(inner)
    slope = (1 - t * t) * (root * (1 + 3 * 0.044715 * (x * x)))
    return g * (0.5 * (1 + t) + 0.5 * x * slope)


def _normal_cdf(x):
    return (erf(x * math.sqrt(0.5)) + 1) * 0.5


def _gelu_inner(x):
    return (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)


@operator(derivative={"input": _gelu_grad})
def gelu(input, *, approximate="none"):
    """``input`` times the standard normal distribution function of it; "tanh" approximates it."""
    require_real("GeluKernelImpl", input)
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    x = widened(input)
    if approximate == "none":
        return narrowed(x * _normal_cdf(x), _own(input))
    return narrowed(x * 0.5 * (tanh(_gelu_inner(x)) + 1), _own(input))


def _silu_grad(g, input):
    g, x = widened(g), widened(input)
    s = sigmoid(x)
    return g * s * (1 + x * (1 - s))


@operator(derivative={"input": _silu_grad})
def silu(input):
    """``input * sigmoid(input)``."""
    require_real("silu_cpu", input)
    x = widened(input)
    return narrowed(x / (exp(-x) + 1), _own(input))


def _softplus_plain(x):
    return maximum(x, 0.0) + log1p(exp(-abs_(x)))


def _mish_grad(g, input):
    g, x = widened(g), widened(input)
    t = tanh(_softplus_plain(x))
    return g * (t + x * sigmoid(x) * (1 - t * t))


@operator(derivative={"input": _mish_grad})
def mish(input):
    """``input * tanh(softplus(input))``."""
    require_real("mish_cpu", input)
    x = widened(input)
    return narrowed(x * tanh(_softplus_plain(x)), _own(input))


@operator(name="Div", derivative={"input": lambda g, input: _softsign_grad(g, input)})
def softsign(input):
    """``input / (1 + |input|)``."""
    return input / (abs_(input) + 1)


def _softsign_grad(g, input):
    below = abs_(input) + 1
    if _own(input).category != COMPLEX:
        return g / (below * below)
    # d|z| = Re(conj(z/|z|) dz), so the gradient has a part along the direction of z.
    along = real_part(g * conj(input)) / (below * below)
    return g / below - sgn(input) * along


@operator(name="Sub", derivative={"input": lambda g, input: g * conj(tanh(input) ** 2)})
def tanhshrink(input):
    """``input - tanh(input)``."""
    return input - tanh(input)


# Piecewise linear and quadratic ------------------------------------------------------------------


@operator(derivative={"input": lambda g, input: _select((input > -3) & (input < 3), g / 6, 0.0)})
def hardsigmoid(input):
    """``min(max(input + 3, 0), 6) / 6``."""
    require_real("hardsigmoid_cpu", input)
    x = widened(input)
    return narrowed(minimum(maximum(x + 3, 0.0), 6.0) / 6, _own(input))


def _hardswish_grad(g, input):
    g, x = widened(g), widened(input)
    return _select(x <= -3, 0.0, _select(x < 3, g * (x / 3 + 0.5), g))


@operator(derivative={"input": _hardswish_grad})
def hardswish(input):
    """``input * hardsigmoid(input)``."""
    require_real("hardswish_cpu", input)
    x = widened(input)
    return narrowed(x * minimum(maximum(x + 3, 0.0), 6.0) / 6, _own(input))


def _shrink_grad(g, input, lambd):
    return _select((input >= -lambd) & (input <= lambd), 0.0, g)


@operator(derivative={"input": _shrink_grad})
def hardshrink(input, lambd: Number = 0.5):
    """``input``, but 0 within [-lambd, lambd]."""
    require_real("hardshrink_cpu", input)
    return _select((input >= -lambd) & (input <= lambd), 0.0, input)


@operator(name="Softshrink", derivative={"input": _shrink_grad})
def _softshrink(input, lambd: Number):
    require_real("softshrink_check", input)
    return _select(
        input > lambd, input - lambd, _select(input < -lambd, input + lambd, input * 0.0)
    )


def softshrink(input, lambd=0.5):
    """``input`` moved towards 0 by ``lambd``, 0 within [-lambd, lambd]."""
    if lambd < 0:
        own = _own(input)
        top = largest(own) if own.category == FLOAT else math.inf
        raise RuntimeError(
            f"lambda must be in range [0, {top:g}] for input dtype {own.legacy}, but found "
            f"{lambd:g}"
        )
    return _softshrink(input, float(lambd))


# Gated linear unit ------------------------------------------------------------------------------


def _halves(input, dim):
    axis = kit.axis_of(dim, input._value.spec.ndim)
    half = input._value.spec.shape[axis] // 2
    return slice_axis(input, axis, 0, half), slice_axis(input, axis, half, 2 * half), axis


def _glu_grad(g, input, dim):
    a, b, axis = _halves(input, dim)
    gate = sigmoid(b)
    passed = g * gate
    return _cat([passed, passed * a * (1 - gate)], axis)


@operator(derivative={"input": _glu_grad})
def glu(input, dim=-1):
    """First half of the input along ``dim`` times the sigmoid of the second half."""
    own = input._value.spec
    if own.ndim == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    axis = kit.axis_of(dim, own.ndim)
    size = own.shape[axis]
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {axis} is size {size}")
    require_real("glu_cpu", input)
    zero, one = (0,) * own.ndim, (1,) * own.ndim
    middle = tuple([size // 2 if i == axis else 0 for i in range(own.ndim)])
    first = tuple([size // 2 if i == axis else n for i, n in enumerate(own.shape)])
    a = kit.bind(m.slice_, input, start=zero, stop=first, step=one)
    b = kit.bind(m.slice_, input, start=middle, stop=own.shape, step=one)
    return a * sigmoid(b)


NAMESPACES = {
    "torch": [
        "relu", "prelu", "selu", "celu", "threshold", "hardshrink",
    ],
    "functional": [
        "relu", "relu6", "hardtanh", "leaky_relu", "threshold", "prelu", "elu", "selu", "celu",
        "softplus", "logsigmoid", "gelu", "silu", "mish", "softsign", "tanhshrink", "hardsigmoid",
        "hardswish", "hardshrink", "softshrink", "glu",
    ],
    "method": ["relu", "prelu", "hardshrink"],
    "inplace": ["relu"],
}  # fmt: skip
