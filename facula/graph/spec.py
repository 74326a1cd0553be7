"""Spec: the shape and dtype of a value; interned, so that equal specs are one object."""

from __future__ import annotations

from math import prod

from facula.base import dtypes
from facula.base.devices import CPU
from facula.base.dtypes import dtype
from facula.base.size import Size


class Spec:
    """Shape and dtype of a value.

    ``weak`` marks a Python number: it has no dimensions and takes part in promotion by category
    only, as in PyTorch. Make specs with :func:`spec`; compare them with ``is``.
    """

    __slots__ = ("dtype", "nbytes", "ndim", "numel", "shape", "size", "weak")
    device = CPU

    def __init__(self, shape: tuple[int, ...], dtype: dtype, weak: bool):
        self.shape = shape
        self.dtype = dtype
        self.weak = weak
        self.size = Size(shape)
        self.ndim = len(shape)
        self.numel = prod(shape)
        self.nbytes = self.numel * dtype.itemsize

    def __repr__(self) -> str:
        name = _SHORT[self.dtype]
        return f"{name}*" if self.weak else f"{name}[{','.join(map(str, self.shape))}]"

    def __reduce__(self):
        return (spec, (self.shape, self.dtype, self.weak))


_SHORT = {
    d: d.name.replace("float", "f").replace("complex", "c").replace("uint", "u").replace("int", "i")
    for d in dtypes.ALL
}
_interned: dict[tuple, Spec] = {}


def spec(shape: tuple[int, ...], dtype: dtype, weak: bool = False) -> Spec:
    """The one Spec of this shape and dtype."""
    key = (shape, dtype, weak)
    found = _interned.get(key)
    if found is None:
        found = _interned.setdefault(key, Spec(tuple(map(int, shape)), dtype, weak))
    return found


WEAK_BOOL = spec((), dtypes.bool_, True)
WEAK_INT = spec((), dtypes.int64, True)
WEAK_FLOAT = spec((), dtypes.float64, True)
WEAK_COMPLEX = spec((), dtypes.complex128, True)
WEAK = {bool: WEAK_BOOL, int: WEAK_INT, float: WEAK_FLOAT, complex: WEAK_COMPLEX}
