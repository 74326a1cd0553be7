"""Tensors from nothing: zeros, ranges, Python data."""

from __future__ import annotations

import functools
import math
import warnings
from typing import Any

import numpy as np

from facula.autograd.handle import TensorBase
from facula.autograd.node import AccumulateGrad
from facula.base import devices, dtypes
from facula.operators.basic import full as _full
from facula.operators.basic import identity
from facula.operators.out_argument import fill_out
from facula.operators.placement import check_number
from facula.tensors.build import adopt, to_array
from facula.tensors.numbers import from_numbers
from facula.tensors.sharing import from_numpy


def finish(tensor, device=None, requires_grad=False):
    """Apply the arguments that all factory functions share."""
    if device is not None:
        devices.usable(device)
    if requires_grad:
        set_requires_grad(tensor, True)
    return tensor


def taking_out(function):
    """``function``, a factory with a dtype, whose result goes into ``out`` if that is given."""

    @functools.wraps(function)
    def made(*args, out=None, **named):
        if named.get("dtype").__class__ is type:
            named["dtype"] = dtypes.meant(named["dtype"])
        if out is None:
            return function(*args, **named)
        own = _of_out(out, named.get("dtype"))
        return fill_out(out, function(*args, **{**named, "dtype": own}))

    return made


def _of_out(out, wanted):
    """The dtype of ``out``, which ``dtype=`` may only repeat."""
    own, wanted = out._value.spec.dtype, dtypes.meant(wanted)
    if wanted is not None and wanted is not own:
        raise RuntimeError(
            f"dtype {wanted.legacy} does not match dtype of out parameter ({own.legacy})"
        )
    return own


def set_requires_grad(tensor, wanted: bool) -> None:
    """Make a leaf ask for gradients, or stop asking."""
    own = tensor._value.spec.dtype
    node = tensor._node
    if node is not None and not isinstance(node, AccumulateGrad):
        if not wanted:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a "
                "computed variable in a subgraph that doesn't require differentiation use "
                "var_no_grad = var.detach()."
            )
        return
    if not wanted:
        if node is not None and (node.hooks or node.post_accumulate):
            tensor.__dict__["_frozen_leaf"] = node  # its hooks count again when it is thawed
        tensor._node = None
    elif node is None:
        if own.category < dtypes.FLOAT:
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients"
            )
        tensor._node = tensor.__dict__.pop("_frozen_leaf", None) or AccumulateGrad(tensor)
        tensor._nr = 0


def _is_sequence(value: Any) -> bool:
    if isinstance(value, TensorBase):
        return value._value.spec.ndim > 0
    return not isinstance(value, (int, np.integer)) and hasattr(value, "__iter__")


def size_of(args: tuple, size: Any = None) -> tuple[int, ...]:
    """The size from ``f(2, 3)``, ``f((2, 3))`` or ``f(size=(2, 3))``."""
    if size is not None:
        args = (size,)
    if len(args) == 1 and _is_sequence(args[0]):
        args = tuple(args[0])
    found = []
    for n in args:
        if isinstance(n, bool) or not hasattr(n, "__index__"):
            raise TypeError(f"expected a size made of ints, got {type(n).__name__} in {args}")
        n = n.__index__()
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(args)}")
        found.append(n)
    if len(found) > 1 and math.prod(found) >> 60:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={found}")
    return tuple(found)


def _filled(value, size, dtype, device, requires_grad):
    own = dtypes.meant(dtype) or dtypes.default_float()
    return finish(_full(size, value, own), device, requires_grad)


def zeros(
    *size,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
    **named,
):
    """A tensor of zeros.

    >>> import facula as torch
    >>> torch.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    if out is not None:
        dtype = _of_out(out, dtype)
    made = _filled(0.0, size_of(size, named.pop("size", None)), dtype, device, requires_grad)
    return made if out is None else fill_out(out, made)


def ones(
    *size,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
    **named,
):
    """A tensor of ones."""
    if out is not None:
        dtype = _of_out(out, dtype)
    made = _filled(1.0, size_of(size, named.pop("size", None)), dtype, device, requires_grad)
    return made if out is None else fill_out(out, made)


def empty(
    *size, out=None, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False,
    memory_format=None, **named,
):  # fmt: skip
    """A tensor whose values do not matter; facula fills it with zeros."""
    made = _filled(0.0, size_of(size, named.pop("size", None)), dtype, device, requires_grad)
    return made if out is None else out.resize_(made.shape)


@taking_out
def full(size, fill_value, *, dtype=None, layout=None, device=None, requires_grad=False):
    """A tensor filled with one value; its dtype is the value's unless given."""
    if isinstance(fill_value, TensorBase):
        dtype = dtype or fill_value._value.spec.dtype
        fill_value = fill_value.item()
    if isinstance(fill_value, np.generic):
        fill_value = fill_value.item()
    if not isinstance(fill_value, (bool, int, float, complex)):
        raise TypeError(
            "full(): argument 'fill_value' (position 2) must be Number, not "
            f"{type(fill_value).__name__}"
        )
    own = dtype or dtypes.python_scalar_dtype(fill_value)
    check_number(fill_value, own)
    return finish(_full(size_of((size,)), fill_value, own), device, requires_grad)


def _like(value):
    def make(
        input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None
    ):
        own = input._value.spec
        dtype = dtypes.meant(dtype) or own.dtype
        return finish(_full(own.shape, value, dtype), device, requires_grad)

    return make


zeros_like = _like(0.0)
ones_like = _like(1.0)
empty_like = _like(0.0)


def full_like(
    input,
    fill_value,
    *,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    memory_format=None,
):
    """A tensor of the input's shape and dtype filled with one value."""
    own = input._value.spec
    dtype = dtypes.meant(dtype) or own.dtype
    check_number(fill_value, dtype)
    return finish(_full(own.shape, fill_value, dtype), device, requires_grad)


def empty_strided(
    size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    """An empty tensor with given strides."""
    room = (
        1 + sum([(n - 1) * s for n, s in zip(size, stride, strict=True)]) if math.prod(size) else 0
    )
    made = _filled(0.0, (room,), dtype, device, False).as_strided(size, stride)
    return finish(made.detach(), None, requires_grad)


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor with a copy of the data (numbers, nested sequences, arrays).

    >>> import facula as torch
    >>> torch.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    dtype = dtypes.meant(dtype)
    if isinstance(data, TensorBase):
        own = dtype or data._value.spec.dtype
        made = identity(data.detach()).to(own).detach()
        return finish(made, device, requires_grad)
    array, own = (dtype is None and from_numbers(data)) or to_array(data, dtype)
    return finish(adopt(array, own), device, requires_grad)


def as_tensor(data, dtype=None, device=None):
    """The data as a tensor, sharing memory where no copy is needed."""
    if isinstance(data, TensorBase):
        devices.usable(device)
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray):
        from_ = from_numpy(data)
        return from_ if dtype is None else from_.to(dtype)
    return tensor(data, dtype=dtype, device=device)


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """Like ``as_tensor``; ``copy=True`` always copies, ``copy=False`` never does."""
    if copy is False and isinstance(obj, np.generic):
        raise RuntimeError("can't alias NumPy scalars. Either remove copy=False or transform it.")
    if copy is False and isinstance(obj, (list, tuple)):
        raise ValueError("can't alias arbitrary sequence into a tensor.")
    made = as_tensor(obj, dtype, device)
    if copy is False and isinstance(obj, TensorBase) and made is not obj:
        raise ValueError("can't alias tensor with dtype " + repr(obj.dtype))
    if copy:
        made = made.detach().clone()
    return finish(made, None, requires_grad)


def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False):
    """A 0-d tensor of the default dtype."""
    return tensor(
        s, dtype=dtype or dtypes.default_float(), device=device, requires_grad=requires_grad
    )


def _number(x):
    return x.item() if isinstance(x, (TensorBase, np.generic)) else x


def _bounds(args, named):
    """Start, end and step of a range."""
    names = ("start", "end", "step")
    given = {"end": args[0]} if len(args) == 1 else dict(zip(names, args, strict=False))
    given.update({k: v for k, v in named.items() if k in names})
    return [_number(given.get(n, d)) for n, d in zip(names, (0, None, 1), strict=True)]


def arange(*args, out=None, dtype=None, layout=None, device=None, requires_grad=False, **named):
    """Numbers from start (0) up to, not including, end in steps.

    >>> import facula as torch
    >>> torch.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    if dtype is None and not named and len(args) == 1 and args[0].__class__ is int and args[0] >= 0:
        made = finish(adopt(np.arange(args[0]), dtypes.int64), device, requires_grad)
        return made if out is None else fill_out(out, made)
    start, end, step = _bounds(args, named)
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if any(isinstance(x, float) and not math.isfinite(x) for x in (start, end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    own = dtypes.meant(dtype)
    if own is None:
        whole = all(isinstance(x, int) for x in (start, end, step))
        own = dtypes.int64 if whole else dtypes.default_float()
    count = math.ceil((end - start) / step)
    values = start + np.arange(count) * step
    made = adopt(np.asarray(values).astype(own.numpy), own)
    made = finish(_rounded(made), device, requires_grad)
    return made if out is None else fill_out(out, made)


def _rounded(made):
    """bfloat16 data must be representable; adopting through a cast makes it so."""
    own = made._value.spec.dtype
    if own is not dtypes.bfloat16:
        return made
    array, own = to_array(made._value.buffer, own)
    return adopt(array, own)


@taking_out
def range(start=0, end=None, step=1, *, dtype=None, layout=None, device=None, requires_grad=False):
    """Numbers from start to end, both included (deprecated in PyTorch)."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior "
        "is inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).",
        stacklevel=3,
    )
    if end is None:
        start, end = 0, start
    count = math.floor((end - start) / step) + 1
    own = dtype or dtypes.default_float()
    return finish(
        adopt((start + np.arange(count) * step).astype(own.numpy), own), device, requires_grad
    )


@taking_out
def linspace(start, end, steps, *, dtype=None, layout=None, device=None, requires_grad=False):
    """``steps`` equally spaced numbers from start to end, both included."""
    start, end = _number(start), _number(end)
    own = _of_ends("linspace", start, end, dtype)
    values = _linspace(start, end, steps, own)
    return finish(_rounded(adopt(values, own)), device, requires_grad)


def _of_ends(name, start, end, own):
    """The dtype of numbers between two ends: complex, if an end is."""
    inferred = dtypes.default_float()
    if isinstance(start, complex) or isinstance(end, complex):
        inferred = inferred.to_complex()
    if own is not None and own.category < inferred.category and inferred.is_complex:
        raise RuntimeError(
            f"torch.{name}(): inferred dtype {inferred.legacy} can't be safely cast to passed "
            f"dtype {own.legacy}"
        )
    return own or inferred


def _linspace(start, end, steps, own):
    """From both ends to the middle in the result's precision, as PyTorch computes it."""
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    if own.category < dtypes.FLOAT:
        return np.trunc(np.linspace(start, end, steps)).astype(own.numpy)
    work = np.dtype(np.float32) if own.itemsize == 2 else own.numpy
    if steps == 1:
        return np.asarray([start], work).astype(own.numpy)
    kind = work.type
    first, last = kind(start), kind(end)
    step = (last - first) / kind(max(steps - 1, 1))
    i = np.arange(steps)
    half = steps // 2
    # The product and sum are fused in PyTorch's kernels: form them wider and round once.
    wide = np.complex128 if work.kind == "c" else np.float64 if work == np.float32 else work
    up = (wide.type if isinstance(wide, np.dtype) else wide)(first) + i.astype(wide) * np.asarray(
        step, wide
    )
    down = np.asarray(last, wide) - (steps - 1 - i).astype(wide) * np.asarray(step, wide)
    return np.where(i < half, up, down).astype(work).astype(own.numpy)


@taking_out
def logspace(
    start, end, steps, base=10.0, *, dtype=None, layout=None, device=None, requires_grad=False
):
    """``steps`` numbers from base**start to base**end, equally spaced in the exponent."""
    start, end = _number(start), _number(end)
    own = _of_ends("logspace", start, end, dtype)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    values = np.power(float(base), np.linspace(_number(start), _number(end), steps)).astype(
        own.numpy
    )
    return finish(_rounded(adopt(values, own)), device, requires_grad)


@taking_out
def eye(n, m=None, *, dtype=None, layout=None, device=None, requires_grad=False):
    """The identity matrix, n x m."""
    own = dtype or dtypes.default_float()
    for label, size in (("n", n), ("m", m)):
        if size is not None and size < 0:
            raise RuntimeError(f"{label} must be greater or equal to 0, got {size}")
    return finish(
        adopt(np.eye(n, n if m is None else m).astype(own.numpy), own), device, requires_grad
    )


def tril_indices(row, col, offset=0, *, dtype=None, device=None, layout=None):
    """Row and column numbers of a lower triangle, as a 2 x N tensor."""
    return adopt(np.asarray(np.tril_indices(row, offset, col)), dtypes.meant(dtype) or dtypes.int64)


def triu_indices(row, col, offset=0, *, dtype=None, device=None, layout=None):
    """Row and column numbers of an upper triangle, as a 2 x N tensor."""
    return adopt(np.asarray(np.triu_indices(row, offset, col)), dtypes.meant(dtype) or dtypes.int64)
