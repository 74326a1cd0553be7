"""From the arguments of a call to the kind of call it is: the key that every operation needs.

:func:`general` takes any arguments. It is a loop over them, and a good third of what recording an
operation costs; so an operator gets a function of its own, written out for the arguments it was
first called with: two tensors, a tensor and three settings. Other arguments go the general way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import count
from types import FunctionType
from typing import Any

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
    plain_classes,  # noqa: F401 (the lookups that are written out use these three)
    plain_scalar,
    static_classes,  # noqa: F401
    tensor_classes,  # noqa: F401
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


_OFTEN = (16, 256, 4096)


def other(operator, args):
    """The general way, for arguments of other kinds than the operator's own lookup is made for.

    When they keep coming, the operator gets another lookup.
    """
    operator.strange += 1
    if operator.strange in _OFTEN:
        operator.find = specialised(operator, args)
    return general(operator, args)


# Written out -------------------------------------------------------------------------------------

_FAIL = "return other(operator, args)"
_TENSOR = f"""
    if {{a}}.__class__ not in tensor_classes:
        {_FAIL}
    alias = {{a}}._alias
    if alias is not None:
        storage = alias.storage
        if alias.seen != storage.version or storage.array is not None:
            {{a}}._sync()
    if {{a}}._node is not None:
        needs |= {{bit}}
    {{v}} = {{a}}._value"""
_OPERAND = f"""
    if {{a}}.__class__ is float:
        {{v}} = float_value({{a}})
        {{a}} = None
    elif {{a}}.__class__ not in tensor_classes:
        {_FAIL}
    else:
        alias = {{a}}._alias
        if alias is not None:
            storage = alias.storage
            if alias.seen != storage.version or storage.array is not None:
                {{a}}._sync()
        if {{a}}._node is not None:
            needs |= {{bit}}
        {{v}} = {{a}}._value"""
_TUPLE = f"""
    if {{a}}.__class__ is not tuple or ({{a}} and {{a}}[0].__class__ is not int):
        {_FAIL}"""
_STATIC = f"""
    if {{a}}.__class__ not in static_classes:
        {_FAIL}"""
_PLAIN = f"""
    if {{a}}.__class__ not in plain_classes:
        {_FAIL}"""
_PARTS = {"tensor": _TENSOR, "operand": _OPERAND, "tuple": _TUPLE, "static": _STATIC,
          "plain": _PLAIN}  # fmt: skip
_WHOLE = """
def find(operator, args):
    ({arguments},) = args
    needs = 0{parts}
    if needs and not (modes.grad and operator.differentiable):
        needs = 0
    try:
        call = operator.cache.get(({key}, needs))
    except TypeError:
        call = None
    if call is None:
        return general(operator, args)
    return call, [{values}], ({tensors},)
"""


def _part(argument, role) -> str | None:
    """Which text looks at an argument like this one; None if only ``general`` can."""
    kind = kind_of(argument.__class__)
    if kind == TENSOR:
        return "operand" if role else "tensor"
    if argument.__class__ is float:
        return "operand"
    if argument.__class__ is tuple and not role:
        return "tuple" if not argument or argument[0].__class__ is int else None
    if kind == STATIC:
        return "static" if role else "plain"
    return "plain" if kind == INTEGRAL and not role else None


@lru_cache(256)
def _written(parts: tuple[str, ...]) -> Any:
    """The code of a lookup for these kinds of arguments."""
    text, key, values, tensors = "", [], [], []
    bits = count()
    for i, part in enumerate(parts):
        a, v = f"a{i}", f"v{i}"
        operand = part in ("tensor", "operand")
        text += _PARTS[part].format(a=a, v=v, bit=1 << next(bits) if operand else 0)
        key.append(f"{v}.spec" if operand else a)
        if operand:
            values.append(v)
            tensors.append(a)
    whole = _WHOLE.format(
        arguments=", ".join([f"a{i}" for i in range(len(parts))]),
        parts=text,
        key=", ".join(key),
        values=", ".join(values),
        tensors=", ".join(tensors),
    )
    space: dict[str, Any] = {}
    exec(compile(whole, __file__, "exec"), globals(), space)
    return space["find"].__code__


def specialised(operator, args) -> Callable:
    """The lookup for calls of an operator with arguments like these."""
    parts = [_part(a, role) for a, role in zip(args, operator.roles, strict=True)]
    if None in parts or not {"tensor", "operand"} & {*parts} or len(parts) > 12:
        return other
    # A copy for each operator: the interpreter notes in the code which classes it meets there.
    return FunctionType(_written(tuple(parts)).replace(), globals(), "find")


def first(operator, args):
    """Stands for an operator's lookup until its first call."""
    found = general(operator, args)
    operator.find = specialised(operator, args)
    return found
