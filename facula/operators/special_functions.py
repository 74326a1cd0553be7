"""Special functions: torch.special, and those of them that are also torch.X."""

from __future__ import annotations

import math

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import COMPLEX
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import special_calls as p
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.basic import cast, zero_like
from facula.operators.movement import _view
from facula.operators.operator import Operand, operator
from facula.operators.pointwise import sgn
from facula.operators.precision import narrowed, widened
from facula.operators.reduction import _sum
from facula.operators.rename import renamed
from facula.operators.transcendental import _polygamma, digamma, erfc, exp, lgamma, log, log1p

_HALVES = (dtypes.float16, dtypes.bfloat16)


def _real(name, x, halves):
    """A real floating operand; integers become default floats."""
    own = x._value.spec.dtype
    if own.category == COMPLEX or (own in _HALVES and not halves):
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{own.legacy}'")
    return kit.as_dtype(x, kit.floating(own))


def _function(name, primitive, rule, node, doc, halves=False):
    """An operator that applies one primitive to one real tensor."""

    def body(input):
        return kit.bind(primitive, _real(name, input, halves))

    renamed(body, f"special_{name}", doc)
    if rule is None:
        return operator(body, name=node, differentiable=False)
    return operator(body, name=node, derivative={"input": rule})


def _i1_over_x(i1_of_x, x):
    """I1(x) / x, 1/2 at 0."""
    zero = x == 0
    return _select(zero, zero_like(x) + 0.5, i1_of_x / _select(zero, zero_like(x) + 1, x))


special_erfcx = _function(
    "erfcx", p.erfcx, lambda g, input, out: g * (2 * input * out - 2 / math.sqrt(math.pi)),
    "SpecialErfcx", "``exp(x^2) erfc(x)``, which does not underflow.",
)  # fmt: skip
special_log_ndtr = _function(
    "log_ndtr", p.log_ndtr,
    lambda g, input: g * math.sqrt(2 / math.pi) / special_erfcx(input * -math.sqrt(0.5)),
    "SpecialLogNdtr", "Logarithm of the standard normal distribution function.",
)  # fmt: skip
special_ndtri = _function(
    "ndtri", p.ndtri, lambda g, out: g * math.sqrt(2 * math.pi) * exp(out * out * 0.5),
    "SpecialNdtri", "The number below which a standard normal one lies with this probability.",
)  # fmt: skip
special_i0 = _function(
    "i0", p.i0, lambda g, input: g * special_i1(input), "I0",
    "Modified Bessel function of the first kind, order 0.", True,
)  # fmt: skip
special_i0e = _function(
    "i0e", p.i0e, lambda g, input, out: g * (special_i1e(input) - sgn(input) * out),
    "SpecialI0E", "``exp(-|x|) i0(x)``.", True,
)  # fmt: skip
special_i1 = _function(
    "i1", p.i1, lambda g, input, out: g * (special_i0(input) - _i1_over_x(out, input)),
    "SpecialI1", "Modified Bessel function of the first kind, order 1.", True,
)  # fmt: skip
special_i1e = _function(
    "i1e", p.i1e,
    lambda g, input, out: g * (special_i0e(input) - out * sgn(input) - _i1_over_x(out, input)),
    "SpecialI1E", "``exp(-|x|) i1(x)``.", True,
)  # fmt: skip
special_bessel_j0 = _function("bessel_j0", p.bessel_j0, None, None, "Bessel function J0.")
special_bessel_j1 = _function("bessel_j1", p.bessel_j1, None, None, "Bessel function J1.")
special_bessel_y0 = _function("bessel_y0", p.bessel_y0, None, None, "Bessel function Y0.")
special_bessel_y1 = _function("bessel_y1", p.bessel_y1, None, None, "Bessel function Y1.")
special_modified_bessel_i0 = _function(
    "modified_bessel_i0", p.i0, None, None, "Modified Bessel function I0, without a gradient."
)
special_modified_bessel_i1 = _function(
    "modified_bessel_i1", p.i1, None, None, "Modified Bessel function I1, without a gradient."
)


def i0(input):
    """Modified Bessel function of the first kind, order 0."""
    return special_i0(input)


def _entr_grad(g, input):
    return g * (-log(input) - 1)


@operator(name="SpecialEntr", derivative={"input": _entr_grad})
def special_entr(input):
    """``-x log(x)``: 0 at 0, -inf below."""
    x = _real("entr", input, True)
    own = x._value.spec.dtype
    zero = kit.number(0, own)
    product = kit.bind(e.neg, kit.bind(e.mul, x, kit.bind(e.log, x)))
    out = kit.bind(e.select, kit.bind(e.equal, x, zero), zero, product)
    return kit.bind(e.select, kit.bind(e.less, x, zero), kit.number(-math.inf, own), out)


def special_ndtr(input):
    """The standard normal distribution function.

    >>> import facula as torch
    >>> torch.special.ndtr(torch.tensor([0.0]))
    tensor([0.5000])
    """
    return erfc(input * -math.sqrt(0.5)) * 0.5


def _xlog1py_self(g, input, other):
    return _select((input == 0) & (other <= -1), zero_like(g), g * log1p(other))


@operator(
    name="SpecialXlog1Py",
    derivative={
        "input": _xlog1py_self,
        "other": lambda g, input, other: g * (input / (other + 1)),
    },
)
def _xlog1py(input: Operand, other: Operand):
    a, b = kit.promoted(input, other, to_float=True)
    zero = kit.number(0, a._value.spec.dtype)
    product = kit.bind(e.mul, a, kit.bind(e.log1p, b))
    out = kit.bind(e.select, kit.bind(e.equal, a, zero), zero, product)
    return kit.bind(e.select, kit.bind(e.is_nan, b), b, out)


def special_xlog1py(input, other):
    """``input * log1p(other)``, 0 where input is 0."""
    return _xlog1py(input, other)


# Gamma functions --------------------------------------------------------------------------------


def polygamma(n, input):
    """The n-th derivative of ``digamma``; n = 0 is digamma itself."""
    if not isinstance(n, (int, np.integer)):  # the method has the tensor first
        n, input = input, n
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return digamma(input) if n == 0 else _polygamma(int(n), input)


@operator(name="Mvlgamma")
def _mvlgamma(input, p: int):
    own = kit.floating(input._value.spec.dtype)
    x = cast(input, own)
    shape = x._value.spec.shape
    steps = kit.table(np.arange(p) * -0.5, own)
    terms = lgamma(_view(x, (*shape, 1)) + steps)
    return _sum(terms, (-1,), False, None) + p * (p - 1) / 4 * math.log(math.pi)


def mvlgamma(input, p):
    """The logarithm of the multivariate gamma function of dimension ``p``."""
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    return _mvlgamma(input, int(p))


def _no_derivative(name, parameter):
    def rule(g):
        raise RuntimeError(f"the derivative for '{parameter}' of {name} is not implemented.")

    return rule


def _gamma_density(g, input, other):
    """d/dx of the regularised lower function: x^(a-1) exp(-x) / gamma(a)."""
    return g * exp((input - 1) * log(other) - other - lgamma(input))


def _incomplete(name, primitive, node, sign, doc):
    def body(input, other):
        a, b = kit.promoted(input, other)
        a, b = [_real(name, x, True) for x in (a, b)]
        return narrowed(kit.bind(primitive, widened(a), widened(b)), a._value.spec.dtype)

    return operator(
        renamed(body, name, doc),
        name=node,
        derivative={
            "input": _no_derivative(name, "input"),
            "other": lambda g, input, other: _gamma_density(g, input, other) * sign,
        },
    )


_igamma = _incomplete("igamma", p.igamma, "Igamma", 1.0, "P(a, x).")
_igammac = _incomplete("igammac", p.igammac, "Igammac", -1.0, "Q(a, x).")


def igamma(input, other):
    """The regularised lower incomplete gamma function P(input, other)."""
    return _igamma(input, other)


def igammac(input, other):
    """The regularised upper incomplete gamma function Q(input, other) = 1 - P."""
    return _igammac(input, other)


def _zeta_name(specs, template):
    weak = [s.weak for s in specs]
    return f"SpecialZetaBackward{1 if weak[0] else 2 if weak[1] else 0}"


@operator(
    derivative={
        "input": _no_derivative("zeta", "self"),
        "other": lambda g, input, other: g * -input * _zeta(input + 1, other),
    }
)
def _zeta(input: Operand, other: Operand):
    a, b = kit.promoted(input, other, to_float=True)
    return kit.bind(p.zeta, _real("zeta", a, False), _real("zeta", b, False))


_zeta.name = _zeta_name


def special_zeta(input, other):
    """The Hurwitz zeta function: the sum of (k + other)^-input over k >= 0."""
    return _zeta(input, other)


NAMESPACES = {
    "torch": ["i0", "polygamma", "mvlgamma", "igamma", "igammac"],
    "method": ["i0", "polygamma", "mvlgamma", "igamma", "igammac"],
    "inplace": ["i0", "mvlgamma", "igamma", "igammac"],
}
