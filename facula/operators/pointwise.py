"""Rounding, signs, limits and tests of one tensor, element by element."""

from __future__ import annotations

import builtins
import math

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import BOOL, COMPLEX, FLOAT, INTEGER
from facula.graph.primitives import elementwise as p
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.basic import cast, conj, full, imag_part, real_part, zero_like
from facula.operators.operator import Operand, operator
from facula.operators.transcendental import unary

floor = unary("floor", p.floor, lambda g: zero_like(g), to_float=False, doc="Round down.")
ceil = unary("ceil", p.ceil, lambda g: zero_like(g), to_float=False, doc="Round up.")
trunc = unary("trunc", p.trunc, lambda g: zero_like(g), to_float=False, doc="Round towards zero.")
_round = unary("round", p.round_even, lambda g: zero_like(g), to_float=False)
for _rounding in (floor, ceil, trunc, _round):
    _plain, _rounding.__module__ = _rounding.body, __name__  # pickles look them up here
    _rounding.body = lambda input, _plain=_plain: (
        input if kit.spec_of(input).dtype.category <= INTEGER else _plain(input)
    )


def round(input, *, decimals=0):
    """Round to nearest, halves to even; ``decimals`` places behind the point."""
    if decimals == 0:
        return _round(input)
    scale = 10.0 ** builtins.abs(decimals)
    return _round(input * scale) / scale if decimals > 0 else _round(input / scale) * scale


fix = trunc


@operator(name="Neg", derivative={"input": lambda g: -g})
def neg(input):
    """``-input``."""
    if input._value.spec.dtype.category == BOOL:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return kit.bind(p.neg, input)


negative = neg


def positive(input):
    """``input`` itself."""
    if input._value.spec.dtype.category == BOOL:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@operator(derivative={"input": lambda g, input: g * sgn(input)})
def abs(input):
    """Absolute value; of complex numbers the (real) modulus."""
    category = input._value.spec.dtype.category
    if category == COMPLEX:
        return kit.bind(p.complex_abs, input)
    return input if category == BOOL else kit.bind(p.absolute, input)


absolute = abs


@operator(derivative={"input": lambda g: zero_like(g)})
def sign(input):
    """-1, 0 or 1 with the element's sign."""
    if input._value.spec.dtype.category == COMPLEX:
        raise RuntimeError("Unlike NumPy, torch.sign doesn't yet support complex; use torch.sgn")
    return input if input._value.spec.dtype.category == BOOL else kit.bind(p.sign, input)


@operator(derivative={"input": lambda g, input: _sgn_grad(g, input)})
def sgn(input):
    """Sign of real numbers; z/|z| of complex ones."""
    return input if input._value.spec.dtype.category == BOOL else kit.bind(p.sign, input)


def _sgn_grad(g, input):
    if input._value.spec.dtype.category != COMPLEX:
        return zero_like(g)
    size = abs(input)
    unit = sgn(input)
    grad = (g - real_part(g * conj(unit)) * unit) / cast(size, g._value.spec.dtype)
    return _select(size == 0, zero_like(grad), grad)


@operator(name="Pow", derivative={"input": lambda g, input: g * conj(2 * input)})
def square(input):
    """``input ** 2``."""
    own = input._value.spec.dtype
    if own.category == BOOL:
        input = kit.as_dtype(input, dtypes.int64)
    return kit.bind(p.mul, input, input)


@operator(derivative={"input": lambda g, out: -g * conj(out * out)})
def reciprocal(input):
    """``1 / input``."""
    own = kit.floating(input._value.spec.dtype)
    return kit.bind(p.div, kit.number(1, own), kit.as_dtype(input, own))


@operator(derivative={"input": lambda g: g})
def frac(input):
    """The fractional part, with the input's sign."""
    return input - trunc(input)


@operator
def deg2rad(input):
    """Degrees to radians."""
    return input * (math.pi / 180)


@operator
def rad2deg(input):
    """Radians to degrees."""
    return input * (180 / math.pi)


@operator(differentiable=False)
def isnan(input):
    """True where the element is NaN."""
    if input._value.spec.dtype.category < FLOAT:
        return kit.full(input._value.spec.shape, False, dtypes.bool_)
    return kit.bind(p.is_nan, input)


@operator(differentiable=False)
def isinf(input):
    """True where the element is an infinity."""
    return _matches(input, (math.inf, -math.inf))


@operator(differentiable=False)
def isposinf(input):
    """True where the element is +infinity."""
    return _matches(input, (math.inf,))


@operator(differentiable=False)
def isneginf(input):
    """True where the element is -infinity."""
    return _matches(input, (-math.inf,))


def _matches(input, values):
    own = input._value.spec
    if own.dtype.category == COMPLEX:
        re, im = kit.bind(p.real, input), kit.bind(p.imag, input)
        return kit.bind(p.bit_or, _matches(re, values), _matches(im, values))
    if own.dtype.category < FLOAT:
        return kit.full(own.shape, False, dtypes.bool_)
    found = [kit.bind(p.equal, input, kit.number(v, own.dtype)) for v in values]
    return found[0] if len(found) == 1 else kit.bind(p.bit_or, *found)


@operator(differentiable=False)
def isfinite(input):
    """True where the element is neither infinite nor NaN."""
    bad = kit.bind(p.bit_or, isnan(input), isinf(input))
    return kit.bind(p.bit_not, bad)


def isreal(input):
    """True where the imaginary part is zero."""
    if input._value.spec.dtype.category == COMPLEX:
        return imag_part(input) == 0
    return full(input._value.spec.shape, True, dtypes.bool_)


@operator(differentiable=False)
def signbit(input):
    """True where the sign bit is set (negative numbers and -0.0)."""
    own = input._value.spec.dtype
    if own.category != FLOAT:
        return input < 0
    return kit.bind(p.copysign, kit.number(1, own), input) < 0


@operator(
    derivative={
        "input": lambda g, input, min, max: _inside(g, input, min, max),
        "min": lambda g, input, min, max: _at_limit(g, input, min, max, "min"),
        "max": lambda g, input, min, max: _at_limit(g, input, min, max, "max"),
    }
)
def clamp(input, min: Operand = None, max: Operand = None):
    """Limit the elements to [min, max]; either may be None, a number or a tensor.

    >>> import facula as torch
    >>> torch.clamp(torch.tensor([-1.0, 0.5, 3.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    limits = [x for x in (min, max) if x is not None]
    to = kit.result_type(input, *limits)
    if to.category == COMPLEX:
        raise NotImplementedError("clamp is not supported for complex types")
    out = kit.as_dtype(input, to)
    if min is not None:
        out = kit.bind(p.maximum, out, kit.as_dtype(min, to))
    if max is not None:
        out = kit.bind(p.minimum, out, kit.as_dtype(max, to))
    return out


def _inside(g, input, min, max):
    keep = None
    if min is not None:
        keep = input >= min
    if max is not None:
        below = input <= max
        keep = below if keep is None else keep & below
    return _select(keep, g, zero_like(g))


def _at_limit(g, input, min, max, which):
    """Gradient of a limit that is a tensor: where the input lies beyond it."""
    if which == "min":
        hit = input < min
        if max is not None:
            hit = hit & (min < max)
    else:
        hit = input > max
        if min is not None:
            hit = hit | (max < min)
    return _select(hit, g, zero_like(g))


clamp.name = lambda specs, template: f"ClampBackward{int(all(s.weak for s in specs[1:]))}"
clip = clamp


def clamp_min(input, min):
    """Limit the elements from below."""
    return clamp(input, min=min)


def clamp_max(input, max):
    """Limit the elements from above."""
    return clamp(input, max=max)


@operator(
    name="NanToNum",
    derivative={"input": lambda g, input: _select(isfinite(input), g, zero_like(g))},
)
def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    """NaN and infinities replaced by numbers (by default 0 and the dtype's extremes)."""
    own = input._value.spec.dtype
    if own.category < FLOAT:
        return input
    top = 3.3895313892515355e38 if own is dtypes.bfloat16 else float(np.finfo(own.numpy).max)
    high = kit.as_dtype(top if posinf is None else posinf, own)
    low = kit.as_dtype(-top if neginf is None else neginf, own)
    out = _select(isnan(input), kit.as_dtype(0.0 if nan is None else nan, own), input)
    out = _select(isposinf(input), high, out)
    return _select(isneginf(input), low, out)


_ARITHMETIC = """
    floor ceil trunc fix round neg negative abs absolute sign sgn square reciprocal frac deg2rad
    rad2deg clamp clip clamp_min clamp_max nan_to_num
""".split()
_TESTS = """
    isnan isinf isposinf isneginf isfinite isreal signbit
""".split()
NAMESPACES = {
    "torch": [*_ARITHMETIC, *_TESTS, "positive"],
    "method": [*_ARITHMETIC, *_TESTS, "positive"],
    "inplace": _ARITHMETIC,
}
