"""Arguments of operators: what kind each is, and calls with their operands taken out.

A template is a call's argument list in which slots stand for tensors and runtime numbers.
"""

from __future__ import annotations

from facula.autograd.handle import TensorBase
from facula.runtime.recorder import scalar
from facula.runtime.value import Value

STATIC, TENSOR, FLOATING, INTEGRAL, SEQUENCE, FOREIGN = range(6)


kinds: dict[type, int] = {}  # of the types seen so far; a plain dictionary is quickest to read
tensor_classes: set[type] = set()  # those of them that are tensors,
static_classes: set[type] = set()  # that are never operands,
plain_classes: set[type] = set()  # and the latter with ints, for parameters that take no numbers


def kind_of(cls: type) -> int:
    """How arguments of a type are treated; each type is examined once."""
    kind = kinds.get(cls)
    if kind is None:
        kind = STATIC
        if issubclass(cls, TensorBase):
            kind = TENSOR
        elif issubclass(cls, (bool, int, complex)):
            kind = INTEGRAL
        elif issubclass(cls, float):
            kind = FLOATING
        elif issubclass(cls, (list, tuple)):
            kind = SEQUENCE
        elif cls.__module__ == "numpy" and hasattr(cls, "item"):
            kind = FOREIGN
        kinds[cls] = kind
        if kind == TENSOR:
            tensor_classes.add(cls)
        elif kind == STATIC:
            static_classes.add(cls)
        if kind in (STATIC, INTEGRAL):
            plain_classes.add(cls)
    return kind


class Slot:
    """Stands in a call's argument template for operand number ``index``."""

    __slots__ = ("index",)

    def __init__(self, index: int):
        self.index = index

    def __repr__(self):
        return f"<operand {self.index}>"


def fill(template, operands):
    """The arguments of a call with its operands put in."""
    cls = template.__class__
    if cls is Slot:
        return operands[template.index]
    if cls is list:
        return [fill(t, operands) for t in template]
    return template


def template_of(argument, role, counter, operands=None):
    """An argument with tensors and runtime numbers replaced by slots, in order."""
    kind = kind_of(argument.__class__)
    if kind in (TENSOR, FLOATING) or (kind == INTEGRAL and role):
        if operands is not None:
            operands.append(argument)
        return Slot(next(counter))
    if kind == SEQUENCE and (role or any(isinstance(a, TensorBase) for a in argument)):
        return [template_of(a, role, counter, operands) for a in argument]
    return tuple(argument) if kind == SEQUENCE else argument


def enter_sequence(items, role, key, values, tensors) -> int:
    """Enter a list argument into the key: tensors as operands, anything else as static."""
    needs = 0
    if role:
        key.append(len(items))
        for item in items:
            if item.__class__ is int:  # where a window starts
                value = scalar(item)
            else:
                value = item._value if isinstance(item, TensorBase) else plain_scalar(item)
            key.append(value.spec)
            values.append(value)
            tensors.append(None)
        return 0
    first = items
    while first.__class__ is tuple and first:
        first = first[0]
    if first.__class__ is int and items.__class__ is tuple:
        key.append(items)  # sizes, strides, paddings, also nested: by far the most frequent
        return 0
    if not any(isinstance(item, TensorBase) for item in items):
        key.append(_hashable(items))
        return 0
    key.append(len(items))
    for item in items:
        if isinstance(item, TensorBase):
            item._sync()
            if item._node is not None:
                needs |= 1 << len(values)
            value = item._value
            key.append(value.spec)
            values.append(value)
            tensors.append(item)
        elif item.__class__ is float:
            value = scalar(item)
            key.append(value.spec)
            values.append(value)
            tensors.append(None)
        else:
            key.append(item)
    return needs


def _hashable(items):
    return tuple([_hashable(i) if isinstance(i, (list, tuple)) else i for i in items])


def plain_scalar(number) -> Value:
    """A subclass of a Python number (np.float64, an IntEnum) as the number it is."""
    for cls in (bool, int, float, complex):
        if isinstance(number, cls):
            return scalar(cls(number))
    raise TypeError(f"unsupported number {number!r}")


def from_numpy_scalar(argument):
    """A NumPy scalar as a Python number; arrays are refused with the way to convert them."""
    if kind_of(argument.__class__) != FOREIGN:
        return argument
    if getattr(argument, "ndim", 0):
        raise TypeError(
            "expected a Tensor, got a numpy.ndarray. Convert it with torch.from_numpy(array)"
        )
    return argument.item()


def type_names(args) -> str:
    return "(" + ", ".join(type(a).__name__ for a in args) + ")"
