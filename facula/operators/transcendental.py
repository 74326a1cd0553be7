"""Exponentials, logarithms, trigonometry and their kin, element by element."""

from __future__ import annotations

import math

from facula.graph.primitives import elementwise as p
from facula.graph.primitives import special_calls
from facula.operators import kit
from facula.operators.arithmetic import _select, maximum, minimum
from facula.operators.basic import conj, one_like
from facula.operators.operator import operator
from facula.operators.precision import narrowed, wide_dtype, widened
from facula.operators.rename import renamed


def unary(name, primitive, rule, node=None, to_float=True, doc=""):
    """An operator that applies one primitive; ``rule`` is its derivative."""

    def body(input):
        own = kit.spec_of(input).dtype
        if to_float:
            input = kit.as_dtype(input, kit.floating(own))
        return kit.bind(primitive, input)

    renamed(body, name, doc)
    return operator(body, name=node, derivative={"input": rule} if rule else None)


def _two_over_root_pi(x):
    return 2 / math.sqrt(math.pi) * exp(-(x * x))


exp = unary("exp", p.exp, lambda g, out: g * conj(out), doc="e to the power of each element.")
exp2 = unary("exp2", p.exp2, lambda g, out: g * conj(out) * math.log(2), doc="2 ** input.")
expm1 = unary(
    "expm1", p.expm1, lambda g, out: g * (conj(out) + 1), doc="exp(input) - 1, accurate near 0."
)
log = unary("log", p.log, lambda g, input: g / conj(input), doc="Natural logarithm.")
log2 = unary(
    "log2", p.log2, lambda g, input: g / (conj(input) * math.log(2)), doc="Logarithm to base 2."
)
log10 = unary(
    "log10", p.log10, lambda g, input: g / (conj(input) * math.log(10)), doc="Logarithm to base 10."
)
log1p = unary(
    "log1p",
    p.log1p,
    lambda g, input: g / conj(input + 1),
    node="Log1P",
    doc="log(1 + input), accurate near 0.",
)
sqrt = unary("sqrt", p.sqrt, lambda g, out: g / (2 * conj(out)), doc="Square root.")
rsqrt = unary(
    "rsqrt", p.rsqrt, lambda g, out: -0.5 * g * conj(out * out * out), doc="1 / sqrt(input)."
)
sin = unary("sin", p.sin, lambda g, input: g * conj(cos(input)), doc="Sine of angles in radians.")
cos = unary(
    "cos", p.cos, lambda g, input: g * -conj(sin(input)), doc="Cosine of angles in radians."
)
tan = unary(
    "tan", p.tan, lambda g, out: g * conj(1 + out * out), doc="Tangent of angles in radians."
)
asin = unary(
    "asin",
    p.asin,
    lambda g, input: g * conj(rsqrt(1 - input * input)),
    doc="Inverse sine, in radians.",
)
acos = unary(
    "acos",
    p.acos,
    lambda g, input: g * -conj(rsqrt(1 - input * input)),
    doc="Inverse cosine, in radians.",
)
atan = unary(
    "atan", p.atan, lambda g, input: g / conj(input * input + 1), doc="Inverse tangent, in radians."
)
sinh = unary("sinh", p.sinh, lambda g, input: g * conj(cosh(input)), doc="Hyperbolic sine.")
cosh = unary("cosh", p.cosh, lambda g, input: g * conj(sinh(input)), doc="Hyperbolic cosine.")
tanh = unary("tanh", p.tanh, lambda g, out: g * conj(1 - out * out), doc="Hyperbolic tangent.")
asinh = unary(
    "asinh",
    p.asinh,
    lambda g, input: g * conj(rsqrt(input * input + 1)),
    doc="Inverse hyperbolic sine.",
)
acosh = unary(
    "acosh",
    p.acosh,
    lambda g, input: g * conj(rsqrt(input - 1) * rsqrt(input + 1)),
    doc="Inverse hyperbolic cosine.",
)
atanh = unary(
    "atanh",
    p.atanh,
    lambda g, input: g / conj(1 - input * input),
    doc="Inverse hyperbolic tangent.",
)
erf = unary("erf", p.erf, lambda g, input: g * _two_over_root_pi(input), doc="The error function.")
erfc = unary("erfc", p.erfc, lambda g, input: -g * _two_over_root_pi(input), doc="1 - erf(input).")
erfinv = unary(
    "erfinv",
    p.erfinv,
    lambda g, out: g * (math.sqrt(math.pi) / 2) * exp(out * out),
    doc="Inverse of erf.",
)
lgamma = unary("lgamma", p.lgamma, lambda g, input: g * digamma(input), doc="log |gamma(input)|.")
digamma = unary(
    "digamma", p.digamma, lambda g, input: g * _polygamma(1, input), doc="Derivative of lgamma."
)


@operator(name="Polygamma", derivative={"input": lambda g, n, input: g * _polygamma(n + 1, input)})
def _polygamma(n: int, input):
    """The n-th derivative of digamma, n >= 1."""
    own = kit.floating(input._value.spec.dtype)
    return kit.bind(special_calls.polygamma, kit.as_dtype(input, own), n=n)


@operator(derivative={"input": lambda g, out: g * conj((1 - out) * out)})
def sigmoid(input):
    """``1 / (1 + exp(-input))``."""
    own = kit.floating(input._value.spec.dtype)
    wide = wide_dtype(own)
    one = kit.number(1, wide)
    grown = kit.bind(p.exp, kit.bind(p.neg, kit.as_dtype(input, wide)))
    return kit.as_dtype(kit.bind(p.div, one, kit.bind(p.add, one, grown)), own)


expit = sigmoid


@operator
def logit(input, eps=None):
    """``log(input / (1 - input))``, the input first limited to [eps, 1 - eps] if given."""
    input = kit.as_dtype(input, kit.floating(input._value.spec.dtype))
    if eps is not None:
        input = minimum(maximum(input, eps), 1 - eps)
    return log(input / (1 - input))


@operator(name="Sinc")
def sinc(input):
    """``sin(pi x) / (pi x)``, 1 at 0."""
    own = kit.floating(input._value.spec.dtype)
    x = widened(kit.as_dtype(input, own)) * math.pi
    safe = _select(x == 0, one_like(x), x)
    return narrowed(_select(x == 0, one_like(x), sin(safe) / safe), own)


arcsin, arccos, arctan, arcsinh, arccosh, arctanh = asin, acos, atan, asinh, acosh, atanh

_NAMES = """
    exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan asin acos atan sinh cosh tanh
    asinh acosh atanh erf erfc erfinv lgamma digamma sigmoid logit sinc arcsin arccos arctan
    arcsinh arccosh arctanh
""".split()
NAMESPACES = {"torch": _NAMES, "method": _NAMES, "inplace": _NAMES}
