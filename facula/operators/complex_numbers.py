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
from facula.operators.transcendental import cos, sin
from facula.operators.views import View


def _dtype(x):
    return x._value.spec.dtype


def _part_layout(which):
    """Layout of one part: complex numbers lie in memory as pairs."""
    return lambda shape, strides, offset: (tuple([2 * s for s in strides]), 2 * offset + which)


@operator(
    name="Select",
    derivative={"input": lambda g: _complex(g, zero_like(g))},
    view=View(
        strides=_part_layout(0),
        write=lambda before, value: kit.bind(e.make_complex, value, kit.bind(e.imag, before)),
    ),
)
def _real_view(input):
    return kit.bind(e.real, input)


@operator(
    name="Select",
    derivative={"input": lambda g: _complex(zero_like(g), g)},
    view=View(
        strides=_part_layout(1),
        write=lambda before, value: kit.bind(e.make_complex, kit.bind(e.real, before), value),
    ),
)
def _imag_view(input):
    return kit.bind(e.imag, input)


def real(input):
    """The real part (a view); a real tensor is its own."""
    return _real_view(input) if _dtype(input).category == COMPLEX else input


def imag(input):
    """The imaginary part (a view)."""
    if _dtype(input).category != COMPLEX:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return _imag_view(input)


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


def _as_real(input):
    own = input._value.spec
    return kit.bind(m.bitcast, input, shape=(*own.shape, 2), dtype=own.dtype.to_real())


def _as_complex(input):
    own = input._value.spec
    return kit.bind(m.bitcast, input, shape=own.shape[:-1], dtype=own.dtype.to_complex())


def _complex_layout(shape, strides, offset):
    if strides[-1] != 1 or offset % 2 or any(s % 2 for s in strides[:-1]):
        return None
    return tuple([s // 2 for s in strides[:-1]]), offset // 2


@operator(
    name="ViewAsReal",
    derivative={"input": lambda g: _view_as_complex(g)},
    view=View(
        strides=lambda shape, strides, offset: ((*[2 * s for s in strides], 1), 2 * offset),
        write=lambda before, value: _as_complex(value),
    ),
)
def _view_as_real(input):
    return _as_real(input)


def view_as_real(input):
    """Real and imaginary parts along a new last dimension (a view)."""
    if _dtype(input).category != COMPLEX:
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return _view_as_real(input)


@operator(
    name="ViewAsComplex",
    derivative={"input": lambda g: _view_as_real(g)},
    view=View(strides=_complex_layout, write=lambda before, value: _as_real(value)),
)
def _view_as_complex(input):
    return _as_complex(input)


def view_as_complex(input):
    """Pairs along the last dimension as complex numbers (a view)."""
    own = input._value.spec
    if own.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a "
            f"tensor of scalar type: {own.dtype.legacy}"
        )
    if not own.shape or own.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    alias = input._alias
    if alias is not None and _complex_layout(own.shape, alias.strides, alias.offset) is None:
        raise RuntimeError(
            "Tensor must have a last dimension with stride 1, and a stride divisible by 2 for all "
            "but last dimension and a storage_offset divisible by 2"
        )
    return _view_as_complex(input)


NAMESPACES = {
    "torch": [
        "real", "imag", "conj", "conj_physical", "resolve_conj", "resolve_neg", "complex", "polar",
        "angle", "view_as_real", "view_as_complex",
    ],
    "method": ["conj", "conj_physical", "resolve_conj", "resolve_neg", "angle"],
    "inplace": ["conj_physical"],
}  # fmt: skip
