"""From the arguments of a call to the kind of call it is: the key that every operation needs."""

from __future__ import annotations

from facula.autograd.modes import modes
from facula.graph.spec import WEAK_FLOAT
from facula.operators.arguments import (
    FOREIGN,
    INTEGRAL,
    SEQUENCE,
    STATIC,
    TENSOR,
    enter_sequence,
    from_numpy_scalar,
    kind_of,
    kinds,
    plain_scalar,
    type_names,
)
from facula.runtime.value import Value

_new = object.__new__


def float_value(number: float) -> Value:
    """A float as an input of the program."""
    value = _new(Value)  # what Value() does, without its call
    value.spec = WEAK_FLOAT
    value.buffer = number
    value.epoch = value.position = -1
    return value


def general(operator, args, sync=True):
    """The Call for these arguments, the values of its operands, and their tensors."""
    values: list[Value] = []
    tensors: list = []
    key: list = []
    needs = 0
    for argument, role in zip(args, operator.roles):  # strict= costs time here
        cls = argument.__class__
        try:
            kind = kinds[cls]
        except KeyError:
            kind = kind_of(cls)
        if kind == TENSOR:
            if argument._alias is not None and sync:
                argument._sync()
            if argument._node is not None:
                needs |= 1 << len(values)
            value = argument._value
            key.append(value.spec)
            values.append(value)
            tensors.append(argument)
        elif kind == STATIC or (kind == INTEGRAL and not role):
            key.append(argument)
        elif kind == SEQUENCE:
            if cls is tuple and not role and (not argument or argument[0].__class__ is int):
                key.append(argument)  # sizes, strides: nearly all there are
                continue
            needs |= enter_sequence(argument, role, key, values, tensors)
        elif kind == FOREIGN:
            return general(operator, [from_numpy_scalar(a) for a in args])
        else:
            value = float_value(argument) if cls is float else plain_scalar(argument)
            key.append(value.spec)
            values.append(value)
            tensors.append(None)
    if needs and not (modes.grad and operator.differentiable):
        needs = 0
    key.append(needs)
    try:
        call = operator.cache.get(tuple(key))
    except TypeError:
        raise TypeError(
            f"{operator.__name__}(): unsupported argument in {type_names(args)}"
        ) from None
    if call is None:
        call = operator.cache.put(tuple(key), operator.prepare(args, values, needs))
    return call, values, tensors
