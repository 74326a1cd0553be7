"""The dtypes of tensors and PyTorch's rules for promoting them."""

from __future__ import annotations

import numpy as np

# Categories in order of promotion: a value of a higher category wins over a lower one.
BOOL, INTEGER, FLOAT, COMPLEX = range(4)


class dtype:
    """The element type of a tensor; compared by identity, printed as PyTorch prints it.

    ``numpy`` is the type the reference engine computes and stores with. bfloat16 has no NumPy
    type: its values are kept in float32 arrays whose elements are all representable in bfloat16.
    """

    __module__ = "facula"  # its public place, and what type() shows

    __slots__ = ("category", "digits", "is_signed", "itemsize", "legacy", "name", "numpy")

    def __init__(self, name: str, numpy: type, category: int, itemsize: int, legacy: str, digits=0):
        self.name = name
        self.numpy = np.dtype(numpy)
        self.category = category
        self.itemsize = itemsize
        self.legacy = legacy  # the name in torch.FloatTensor and in "expected scalar type Float"
        self.digits = digits  # for floats: bits of precision, used to order float types
        self.is_signed = name[0] not in "ub" or name == "bfloat16"

    @property
    def is_floating_point(self) -> bool:
        return self.category == FLOAT

    @property
    def is_complex(self) -> bool:
        return self.category == COMPLEX

    def to_real(self) -> dtype:
        return {complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self) -> dtype:
        return {float64: complex128, complex128: complex128}.get(self, complex64)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self):
        return (by_name, (self.name,))

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


float32 = dtype("float32", np.float32, FLOAT, 4, "Float", 24)
float64 = dtype("float64", np.float64, FLOAT, 8, "Double", 53)
float16 = dtype("float16", np.float16, FLOAT, 2, "Half", 11)
bfloat16 = dtype("bfloat16", np.float32, FLOAT, 2, "BFloat16", 8)
uint8 = dtype("uint8", np.uint8, INTEGER, 1, "Byte")
uint16 = dtype("uint16", np.uint16, INTEGER, 2, "UInt16")
uint32 = dtype("uint32", np.uint32, INTEGER, 4, "UInt32")
uint64 = dtype("uint64", np.uint64, INTEGER, 8, "UInt64")
int8 = dtype("int8", np.int8, INTEGER, 1, "Char")
int16 = dtype("int16", np.int16, INTEGER, 2, "Short")
int32 = dtype("int32", np.int32, INTEGER, 4, "Int")
int64 = dtype("int64", np.int64, INTEGER, 8, "Long")
bool_ = dtype("bool", np.bool_, BOOL, 1, "Bool")
complex64 = dtype("complex64", np.complex64, COMPLEX, 8, "ComplexFloat")
complex128 = dtype("complex128", np.complex128, COMPLEX, 16, "ComplexDouble")

ALL = (
    float32, float64, float16, bfloat16, uint8, uint16, uint32, uint64,
    int8, int16, int32, int64, bool_, complex64, complex128,
)  # fmt: skip
_BY_NAME = {d.name: d for d in ALL}
_BY_NUMPY = {d.numpy: d for d in ALL if d is not bfloat16}


def by_name(name: str) -> dtype:
    """The dtype called ``name`` ("float32", "bool", ...)."""
    return _BY_NAME[name]


def from_numpy(numpy_dtype) -> dtype:
    """The dtype of a NumPy array's elements; TypeError when tensors have no such type."""
    found = _BY_NUMPY.get(np.dtype(numpy_dtype).newbyteorder("="))
    if found is None:
        raise TypeError(
            f"can't convert np.ndarray of type numpy.{np.dtype(numpy_dtype)}. The only supported "
            "types are: float64, float32, float16, complex64, complex128, int64, int32, int16, "
            "int8, uint64, uint32, uint16, uint8, and bool."
        )
    return found


class _Defaults:
    """The default floating dtype (``torch.set_default_dtype``)."""

    __slots__ = ("floating",)

    def __init__(self):
        self.floating = float32


defaults = _Defaults()


def default_float() -> dtype:
    """The dtype given to Python floats and to factory functions without ``dtype=``."""
    return defaults.floating


def _integer_promotion(a: dtype, b: dtype) -> dtype:
    if a.is_signed == b.is_signed:
        return a if a.itemsize >= b.itemsize else b
    unsigned, signed = (a, b) if b.is_signed else (b, a)
    if unsigned.itemsize < signed.itemsize:
        return signed
    if unsigned is not uint8:
        raise RuntimeError(
            "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
            f"{a.legacy} and {b.legacy}"
        )
    return int16


_promoted: dict[tuple[dtype, dtype], dtype] = {}


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that both convert to without leaving their category's rules.

    >>> import facula as torch
    >>> torch.promote_types(torch.int32, torch.float16)
    torch.float16
    """
    if type1 is type2:
        return type1
    found = _promoted.get((type1, type2))
    if found is None:
        found = _promoted[(type1, type2)] = _promote(type1, type2)
    return found


def _promote(a: dtype, b: dtype) -> dtype:
    if a.category < b.category:
        a, b = b, a
    if a.category != b.category:
        if a.category == COMPLEX and b is float64:
            return complex128
        return a
    if a.category == INTEGER:
        return _integer_promotion(a, b)
    if a.category == FLOAT and a.itemsize == b.itemsize:  # float16 with bfloat16
        return float32
    return a if a.itemsize >= b.itemsize else b


def combine_categories(higher: dtype | None, lower: dtype | None) -> dtype | None:
    """Result of operands of two ranks (with dimensions, 0-d, Python numbers).

    The lower rank only matters when its category is higher (PyTorch, "Type Promotion").
    """
    if lower is None:
        return higher
    if higher is None:
        return lower
    if higher.category >= FLOAT:
        if lower.category == COMPLEX and higher.category == FLOAT:
            return higher.to_complex()
        return higher
    if higher.category == BOOL or lower.category >= FLOAT:
        return promote_types(higher, lower)
    return higher


_PYTHON = {float: float64, int: int64, bool: bool_, complex: complex128}


def meant(given):
    """What ``dtype=`` stands for: a dtype, None, or the dtype of a Python type such as float."""
    if given.__class__ is not type:
        return given
    if given not in _PYTHON:
        raise TypeError(f"argument 'dtype' must be torch.dtype, not {given.__name__}")
    return _PYTHON[given]


def python_scalar_dtype(value) -> dtype:
    """The dtype a Python number has on its own: bool, int64, default float or complex."""
    if isinstance(value, bool):
        return bool_
    if isinstance(value, int):
        return int64
    if isinstance(value, float):
        return defaults.floating
    if isinstance(value, complex):
        return defaults.floating.to_complex()
    raise TypeError(f"expected a Python number, got {type(value).__name__}")


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether values may be converted without lowering their category."""
    if from_.category > to.category:
        return False
    return not (
        from_.category == INTEGER and to.category == INTEGER and from_.is_signed > to.is_signed
    )
