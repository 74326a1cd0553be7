"""Number theory, powers of two, whole-tensor comparisons, and questions about types."""

from __future__ import annotations

import math

import numpy as np

from facula.autograd.handle import TensorBase
from facula.base import dtypes
from facula.base.dtypes import BOOL, FLOAT
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import host
from facula.operators import kit
from facula.operators.arithmetic import _select, maximum, minimum, pow_
from facula.operators.basic import cast, conj
from facula.operators.comparison import isclose
from facula.operators.operator import Operand, operator
from facula.operators.pointwise import isinf
from facula.operators.results import result
from facula.operators.transcendental import exp2, log1p


def _dtype(x):
    return x._value.spec.dtype


def _integers(name, a, b):
    a, b = kit.promoted(a, b)
    own = _dtype(a)
    if own.category >= FLOAT or own.category == BOOL:
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{own.legacy}'")
    return a, b


@operator(differentiable=False)
def gcd(input, other):
    """The greatest common divisor of integers; gcd(0, 0) = 0."""
    return kit.bind(e.gcd, *_integers("gcd", input, other))


@operator(differentiable=False)
def lcm(input, other):
    """The least common multiple of integers, not negative."""
    a, b = _integers("lcm", input, other)
    common = kit.bind(e.gcd, a, b)
    own = _dtype(a)
    zero, one = kit.number(0, own), kit.number(1, own)
    none = kit.bind(e.equal, common, zero)
    parts = kit.bind(e.floor_div, a, kit.bind(e.select, none, one, common))
    product = kit.bind(e.absolute, kit.bind(e.mul, parts, b))
    return kit.bind(e.select, none, zero, product)


@operator(
    name="Ldexp",
    derivative={
        "input": lambda g, other: g * conj(pow_(2.0, other)),
        "other": lambda g, out: g * conj(out) * math.log(2),
    },
)
def ldexp(input, other: Operand):
    """``input * 2 ** other``."""
    return input * pow_(2.0, other)


@operator(
    name="Frexp",
    derivative=lambda gs, outs: {"input": gs[0] * exp2(cast(-outs[1], _dtype(gs[0])))},
)
def _frexp(input):
    return kit.bind(host.frexp, input)


def frexp(input):
    """(mantissa in [1/2, 1), exponent) with ``mantissa * 2 ** exponent = input``."""
    if _dtype(input).category != FLOAT:
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    return result("frexp", _frexp(input))


@operator(
    name="Logaddexp2",
    derivative={
        "input": lambda g, input, out: g * exp2(input - out),
        "other": lambda g, other, out: g * exp2(other - out),
    },
)
def logaddexp2(input, other):
    """``log2(2 ** input + 2 ** other)`` without overflow."""
    top, low = maximum(input, other), minimum(input, other)
    same = (input == other) & isinf(input)
    return _select(same, input, top + log1p(exp2(low - top)) * (1 / math.log(2)))


# Whole tensors ----------------------------------------------------------------------------------


def _need_tensor(name, x, parameter="input", position=1):
    if not isinstance(x, TensorBase):
        raise TypeError(
            f"{name}(): argument '{parameter}' (position {position}) must be Tensor, not "
            f"{type(x).__name__}"
        )


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False) -> bool:
    """Whether ``isclose`` holds everywhere; computes the tensors.

    >>> import facula as torch
    >>> torch.allclose(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    True
    """
    _need_tensor("allclose", input)
    _need_tensor("allclose", other, "other", 2)
    return bool(np.all(isclose(input, other, rtol, atol, equal_nan)._buffer()))


def equal(input, other) -> bool:
    """Whether two tensors have the same shape and elements; computes them."""
    _need_tensor("equal", input)
    _need_tensor("equal", other, "other", 2)
    if input._value.spec.shape != other._value.spec.shape:
        return False
    return bool(np.array_equal(np.asarray(input._buffer()), np.asarray(other._buffer())))


def is_nonzero(input) -> bool:
    """Whether a tensor of one element is not zero."""
    count = input._value.spec.numel
    if count != 1:
        which = "no values" if count == 0 else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {which} is ambiguous")
    return bool(np.asarray(input._buffer()).reshape(()))


# Types ------------------------------------------------------------------------------------------


def is_tensor(obj) -> bool:
    """Whether the object is a tensor."""
    return isinstance(obj, TensorBase)


def is_floating_point(input) -> bool:
    """Whether the elements are real floating numbers."""
    _need_tensor("is_floating_point", input)
    return _dtype(input).is_floating_point


def is_complex(input) -> bool:
    """Whether the elements are complex numbers."""
    _need_tensor("is_complex", input)
    return _dtype(input).is_complex


def is_signed(input) -> bool:
    """Whether the dtype has negative numbers."""
    return _dtype(input).is_signed


def is_conj(input) -> bool:
    """Whether a conjugation is pending: never here."""
    return False


is_neg = is_conj


def numel(input) -> int:
    """Number of elements."""
    _need_tensor("numel", input)
    return input._value.spec.numel


def is_same_size(input, other) -> bool:
    """Whether two tensors have the same shape."""
    return input._value.spec.shape == other._value.spec.shape


def result_type(tensor1, tensor2) -> dtypes.dtype:
    """The dtype that an operation between two tensors or numbers has."""
    return kit.result_type(tensor1, tensor2)


NAMESPACES = {
    "torch": [
        "gcd", "lcm", "ldexp", "frexp", "logaddexp2", "allclose", "equal", "is_nonzero",
        "is_tensor", "is_floating_point", "is_complex", "is_signed", "is_conj", "is_neg", "numel",
        "is_same_size", "result_type",
    ],
    "method": [
        "gcd", "lcm", "ldexp", "frexp", "logaddexp2", "allclose", "equal", "is_nonzero",
        "is_same_size",
    ],
    "inplace": ["gcd", "lcm", "ldexp"],
}  # fmt: skip
