"""Arithmetic between two operands, with PyTorch's promotion."""

from __future__ import annotations

import numpy as np

from facula.autograd.modes import modes
from facula.autograd.tools import tools
from facula.base import dtypes
from facula.base.dtypes import BOOL, FLOAT, INTEGER
from facula.graph.primitives import elementwise as p
from facula.operators import kit
from facula.operators.basic import conj
from facula.operators.operator import Operand, operator


def _scaled(other, alpha):
    """``other * alpha``; alpha left at 1 costs nothing and leaves the dtype alone."""
    return other if alpha is None else other * alpha


def _given(alpha):
    """None for the default: an int 1 is structure, any other alpha is an input of the program."""
    return None if alpha.__class__ is int and alpha == 1 else alpha


_HALVES = (dtypes.float16, dtypes.bfloat16)


def _binary(primitive, a, b, to_float=False):
    a, b = kit.promoted(a, b, to_float=to_float)
    return kit.bind(primitive, a, b)


def _scaled_once(primitive, a, b, number, to_float=False):
    """A product or quotient; with a number, 16-bit floats are rounded once and the number never.

    PyTorch's kernels scale like this; its sums round the number first.
    """
    to = kit.result_type(a, b)
    if to not in _HALVES or kit.spec_of(number).ndim:
        return _binary(primitive, a, b, to_float)
    wide = [kit.as_dtype(x, dtypes.float32) for x in (a, b)]
    return kit.as_dtype(kit.bind(primitive, *wide), to)


@operator(derivative={"input": lambda g: g, "other": lambda g, alpha: _scaled(g, _conj(alpha))})
def _add(input: Operand, other: Operand, alpha: Operand):
    if alpha is not None:
        other = _times_alpha(input, other, alpha)
    return _binary(p.add, input, other)


def _conj(alpha):
    return None if alpha is None else conj(alpha)


def _times_alpha(input, other, alpha):
    to = kit.result_type(input, other)
    if to.category < FLOAT and kit.spec_of(alpha).dtype.category >= FLOAT:
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number."
        )
    if to.category == BOOL:
        other, alpha = kit.promoted(other, alpha)
        return kit.as_dtype(kit.bind(p.mul, other, alpha), dtypes.bool_)
    return kit.bind(p.mul, kit.as_dtype(other, to), kit.as_dtype(alpha, to))


_add.keeps = True
_add.name = lambda specs, template: "AddBackward0"


def add(input, other, *, alpha=1):
    """``input + alpha * other``, broadcast and promoted.

    >>> import facula as torch
    >>> torch.add(torch.tensor([1.0, 2.0]), 10)
    tensor([11., 12.])
    """
    return _add(input, other, _given(alpha))


def _no_bool_sub(input, other):
    if kit.spec_of(input).dtype.category == BOOL and kit.spec_of(other).dtype.category == BOOL:
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
            "`logical_xor()` operator instead."
        )
    if BOOL in (kit.spec_of(input).dtype.category, kit.spec_of(other).dtype.category):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying "
            "to invert a mask, use the `~` or `logical_not()` operator instead."
        )


@operator(derivative={"input": lambda g: g, "other": lambda g, alpha: -_scaled(g, _conj(alpha))})
def _sub(input: Operand, other: Operand, alpha: Operand):
    _no_bool_sub(input, other)
    if alpha is not None:
        other = _times_alpha(input, other, alpha)
    return _binary(p.sub, input, other)


_sub.keeps = True
_sub.name = lambda specs, template: "SubBackward0"


def sub(input, other, *, alpha=1):
    """``input - alpha * other``, broadcast and promoted."""
    return _sub(input, other, _given(alpha))


@operator(derivative={"input": lambda g, alpha: -_scaled(g, _conj(alpha)), "other": lambda g: g})
def _rsub(input: Operand, other: Operand, alpha: Operand):
    _no_bool_sub(input, other)
    if alpha is not None:
        input = _times_alpha(other, input, alpha)
    return _binary(p.sub, other, input)


_rsub.keeps = True
_rsub.name = lambda specs, template: f"RsubBackward{int(specs[1].weak)}"


def rsub(input, other, *, alpha=1):
    """``other - alpha * input``."""
    return _rsub(input, other, _given(alpha))


@operator(
    derivative={
        "input": lambda g, other: g * conj(other),
        "other": lambda g, input: g * conj(input),
    }
)
def mul(input: Operand, other: Operand):
    """``input * other``, broadcast and promoted."""
    number = input if kit.spec_of(input).weak else other
    return _scaled_once(p.mul, input, other, number)


def _add_gradients(a, b):
    """``a + b``; in the trace of a backward pass, which adds a lot, with nothing to find out."""
    trace = modes.trace
    if trace is not None and not modes.grad:
        x, y = a._value, b._value
        if x.spec is y.spec and not x.spec.weak:
            return kit.bind(p.add, a, b)
    return _add(a, b, None)


tools.add = _add_gradients


def _div_other(g, other, out):
    return -g * conj(out / other)


@operator(
    name="Div",
    derivative={"input": lambda g, other: g / conj(other), "other": _div_other},
)
def true_divide(input: Operand, other: Operand):
    """``input / other``; integers divide to floats."""
    return _scaled_once(p.div, input, other, other, to_float=True)


@operator(
    name="=DivBackward2",
    derivative={
        "input": lambda g: tools.zeros(g._value.spec),
        "other": lambda g: tools.zeros(g._value.spec),
    },
)
def _div_rounded(input: Operand, other: Operand, rounding_mode: str):
    if rounding_mode not in ("floor", "trunc"):
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
            f"'{rounding_mode}'"
        )
    a, b = kit.promoted(input, other)
    category = a._value.spec.dtype.category
    if category == BOOL:
        a, b = kit.as_dtype(a, dtypes.int64), kit.as_dtype(b, dtypes.int64)
    if rounding_mode == "floor":
        return kit.bind(p.floor_div, a, b)
    if category >= FLOAT:
        return kit.bind(p.trunc, kit.bind(p.div, a, b))
    # Truncation of integers: floor division of the sizes, with the sign of the quotient.
    whole = kit.bind(p.floor_div, kit.bind(p.absolute, a), kit.bind(p.absolute, b))
    return kit.bind(p.mul, whole, kit.bind(p.mul, kit.bind(p.sign, a), kit.bind(p.sign, b)))


def _is_whole(x) -> bool:
    own = getattr(x, "_value", None)
    return isinstance(x, (int, np.integer)) if own is None else own.spec.dtype.category <= INTEGER


def _refuse_zero(input, other) -> None:
    """Whole numbers cannot be divided by zero; floats give infinities."""
    if modes.trace is not None or not (_is_whole(input) and _is_whole(other)):
        return
    zero = other == 0 if not hasattr(other, "_value") else (np.asarray(other._buffer()) == 0).any()
    if zero:
        raise RuntimeError("ZeroDivisionError")


def div(input, other, *, rounding_mode=None):
    """``input / other``, rounded down ("floor") or towards zero ("trunc") if asked."""
    if rounding_mode is None:
        return true_divide(input, other)
    _refuse_zero(input, other)
    return _div_rounded(input, other, rounding_mode)


divide = div


def _no_derivative(g):
    raise RuntimeError("derivative for aten::floor_divide is not implemented")


@operator(name="=NotImplemented", derivative={"input": _no_derivative, "other": _no_derivative})
def _floor_divide(input: Operand, other: Operand):
    return _div_rounded(input, other, "floor")


def floor_divide(input, other):
    """``input / other`` rounded down. Has no derivative: use ``div(rounding_mode="floor")``."""
    _refuse_zero(input, other)
    return _floor_divide(input, other)


@operator(
    name="Remainder",
    derivative={
        "self": lambda g: g,
        "other": lambda g, self, other: -g * _div_rounded(self, other, "floor"),
    },
)
def _remainder(self: Operand, other: Operand):
    return _binary(p.remainder, self, other)


def remainder(self, other):
    """Remainder with the sign of the divisor, as Python's ``%``."""
    _refuse_zero(self, other)
    return _remainder(self, other)


@operator(
    name="Fmod",
    derivative={
        "input": lambda g: g,
        "other": lambda g, input, other: -g * _div_rounded(input, other, "trunc"),
    },
)
def _fmod(input: Operand, other: Operand):
    return _binary(p.fmod, input, other)


def fmod(input, other):
    """Remainder with the sign of the dividend, as C's ``fmod``."""
    _refuse_zero(input, other)
    return _fmod(input, other)


def _pow_input(g, input, exponent):
    down = pow_(input, exponent - 1)
    grad = g * conj(exponent * down)
    return _where_zero(exponent, grad)


def _where_zero(exponent, grad):
    """x**0 is constant: its gradient is 0 even where x**-1 is infinite."""
    if not isinstance(exponent, (bool, int, float, complex)):
        return _select(_eq_zero(exponent), tools.zeros(grad._value.spec), grad)
    return tools.zeros(grad._value.spec) if exponent == 0 else grad


@operator(differentiable=False)
def _eq_zero(x: Operand):
    x = kit.as_dtype(x, kit.spec_of(x).dtype)
    return kit.bind(p.equal, x, kit.number(0, x._value.spec.dtype))


@operator(
    name="Where",
    derivative={
        "input": lambda g, condition: _select(condition, g, tools.zeros(g._value.spec)),
        "other": lambda g, condition: _select(condition, tools.zeros(g._value.spec), g),
    },
)
def _select(condition, input: Operand, other: Operand):
    a, b = kit.promoted(input, other)
    return kit.bind(p.select, kit.as_dtype(condition, dtypes.bool_), a, b)


def _pow_exponent(g, input, exponent, out):
    from_zero = _and(_eq_zero(input), _not_negative(exponent))
    grad = g * conj(out * _log(input))
    return _select(from_zero, tools.zeros(grad._value.spec), grad)


@operator(differentiable=False)
def _not_negative(x: Operand):
    own = kit.spec_of(x).dtype
    x = kit.as_dtype(x, own)
    if own.category > FLOAT:
        x = kit.bind(p.real, x)
    return kit.bind(p.less_equal, kit.number(0, x._value.spec.dtype), x)


@operator(differentiable=False)
def _and(a, b):
    return kit.bind(p.bit_and, a, b)


@operator(name="Log", derivative={"x": lambda g, x: g / conj(x)})
def _log(x: Operand):
    x = kit.as_dtype(x, kit.floating(kit.result_type(x)))
    return kit.bind(p.log, x)


def _pow_name(specs, template):
    return f"PowBackward{0 if specs[-1].weak else 2 if specs[0].weak else 1}"


@operator(derivative={"input": _pow_input, "exponent": _pow_exponent})
def pow_(input: Operand, exponent: Operand):
    """``input ** exponent``, broadcast and promoted."""
    a, b = kit.promoted(input, exponent)
    if a._value.spec.dtype.category == BOOL:
        raise RuntimeError("pow is not implemented for bool tensors; convert the operands to int")
    return kit.bind(p.power, a, b)


pow_.name = _pow_name


def pow(input, exponent):
    """``input ** exponent``; integers to negative powers are refused.

    >>> import facula as torch
    >>> torch.pow(torch.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    if isinstance(exponent, int) and exponent < 0:
        own = kit.spec_of(input)
        if own.dtype.category <= INTEGER and not own.weak:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
    return pow_(input, exponent)


power = pow  # for ``**``: the public name also looks at ``out`` and at what its operands are


def _inverse_square(a, b):
    """``1 / (a² + b²)``, 0 at the origin, where the angle has no derivative."""
    size = a * a + b * b
    return _select(_eq_zero(size), 0.0, 1 / size)


@operator(
    name="Atan2",
    derivative={
        "input": lambda g, input, other: g * (other * _inverse_square(input, other)),
        "other": lambda g, input, other: g * (-input * _inverse_square(input, other)),
    },
)
def atan2(input: Operand, other: Operand):
    """Angle of the point (other, input), in radians."""
    return _binary(p.atan2, input, other, to_float=True)


def _split_equal(g, wins, equal):
    """PyTorch's rule for ties of maximum and minimum: half of the gradient each."""
    share = _select(equal, g / 2, tools.zeros(g._value.spec))
    return _select(wins, g, share)


@operator(differentiable=False)
def _less(a: Operand, b: Operand):
    return _binary(p.less, a, b)


@operator(differentiable=False)
def _equal(a: Operand, b: Operand):
    return _binary(p.equal, a, b)


@operator(
    derivative={
        "input": lambda g, input, other: _split_equal(g, _less(other, input), _equal(input, other)),
        "other": lambda g, input, other: _split_equal(g, _less(input, other), _equal(input, other)),
    }
)
def maximum(input: Operand, other: Operand):
    """The larger of two operands, element by element; NaN wins."""
    return _binary(p.maximum, input, other)


@operator(
    derivative={
        "input": lambda g, input, other: _split_equal(g, _less(input, other), _equal(input, other)),
        "other": lambda g, input, other: _split_equal(g, _less(other, input), _equal(input, other)),
    }
)
def minimum(input: Operand, other: Operand):
    """The smaller of two operands, element by element; NaN wins."""
    return _binary(p.minimum, input, other)


multiply, subtract, arctan2 = mul, sub, atan2


NAMESPACES = {
    "torch": [
        "add",
        "sub",
        "mul",
        "true_divide",
        "div",
        "divide",
        "floor_divide",
        "remainder",
        "fmod",
        "pow",
        "atan2",
        "maximum",
        "minimum",
        "rsub",
        "multiply",
        "subtract",
        "arctan2",
    ],
    "method": [
        "add",
        "sub",
        "mul",
        "true_divide",
        "div",
        "divide",
        "floor_divide",
        "remainder",
        "fmod",
        "pow",
        "atan2",
        "maximum",
        "minimum",
        "multiply",
        "subtract",
        "arctan2",
    ],
    "inplace": [
        "add",
        "sub",
        "mul",
        "true_divide",
        "div",
        "divide",
        "floor_divide",
        "remainder",
        "fmod",
        "pow",
        "atan2",
        "multiply",
        "subtract",
        "arctan2",
    ],
}
