"""The functions of gates, sigmoid and tanh, in few instructions: within 3 and 5 units in floats.

What is saved beside ``scalars``: results that are no normal numbers, a part of the range with a
formula of its own.
"""

from __future__ import annotations

import numpy as np

from facula.engines.native.scalars.exponentials import LOG2_E, SINGLE, exp
from facula.engines.native.scalars.hyperbolic import tanh as careful_tanh
from facula.engines.native.scalars.lanes import Lanes, at_least, at_most, horner, muladd

# (2^r - 1) / r for |r| <= 1/2: a minimax fit
_EXP2 = (0.000133345617, 0.00133879134, 0.00962544233, 0.0555036627, 0.240225941, 0.693147182)


def _power(x: Lanes, factor: float) -> tuple[Lanes, Lanes]:
    """2^(x * factor), a normal number, as (1 + near) * size: near and size, a power of two."""
    rounded = muladd(x, factor, SINGLE.magic)
    r = muladd(x, factor, SINGLE.magic - rounded)
    r = muladd(x, factor - float(np.float32(factor)), r)  # what a float of the factor lacks
    size = (rounded.bits() << SINGLE.shift) + (SINGLE.bias << SINGLE.shift)
    return horner(r, _EXP2) * r, size.as_float()


def sigmoid(x: Lanes) -> Lanes:
    """1 / (1 + e^-x)."""
    if x.element != "float":
        return 1.0 / (exp(-x) + 1.0)
    near, size = _power(at_least(at_most(x, 87.0), -87.0), -LOG2_E)
    return 1.0 / (muladd(near, size, size) + 1.0)


def tanh(x: Lanes) -> Lanes:
    """(e^2x - 1) / (e^2x + 1), of which the numerator is computed without cancellation."""
    if x.element != "float":
        return careful_tanh(x)
    near, size = _power(at_least(at_most(x, 10.0), -10.0), 2 * LOG2_E)
    less_one = muladd(near, size, size - 1.0)
    return less_one / (less_one + 2.0)
