"""Functions that combine several tensors element by element, beyond plain arithmetic."""

from __future__ import annotations

from facula.autograd.handle import TensorBase
from facula.base import dtypes
from facula.base.dtypes import COMPLEX
from facula.graph.primitives import elementwise as p
from facula.operators import kit
from facula.operators.arithmetic import _select, maximum, minimum, pow_
from facula.operators.basic import cast, conj, one_like, zero_like
from facula.operators.operator import Number, Operand, operator
from facula.operators.pointwise import abs, isinf, isnan
from facula.operators.precision import narrowed, widened
from facula.operators.rename import renamed
from facula.operators.transcendental import exp, log, log1p, sqrt


@operator(
    name="Hypot",
    derivative={
        "input": lambda g, input, out: g * (input / out),
        "other": lambda g, other, out: g * (other / out),
    },
)
def hypot(input, other: Operand):
    """``sqrt(input**2 + other**2)``."""
    a, b = kit.promoted(input, other, to_float=True)
    big, small = maximum(abs(a), abs(b)), minimum(abs(a), abs(b))
    ratio = _select(big == 0, small, small / big)
    far = _select(isinf(a), abs(a), abs(b))  # infinite, if either is: even beside a NaN
    return _select(isinf(far), far, big * sqrt(1 + ratio * ratio))


@operator(name="Lerp", derivative={
    "input": lambda g, weight: g * (1 - conj(weight)),
    "end": lambda g, weight: g * conj(weight),
    "weight": lambda g, input, end: g * conj(end - input),
})  # fmt: skip
def lerp(input, end, weight: Operand):
    """``input + weight * (end - input)``, exact at both ends."""
    own, other = input._value.spec.dtype, end._value.spec.dtype
    if own is not other:
        raise RuntimeError(f"expected dtype {own!r} for `end` but got dtype {other!r}")
    input, end = widened(input), widened(end)
    if isinstance(weight, TensorBase):
        weight = widened(weight)
    near = input + weight * (end - input)
    far = end - (end - input) * (1 - weight)
    small = _less_half(weight, input)
    return narrowed(_select(small, near, far), own)


lerp.keeps = True
lerp.name = lambda specs, template: f"LerpBackward{int(not specs[2].weak)}"


def _less_half(weight, input):
    if isinstance(weight, (int, float)):
        weight = kit.number(weight, input._value.spec.dtype)
    return abs(weight) < 0.5 if not weight._value.spec.weak else _weak_less(weight, 0.5, input)


def _weak_less(weight, limit, input):
    own = input._value.spec.dtype.to_real()
    return abs(kit.as_dtype(weight, own)) < limit


@operator(name="Addcmul", derivative={
    "input": lambda g: g,
    "tensor1": lambda g, tensor2, value: g * conj(tensor2 * value),
    "tensor2": lambda g, tensor1, value: g * conj(tensor1 * value),
})  # fmt: skip
def _addcmul(input, tensor1, tensor2, value: Number):
    own = kit.result_type(input, tensor1, tensor2)
    return narrowed(widened(input) + value * widened(tensor1) * widened(tensor2), own)


def addcmul(input, tensor1, tensor2, *, value=1):
    """``input + value * tensor1 * tensor2``."""
    return _addcmul(input, tensor1, tensor2, value)


@operator(name="Addcdiv", derivative={
    "input": lambda g: g,
    "tensor1": lambda g, tensor2, value: g * conj(value / tensor2),
    "tensor2": lambda g, tensor1, tensor2, value: -g * conj((value * tensor1 / tensor2) / tensor2),
})  # fmt: skip
def _addcdiv(input, tensor1, tensor2, value: Number):
    if kit.result_type(tensor1, tensor2).category < dtypes.FLOAT:
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future release addcdiv "
            "will perform a true division of tensor1 and tensor2. Convert one to a float."
        )
    own = kit.floating(kit.result_type(input, tensor1, tensor2))
    return narrowed(widened(input) + value * widened(tensor1) / widened(tensor2), own)


def addcdiv(input, tensor1, tensor2, *, value=1):
    """``input + value * (tensor1 / tensor2)``."""
    return _addcdiv(input, tensor1, tensor2, value)


@operator(name="Logaddexp", derivative={
    "input": lambda g, input, out: g * conj(exp(input - out)),
    "other": lambda g, other, out: g * conj(exp(other - out)),
})  # fmt: skip
def logaddexp(input, other):
    """``log(exp(input) + exp(other))`` without overflow."""
    top = maximum(input, other)
    low = minimum(input, other)
    same = (input == other) & isinf(input)
    return _select(same, input, top + log1p(exp(low - top)))


@operator(name="Xlogy", derivative={
    "input": lambda g, input, other: _select(input == 0, zero_like(g), g * log(other)),
    "other": lambda g, input, other: g * input / other,
})  # fmt: skip
def xlogy(input: Operand, other: Operand):
    """``input * log(other)``, 0 where input is 0."""
    a, b = kit.promoted(input, other, to_float=True)
    product = _select(a == 0, zero_like(a), a * log(b))
    return _select(isnan(b), b, product)


@operator(name="Copysign", derivative={
    "input": lambda g, input, out: g * _select(input == 0, zero_like(g), out / input),
    "other": lambda g: zero_like(g),
})  # fmt: skip
def copysign(input, other: Operand):
    """The size of ``input`` with the sign of ``other``."""
    a, b = kit.promoted(input, other, to_float=True)
    return kit.bind(p.copysign, a, b)


def _number_wins(name, doc, at_least):
    """fmax or fmin: the first where it is (weakly) ahead or the second is NaN."""

    @operator(differentiable=False)
    def _first(input, other):
        return at_least(input, other) | isnan(other)

    def body(input, other):
        if COMPLEX in (input._value.spec.dtype.category, other._value.spec.dtype.category):
            raise RuntimeError(f"{name} not implemented for complex tensors.")
        return _select(_first(input, other), *kit.promoted(input, other))

    derivative = {
        "input": lambda g, input, other: _select(_first(input, other), g, zero_like(g)),
        "other": lambda g, input, other: _select(_first(input, other), zero_like(g), g),
    }
    return operator(derivative=derivative)(renamed(body, name, doc))


fmax = _number_wins("fmax", "The larger of two elements; NaN loses.", lambda a, b: a >= b)
fmin = _number_wins("fmin", "The smaller of two elements; NaN loses.", lambda a, b: a <= b)


@operator(differentiable=False)
def nextafter(input, other):
    """The next representable number from input towards other."""
    return kit.bind(p.next_after, input, other)


def float_power(input, exponent):
    """``input ** exponent`` in double precision."""

    def wide(x):
        if isinstance(x, (int, float)):
            return float(x)
        if isinstance(x, complex):
            return x
        own = x._value.spec.dtype
        return cast(x, dtypes.complex128 if own.category == COMPLEX else dtypes.float64)

    return pow_(wide(input), wide(exponent))


@operator(differentiable=False)
def heaviside(input, values):
    """0 below zero, 1 above, ``values`` at zero."""
    one, zero = one_like(input), zero_like(input)
    return _select(input == 0, values, _select(input > 0, one, zero))


NAMESPACES = {
    "torch": [
        "hypot",
        "lerp",
        "addcmul",
        "addcdiv",
        "logaddexp",
        "xlogy",
        "copysign",
        "nextafter",
        "float_power",
        "heaviside",
        "fmax",
        "fmin",
    ],
    "method": [
        "hypot",
        "lerp",
        "addcmul",
        "addcdiv",
        "logaddexp",
        "xlogy",
        "copysign",
        "nextafter",
        "float_power",
        "heaviside",
        "fmax",
        "fmin",
    ],
    "inplace": [
        "hypot",
        "lerp",
        "addcmul",
        "addcdiv",
        "xlogy",
        "copysign",
        "nextafter",
        "float_power",
        "heaviside",
    ],
}
