"""What operator bodies are written with: binding primitives, casting, promotion, broadcasting."""

from __future__ import annotations

import numpy as np

from facula.autograd.handle import TensorBase, wrap
from facula.autograd.modes import modes
from facula.base import dtypes
from facula.base.caches import Cache
from facula.base.dtypes import COMPLEX, dtype
from facula.graph.primitive import Primitive
from facula.graph.primitives import elementwise, kinds, movement
from facula.graph.spec import WEAK, Spec, spec


def bind(primitive: Primitive, *operands: TensorBase, **params):
    """Apply a primitive inside the running trace; a tuple of tensors if it has several results."""
    trace = modes.trace
    if trace is None:
        raise RuntimeError(f"{primitive.name} can only be applied inside an operator's body")
    if primitive.arity == 1 and COMPLEX not in primitive.categories:
        for t in operands:
            own = t._value.spec.dtype
            if own.category == COMPLEX:
                raise NotImplementedError(
                    f"\"{primitive.name}\" not implemented for '{own.legacy}'"
                )
    node = trace.bind(primitive, tuple([t._value for t in operands]), params)
    if isinstance(node.spec, tuple):
        return tuple([wrap(trace.pick(node, i)) for i in range(len(node.spec))])
    return wrap(node)


_data = Cache(4000)


def number(value, to: dtype):
    """A constant of the program: only for numbers written in a body, never for a user's."""
    key = (repr(value), to)
    data = _data.get(key)
    if data is None:
        data = _data.put(key, movement.Data(np.asarray(value, to.numpy)))
    return bind(movement.constant, data=data, dtype=to)


def table(array: np.ndarray, to: dtype):
    """A constant array of the program (an index table)."""
    key = (array.tobytes(), array.shape, to)
    data = _data.get(key)
    if data is None:
        data = _data.put(key, movement.Data(array.astype(to.numpy)))
    return bind(movement.constant, data=data, dtype=to)


def spec_of(x) -> Spec:
    """Spec of a tensor, or of a Python number as an operand."""
    if isinstance(x, TensorBase):
        return x._value.spec
    if type(x) not in WEAK:
        raise TypeError(f"expected a Tensor or a Number, but got {type(x).__name__}")
    return WEAK[type(x)]


def result_type(*operands) -> dtype:
    """PyTorch's promoted dtype of tensors and Python numbers."""
    dims = zero = weak = None
    for operand in operands:
        own = spec_of(operand)
        found = own.dtype
        if own.weak:
            if found.category == dtypes.FLOAT:
                found = dtypes.default_float()
            elif found.category == dtypes.COMPLEX:
                found = dtypes.default_float().to_complex()
            weak = found if weak is None else dtypes.promote_types(weak, found)
        elif own.ndim == 0:
            zero = found if zero is None else dtypes.promote_types(zero, found)
        else:
            dims = found if dims is None else dtypes.promote_types(dims, found)
    combine = dtypes.combine_categories
    found = combine(dims, combine(zero, weak))
    assert found is not None
    return found


def as_dtype(x, to: dtype):
    """``x`` (tensor or number) in another dtype."""
    if not isinstance(x, TensorBase):
        return number(x, to)
    own = x._value.spec
    if own.dtype is to and not own.weak:
        return x
    return bind(elementwise.cast, x, dtype=to)


def floating(own: dtype) -> dtype:
    """The dtype an operation that needs real numbers computes in: ints become default floats."""
    return own if own.category >= dtypes.FLOAT else dtypes.default_float()


def all_weak(operands) -> bool:
    """Whether every operand is a Python number: then the result is one too, in double precision."""
    return all(spec_of(x).weak for x in operands)


def promoted(*operands, to_float: bool = False) -> list:
    """The operands as tensors of one dtype."""
    if all_weak(operands) and any(isinstance(x, TensorBase) for x in operands):
        return _promoted_weak(operands, to_float)
    to = result_type(*operands)
    if to_float:
        to = floating(to)
    return [as_dtype(x, to) for x in operands]


def _promoted_weak(operands, to_float):
    """Arithmetic between runtime numbers stays Python-like: double precision, still weak."""
    categories = [spec_of(x).dtype for x in operands]
    to = max(categories, key=lambda d: d.category)
    if to_float and to.category < dtypes.FLOAT:
        to = dtypes.float64
    return [_weak(x, to) for x in operands]


def _weak(x, to: dtype):
    if not isinstance(x, TensorBase):
        x = number(x, to)
    elif x._value.spec.dtype is not to:
        x = bind(elementwise.cast, x, dtype=to)
    x._value.spec = spec((), to, True)
    return x


def broadcast_to(x, shape: tuple[int, ...]):
    """``x`` repeated to ``shape``."""
    own = x._value.spec
    if own.shape == shape:
        return x
    return bind(movement.broadcast, x, shape=tuple(shape))


def broadcast_shapes(*operands) -> tuple[int, ...]:
    """The common shape of tensors (numbers have none)."""
    return kinds.broadcast_shapes("broadcast", *[spec_of(x).shape for x in operands])


def full(shape, value, to: dtype):
    """A tensor of one value."""
    return broadcast_to(as_dtype(value, to), tuple(shape))


def reshape(x, shape):
    """The same elements in another shape (no -1)."""
    shape = tuple(shape)
    return x if x._value.spec.shape == shape else bind(movement.reshape, x, shape=shape)


def permute(x, axes):
    axes = tuple(axes)
    return x if axes == tuple(range(len(axes))) else bind(movement.permute, x, axes=axes)


def axis_of(dim: int, ndim: int) -> int:
    """``dim`` counted from the front, with PyTorch's IndexError."""
    low, high = (-ndim, ndim - 1) if ndim else (-1, 0)
    if not low <= dim <= high:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{low}, {high}], but got {dim})"
        )
    return dim + max(ndim, 1) if dim < 0 else dim


def axes_of(dim, ndim: int) -> tuple[int, ...]:
    """``dim`` (None, an int or several) as sorted axes."""
    if dim is None or (isinstance(dim, (tuple, list)) and len(dim) == 0):
        return tuple(range(ndim))
    if isinstance(dim, int):
        axis = axis_of(dim, ndim)
        return (axis,) if ndim else ()
    axes = [axis_of(d, ndim) for d in dim]
    if len(set(axes)) != len(axes):
        repeated = next(a for a in axes if axes.count(a) > 1)
        raise RuntimeError(f"dim {repeated} appears multiple times in the list of dims")
    return tuple(sorted(axes)) if ndim else ()
