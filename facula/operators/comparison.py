"""Comparisons and logic: results are bool tensors (or integers, for bit operations)."""

from __future__ import annotations

from facula.base import dtypes
from facula.base.dtypes import BOOL, COMPLEX, INTEGER
from facula.graph.primitives import elementwise as p
from facula.operators import kit
from facula.operators.operator import Operand, operator
from facula.operators.rename import renamed


def _comparison(name, doc, apply):
    def body(input: Operand, other: Operand):
        a, b = kit.promoted(input, other)
        if name not in ("eq", "ne") and a._value.spec.dtype.category == COMPLEX:
            raise RuntimeError(
                f"{name} is not implemented for complex tensors; compare their abs()"
            )
        return apply(a, b)

    return operator(renamed(body, name, doc), differentiable=False)


def _not(x):
    return kit.bind(p.bit_not, x)


eq = _comparison("eq", "input == other, element by element.", lambda a, b: kit.bind(p.equal, a, b))
ne = _comparison(
    "ne", "input != other, element by element.", lambda a, b: _not(kit.bind(p.equal, a, b))
)
lt = _comparison("lt", "input < other, element by element.", lambda a, b: kit.bind(p.less, a, b))
le = _comparison(
    "le", "input <= other, element by element.", lambda a, b: kit.bind(p.less_equal, a, b)
)
gt = _comparison("gt", "input > other, element by element.", lambda a, b: kit.bind(p.less, b, a))
ge = _comparison(
    "ge", "input >= other, element by element.", lambda a, b: kit.bind(p.less_equal, b, a)
)
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge


def _logical(name, doc, primitive):
    def body(input, other: Operand):
        a, b = kit.as_dtype(input, dtypes.bool_), kit.as_dtype(other, dtypes.bool_)
        return kit.bind(primitive, a, b)

    return operator(renamed(body, name, doc), differentiable=False)


logical_and = _logical("logical_and", "True where both are nonzero.", p.bit_and)
logical_or = _logical("logical_or", "True where at least one is nonzero.", p.bit_or)
logical_xor = _logical("logical_xor", "True where exactly one is nonzero.", p.bit_xor)


@operator(differentiable=False)
def logical_not(input):
    """True where the element is zero."""
    return _not(kit.as_dtype(input, dtypes.bool_))


def _bitwise(name, doc, primitive):
    def body(input: Operand, other: Operand):
        a, b = kit.promoted(input, other)
        if a._value.spec.dtype.category > INTEGER:
            raise RuntimeError(f"\"{name}_cpu\" not implemented for '{a._value.spec.dtype.legacy}'")
        return kit.bind(primitive, a, b)

    return operator(renamed(body, name, doc), differentiable=False)


bitwise_and = _bitwise("bitwise_and", "Bitwise and of integers, logical and of bools.", p.bit_and)
bitwise_or = _bitwise("bitwise_or", "Bitwise or of integers, logical or of bools.", p.bit_or)
bitwise_xor = _bitwise("bitwise_xor", "Bitwise exclusive or.", p.bit_xor)
bitwise_left_shift = _bitwise("bitwise_left_shift", "input << other.", p.shift_left)
bitwise_right_shift = _bitwise("bitwise_right_shift", "input >> other.", p.shift_right)


@operator(differentiable=False)
def bitwise_not(input):
    """Flip every bit; of bools: logical not."""
    if input._value.spec.dtype.category > INTEGER:
        raise RuntimeError(
            f"\"bitwise_not_cpu\" not implemented for '{input._value.spec.dtype.legacy}'"
        )
    return _not(input)


@operator(differentiable=False)
def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """True where ``|input - other| <= atol + rtol * |other|``."""
    for label, x in (("rtol", rtol), ("atol", atol)):
        if isinstance(x, (int, float)) and x < 0:
            raise RuntimeError(f"{label} must be greater than or equal to zero, but got {x}")
    a, b = kit.promoted(input, other)
    if input._value.spec.dtype is not other._value.spec.dtype:
        raise RuntimeError(
            f"{input._value.spec.dtype.legacy} did not match {other._value.spec.dtype.legacy}"
        )
    same = a == b
    if a._value.spec.dtype.category == BOOL:
        return same
    if a._value.spec.dtype.category <= INTEGER:
        a, b = kit.as_dtype(a, dtypes.float64), kit.as_dtype(b, dtypes.float64)
    difference = (a - b).abs()
    close = (difference <= atol + rtol * b.abs()) & difference.isfinite()
    if equal_nan and a._value.spec.dtype.category > INTEGER:
        same = same | (a.isnan() & b.isnan())
    return same | close


_OPERATIONS = [
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "logical_not",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "bitwise_not",
]  # methods too, and in place
_FUNCTIONS = [*_OPERATIONS, "isclose"]  # methods too

NAMESPACES = {
    "torch": _FUNCTIONS,
    "method": _FUNCTIONS,
    "inplace": _OPERATIONS,
}
