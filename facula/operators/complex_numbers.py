"""Complex tensors: their parts, their polar form, and real views of them."""

from __future__ import annotations

from facula.base import dtypes
from facula.base.dtypes import COMPLEX
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.arithmetic import _select, atan2
from facula.operators.basic import conj_copy, imag_part, real_part, zero_like
from facula.operators.operator import operator
from facula.operators.pointwise import abs as abs_
from facula.operators.pointwise import cos, sin


def _dtype(x):
    return x._value.spec.dtype


def real(input):
    """The real part; a real tensor is its own. Differs from PyTorch: a copy, not a view."""
    return real_part(input) if _dtype(input).category == COMPLEX else input


def imag(input):
    """The imaginary part. Differs from PyTorch: a copy, not a view."""
    if _dtype(input).category != COMPLEX:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return imag_part(input)


def conj(input):
    """The complex conjugate; a real tensor is returned as it is."""
    return conj_copy(input) if _dtype(input).category == COMPLEX else input


@operator(name="ConjPhysical", derivative={"input": lambda g: _conj_physical(g)})
def _conj_physical(input):
    return kit.bind(e.conj, input)


def conj_physical(input):
    """The complex conjugate as values of its own."""
    return _conj_physical(input) if _dtype(input).category == COMPLEX else input


def resolve_conj(input):
    """The tensor itself: conjugates are never pending here."""
    return input


resolve_neg = resolve_conj


def _same_floats(name, a, b):
    own, other = _dtype(a), _dtype(b)
    allowed = (dtypes.float16, dtypes.float32, dtypes.float64)
    if own not in allowed or other not in allowed:
        raise RuntimeError(
            f"Expected both inputs to be Half, Float or Double tensors but got {own.legacy} and "
            f"{other.legacy}"
        )
    if own is not other:
        raise RuntimeError(
            f"Expected object of scalar type {own.legacy} but got scalar type {other.legacy} for "
            "second argument"
        )


@operator(
    name="Complex",
    derivative={"real": lambda g: real_part(g), "imag": lambda g: imag_part(g)},
)
def _complex(real, imag):
    return kit.bind(e.make_complex, real, imag)


def complex(real, imag):
    """``real + 1j * imag``."""
    _same_floats("complex", real, imag)
    return _complex(real, imag)


@operator(name="Polar")
def _polar(abs, angle):
    return _complex(abs * cos(angle), abs * sin(angle))


def polar(abs, angle):
    """``abs * exp(1j * angle)``, the angle in radians."""
    _same_floats("polar", abs, angle)
    return _polar(abs, angle)


def _angle_grad(g, input):
    if _dtype(input).category != COMPLEX:
        return zero_like(g)
    size = abs_(input)
    grad = g * 1j * input / (size * size)
    return _select(size == 0, zero_like(grad), grad)


@operator(name="Angle", derivative={"input": _angle_grad})
def angle(input):
    """The argument of complex numbers in radians; of real ones 0 or pi."""
    own = _dtype(input)
    if own.category == COMPLEX:
        return atan2(imag_part(input), real_part(input))
    x = kit.as_dtype(input, kit.floating(own))
    to = _dtype(x)
    flat = kit.bind(e.select, x < 0, kit.number(3.141592653589793, to), kit.number(0, to))
    return kit.bind(e.select, kit.bind(e.is_nan, x), x, flat)


@operator(name="ViewAsReal", derivative={"input": lambda g: _view_as_complex(g)})
def _view_as_real(input):
    own = input._value.spec
    return kit.bind(m.bitcast, input, shape=(*own.shape, 2), dtype=own.dtype.to_real())


def view_as_real(input):
    """Real and imaginary parts along a new last dimension. Differs from PyTorch: a copy."""
    if _dtype(input).category != COMPLEX:
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return _view_as_real(input)


@operator(name="ViewAsComplex", derivative={"input": lambda g: _view_as_real(g)})
def _view_as_complex(input):
    own = input._value.spec
    return kit.bind(m.bitcast, input, shape=own.shape[:-1], dtype=own.dtype.to_complex())


def view_as_complex(input):
    """Pairs along the last dimension as complex numbers. Differs from PyTorch: a copy."""
    own = input._value.spec
    if own.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a "
            f"tensor of scalar type: {own.dtype.legacy}"
        )
    if not own.shape or own.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    return _view_as_complex(input)


NAMESPACES = {
    "torch": [
        "real", "imag", "conj", "conj_physical", "resolve_conj", "resolve_neg", "complex", "polar",
        "angle", "view_as_real", "view_as_complex",
    ],
    "method": ["conj", "conj_physical", "resolve_conj", "resolve_neg", "angle"],
    "inplace": ["conj_physical"],
}  # fmt: skip
