"""The table of elementwise primitives: what each computes in LLVM IR, by kind of dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from facula.base import dtypes
from facula.base.dtypes import BOOL, FLOAT, dtype
from facula.engines.native import ir
from facula.engines.native.scalars import (
    arithmetic,
    casts,
    division,
    error_functions,
    exponentials,
    gamma,
    hyperbolic,
    powers,
    trigonometry,
)
from facula.engines.native.scalars.lanes import Lanes, copysign, where
from facula.engines.native.scalars.rounding import to_bfloat16, to_half
from facula.engines.native.scalars.types import has_type

Meaning = Callable[..., Lanes]

FLOATS: dict[str, Meaning] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "floor_div": division.floor_divide,
    "remainder": division.remainder,
    "fmod": division.fmod,
    "power": powers.power,
    "maximum": arithmetic.maximum,
    "minimum": arithmetic.minimum,
    "next_after": arithmetic.next_after,
    "copysign": copysign,
    "neg": lambda x: -x,
    "abs": arithmetic.absolute,
    "sign": arithmetic.sign,
    "floor": lambda x: x.unary("floor"),
    "ceil": lambda x: x.unary("ceil"),
    "round": lambda x: x.unary("roundeven"),
    "trunc": lambda x: x.unary("trunc"),
    "sqrt": lambda x: x.unary("sqrt"),
    "rsqrt": arithmetic.reciprocal_root,
    "exp": exponentials.exp,
    "exp2": exponentials.exp2,
    "expm1": exponentials.expm1,
    "log": exponentials.log,
    "log2": exponentials.log2,
    "log10": exponentials.log10,
    "log1p": exponentials.log1p,
    "tanh": hyperbolic.tanh,
    "sinh": hyperbolic.sinh,
    "cosh": hyperbolic.cosh,
    "asinh": hyperbolic.asinh,
    "acosh": hyperbolic.acosh,
    "atanh": hyperbolic.atanh,
    "sin": trigonometry.sin,
    "cos": trigonometry.cos,
    "tan": trigonometry.tan,
    "asin": trigonometry.asin,
    "acos": trigonometry.acos,
    "atan": trigonometry.atan,
    "atan2": trigonometry.atan2,
    "erf": error_functions.erf,
    "erfc": error_functions.erfc,
    "erfinv": error_functions.erfinv,
    "lgamma": gamma.lgamma,
    "digamma": gamma.digamma,
    "equal": lambda a, b: a.equals(b),
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "is_nan": lambda x: x.is_nan(),
}

# What float16 does in its own way.
HALVES: dict[str, Meaning] = {
    "next_after": arithmetic.next_half,
    "power": powers.power_of_halves,
}

# The first argument says whether the integers have a sign.
INTEGERS: dict[str, Meaning] = {
    "add": lambda signed, a, b: a + b,
    "sub": lambda signed, a, b: a - b,
    "mul": lambda signed, a, b: a * b,
    "floor_div": division.integer_floor_divide,
    "remainder": division.integer_remainder,
    "fmod": division.integer_fmod,
    "gcd": division.gcd,
    "power": arithmetic.integer_power,
    "maximum": arithmetic.larger,
    "minimum": arithmetic.smaller,
    "neg": lambda signed, x: -x,
    "abs": arithmetic.integer_absolute,
    "sign": arithmetic.integer_sign,
    "equal": lambda signed, a, b: a.equals(b),
    "less": arithmetic.less,
    "less_equal": arithmetic.less_equal,
    "bit_and": lambda signed, a, b: a & b,
    "bit_or": lambda signed, a, b: a | b,
    "bit_xor": lambda signed, a, b: a ^ b,
    "bit_not": lambda signed, x: ~x,
    "shift_left": arithmetic.shift_left,
    "shift_right": arithmetic.shift_right,
}

BOOLS: dict[str, Meaning] = {
    "add": lambda a, b: a | b,
    "mul": lambda a, b: a & b,
    "maximum": lambda a, b: a | b,
    "minimum": lambda a, b: a & b,
    "equal": lambda a, b: ~(a ^ b),
    "less": lambda a, b: ~a & b,
    "less_equal": lambda a, b: ~a | b,
    "bit_and": lambda a, b: a & b,
    "bit_or": lambda a, b: a | b,
    "bit_xor": lambda a, b: a ^ b,
    "bit_not": lambda x: ~x,
}


def _meaning(name: str, params: dict[str, Any], types: Sequence[dtype]) -> Meaning | None:
    """The function of lanes that a primitive is for operands of these dtypes."""
    own = types[0]
    if name == "select":
        return where
    if name == "cast":
        return partial(casts.cast, own=own, to=params["dtype"])
    if own.category == FLOAT:
        if own is dtypes.float16 and name in HALVES:
            return HALVES[name]
        return FLOATS.get(name)
    if own.category == BOOL:
        return BOOLS.get(name)
    found = INTEGERS.get(name)
    return partial(found, own.is_signed) if found else None


def supports(
    name: str, params: dict[str, Any], operand_dtypes: Sequence[dtype], result_dtype: dtype
) -> bool:
    """Whether :func:`emit` can compute a primitive; it cannot for complex numbers."""
    types = [*operand_dtypes, result_dtype]
    return all(map(has_type, types)) and _meaning(name, params, operand_dtypes) is not None


def emit(
    f: ir.Function,
    name: str,
    params: dict[str, Any],
    operands: Sequence[ir.Value],
    operand_dtypes: Sequence[dtype],
    result_dtype: dtype,
) -> ir.Value:
    """The value of a primitive for each lane of its operands.

    Operands and result are of the types that registers keep; an operand of one lane goes with
    each lane of the others. Results of 16-bit floats are rounded.
    """
    meaning = _meaning(name, params, operand_dtypes)
    assert meaning is not None, f"{name} of {operand_dtypes[0]} has no meaning here"
    lanes = max([ir.lanes_of(v.type) for v in operands])
    result = meaning(*[Lanes(f, f.splat(v, lanes)) for v in operands])
    if result_dtype is dtypes.bfloat16:
        return to_bfloat16(result).value
    return (to_half(result) if result_dtype is dtypes.float16 else result).value
