"""Elementwise primitives: each result element depends on one element of each operand."""

from __future__ import annotations

import math

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import BOOL, COMPLEX, FLOAT, INTEGER
from facula.graph.primitive import Primitive, register
from facula.graph.primitives import kinds, special
from facula.graph.spec import Spec, spec

FLOATS = frozenset((FLOAT, COMPLEX))
REALS = frozenset((FLOAT,))
ORDERED = frozenset((BOOL, INTEGER, FLOAT))
INTEGERS = frozenset((BOOL, INTEGER))
NUMERIC = frozenset((INTEGER, FLOAT, COMPLEX))
ALL = frozenset((BOOL, INTEGER, FLOAT, COMPLEX))


def _elementwise(name, arity, reference, categories, domain=(-3.0, 3.0), result=None):
    """One record: ``reference`` is the NumPy function, ``domain`` where tests draw samples."""
    return register(
        Primitive(
            name,
            "elementwise",
            infer=kinds.elementwise(name, result),
            reference=lambda params, *arrays: reference(*arrays),
            categories=categories,
            arity=arity,
            domain=domain,
        )
    )


def unary(name, reference, categories=FLOATS, domain=(-3.0, 3.0), result=None):
    return _elementwise(name, 1, reference, categories, domain, result)


def binary(name, reference, categories=NUMERIC, domain=(-3.0, 3.0), result=None):
    return _elementwise(name, 2, reference, categories, domain, result)


def _rsqrt(x):
    return (1 / np.sqrt(x)).astype(x.dtype)


def _sign(x):
    if x.dtype.kind == "c":
        size = np.abs(x)
        return np.where(size == 0, 0, x / np.where(size == 0, 1, size)).astype(x.dtype)
    return np.where(x == x, np.sign(x), 0).astype(x.dtype)  # NaN has none


def _power(x, y):
    """Powers the way PyTorch's kernel computes them: small whole exponents by multiplying."""
    if np.ndim(y) == 0 and x.dtype.kind == "f":
        exponent = float(y)
        if exponent == 2:
            return x * x
        if exponent == 3:
            return x * x * x
        if exponent == 0.5:
            return np.sqrt(x)
        if exponent == -1:
            return 1 / x
        if exponent == -2:
            return 1 / (x * x)
    if x.dtype.kind in "iu":
        if x.dtype.kind == "i" and np.any(y < 0):
            whole = np.power(x, np.where(y < 0, 0, y))
            odd = np.where(y % 2 == 0, 1, x)
            return np.where(y < 0, np.where(x == 1, 1, np.where(x == -1, odd, 0)), whole).astype(
                x.dtype
            )
        return np.power(x, y)
    return np.power(x, y)


def _floor_divide(a, b):
    """PyTorch's floor division: NumPy's, but x // 0 stays an infinity."""
    if a.dtype.kind != "f":
        return np.floor_divide(a, b)
    wide = a.astype(np.float32) if a.dtype == np.float16 else a
    low = b.astype(np.float32) if b.dtype == np.float16 else b
    return np.where(low == 0, wide / low, np.floor_divide(wide, low)).astype(a.dtype)


def _remainder(a, b):
    out = np.remainder(a, b)
    if out.dtype.kind != "f":
        return out
    return np.where(out == 0, np.copysign(out, a), out)  # NumPy gives zeros the divisor's sign


# Arithmetic
add = binary("add", np.add, ALL)
sub = binary("sub", np.subtract, NUMERIC)
mul = binary("mul", np.multiply, ALL)
div = binary("div", np.true_divide, FLOATS, (0.5, 3.0))
floor_div = binary("floor_div", _floor_divide, frozenset((INTEGER, FLOAT)), (0.5, 5.0))
remainder = binary("remainder", _remainder, frozenset((INTEGER, FLOAT)), (0.5, 5.0))
fmod = binary("fmod", np.fmod, frozenset((INTEGER, FLOAT)), (0.5, 5.0))
power = binary("power", _power, NUMERIC, (0.5, 3.0))
atan2 = binary("atan2", np.arctan2, REALS)
maximum = binary("maximum", np.maximum, ORDERED)
minimum = binary("minimum", np.minimum, ORDERED)
next_after = binary("next_after", np.nextafter, REALS)
copysign = binary("copysign", np.copysign, REALS)
gcd = binary("gcd", np.gcd, frozenset((INTEGER,)), (1, 30))
neg = unary("neg", np.negative, NUMERIC)
absolute = unary("abs", np.abs, frozenset((INTEGER, FLOAT)))
sign = unary("sign", _sign, NUMERIC)

# Rounding
floor = unary("floor", np.floor, REALS)
ceil = unary("ceil", np.ceil, REALS)
round_even = unary("round", np.rint, REALS)
trunc = unary("trunc", np.trunc, REALS)

# Exponentials, roots, trigonometry
exp = unary("exp", np.exp)
exp2 = unary("exp2", np.exp2)
expm1 = unary("expm1", np.expm1)
log = unary("log", np.log, domain=(0.1, 5.0))
log2 = unary("log2", np.log2, domain=(0.1, 5.0))
log10 = unary("log10", np.log10, domain=(0.1, 5.0))
log1p = unary("log1p", np.log1p, domain=(-0.9, 5.0))
sqrt = unary("sqrt", np.sqrt, domain=(0.0, 5.0))
rsqrt = unary("rsqrt", _rsqrt, domain=(0.1, 5.0))
sin = unary("sin", np.sin)
cos = unary("cos", np.cos)
tan = unary("tan", np.tan, domain=(-1.4, 1.4))
asin = unary("asin", np.arcsin, domain=(-0.9, 0.9))
acos = unary("acos", np.arccos, domain=(-0.9, 0.9))
atan = unary("atan", np.arctan)
sinh = unary("sinh", np.sinh)
cosh = unary("cosh", np.cosh)
tanh = unary("tanh", np.tanh)
asinh = unary("asinh", np.arcsinh)
acosh = unary("acosh", np.arccosh, domain=(1.1, 5.0))
atanh = unary("atanh", np.arctanh, domain=(-0.9, 0.9))
erf = unary("erf", special.erf, REALS)
erfc = unary("erfc", special.erfc, REALS)
erfinv = unary("erfinv", special.erfinv, REALS, (-0.95, 0.95))
lgamma = unary("lgamma", special.lgamma, REALS, (0.2, 5.0))
digamma = unary("digamma", special.digamma, REALS, (0.2, 5.0))

# Comparisons and logic
equal = binary("equal", np.equal, ALL, result=dtypes.bool_)
less = binary("less", np.less, ORDERED, result=dtypes.bool_)
less_equal = binary("less_equal", np.less_equal, ORDERED, result=dtypes.bool_)
is_nan = unary("is_nan", np.isnan, FLOATS, result=dtypes.bool_)
bit_and = binary("bit_and", np.bitwise_and, INTEGERS)
bit_or = binary("bit_or", np.bitwise_or, INTEGERS)
bit_xor = binary("bit_xor", np.bitwise_xor, INTEGERS)
bit_not = unary("bit_not", np.invert, INTEGERS)
shift_left = binary("shift_left", np.left_shift, frozenset((INTEGER,)), (0, 3))
shift_right = binary("shift_right", np.right_shift, frozenset((INTEGER,)), (0, 3))


_BITS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


def _choose(params, condition, a, b):
    """np.where; large floats by their bits, which saves the branch for each element."""
    bits = _BITS.get(getattr(a, "dtype", None))
    if bits is None or not isinstance(b, (np.ndarray, np.generic)) or np.size(condition) < 4096:
        return np.where(condition, a, b)
    mask = condition.astype(bits)
    x, y = a.view(bits), b.view(bits)
    if not x.ndim and not x and y.shape == mask.shape:  # zero, or what the mask has no bit of
        mask -= 1
        mask &= y
        return mask.view(a.dtype)
    np.negative(mask, out=mask)
    found = x ^ y
    if found.shape == mask.shape:
        found &= mask
        found ^= y
    else:
        found = (found & mask) ^ y
    return found.view(a.dtype)


def _infer_select(specs, params) -> Spec:
    condition, *branches = specs
    if condition.dtype is not dtypes.bool_:
        raise kinds.RuleError(f"select: the condition must be bool, got {condition}")
    own = kinds.same_dtype("select", branches)
    return spec(kinds.broadcast_shapes("select", *[s.shape for s in specs]), own)


select = register(
    Primitive(
        "select",
        "elementwise",
        infer=_infer_select,
        reference=_choose,
        arity=3,
        doc="Elements of the second operand where the first is true, else of the third.",
    )
)


def _cast(params, x):
    """Conversion as C does it: floats to integers truncate; complex drops its imaginary part."""
    to = params["dtype"]
    if isinstance(x, (bool, int, float, complex)):
        if isinstance(x, float) and to.category == INTEGER and math.isfinite(x):
            x = int(x)
        if isinstance(x, complex) and to.category < COMPLEX and to is not dtypes.bool_:
            x = x.real
        return np.asarray(x).astype(to.numpy)[()]
    if to.category == INTEGER and x.dtype.kind == "f":
        wide = x.astype(np.int64) if to is not dtypes.uint64 else x
        return wide.astype(to.numpy)
    if x.dtype.kind == "c" and to.category < COMPLEX and to is not dtypes.bool_:
        x = x.real
    return x.astype(to.numpy)


cast = register(
    Primitive(
        "cast",
        "elementwise",
        infer=lambda specs, params: spec(specs[0].shape, params["dtype"]),
        reference=_cast,
        arity=1,
        doc="The same numbers in another dtype.",
    )
)


def _part_spec(specs, params) -> Spec:
    return spec(specs[0].shape, specs[0].dtype.to_real())


def _complex_part(name, reference):
    return register(
        Primitive(
            name,
            "elementwise",
            infer=_part_spec,
            reference=lambda params, z: reference(z),
            categories=frozenset((COMPLEX,)),
            arity=1,
        )
    )


real = _complex_part("real", lambda z: z.real)
imag = _complex_part("imag", lambda z: z.imag)
complex_abs = _complex_part("complex_abs", np.abs)
conj = unary("conj", np.conj, frozenset((COMPLEX,)))
make_complex = register(
    Primitive(
        "make_complex",
        "elementwise",
        infer=lambda specs, params: spec(
            kinds.broadcast_shapes("make_complex", specs[0].shape, specs[1].shape),
            kinds.same_dtype("make_complex", specs).to_complex(),
        ),
        reference=lambda params, re, im: (re + 1j * im).astype(
            np.complex128 if re.dtype == np.float64 else np.complex64
        ),
        categories=REALS,
        arity=2,
    )
)
