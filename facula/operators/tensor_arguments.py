"""Functions of two operands that PyTorch refuses for Python numbers, and the refusal."""

from __future__ import annotations

import functools
import inspect

from facula.autograd.handle import TensorBase
from facula.autograd.modes import modes

# Which operands have to be tensors: both, the first, or at least one of them.
BOTH = frozenset(
    """
    atan2 arctan2 maximum minimum fmax fmin logical_and logical_or logical_xor hypot ldexp
    logaddexp logaddexp2 gcd lcm heaviside nextafter igamma igammac isclose polar complex
    """.split()
)
FIRST = frozenset(
    "eq ne lt le gt ge greater greater_equal less less_equal not_equal clamp_min clamp_max "
    "copysign fmod rsub max min".split()
)
ONE = frozenset(
    "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift remainder pow "
    "float_power xlogy".split()
)


def checked(name: str, function):
    """``function``, refusing numbers where PyTorch wants tensors."""
    if name not in BOTH and name not in FIRST and name not in ONE:
        return function
    names = list(inspect.signature(function).parameters)[:2]

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        if modes.trace is None and len(args) >= 2:
            a, b = isinstance(args[0], TensorBase), isinstance(args[1], TensorBase)
            if not (a and b):
                _refuse(name, names, args, a, b)
        return function(*args, **kwargs)

    return wrapped


def _refuse(name, names, args, a, b):
    if any(type(x).__module__ == "numpy" for x in args[:2]):
        return
    if name in BOTH:
        place = 1 if a else 0
        raise TypeError(
            f"{name}(): argument '{names[place]}' (position {place + 1}) must be Tensor, not "
            f"{type(args[place]).__name__}"
        )
    if not a and (name in FIRST or not b):
        kinds = ["Tensor" if isinstance(x, TensorBase) else type(x).__name__ for x in args]
        given = ", ".join(kinds)
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({given}); "
            f"{'the first' if name in FIRST else 'one'} of the operands must be a Tensor"
        )
