"""The ``out=`` argument: a result written into a tensor the caller has."""

from __future__ import annotations

import functools

from facula.autograd.handle import TensorBase
from facula.autograd.modes import modes
from facula.operators.inplace import check_writable, write
from facula.operators.operator import Operator


def _fill(out, result):
    """Write ``result`` into ``out``, which is resized if its shape differs; returns ``out``."""
    if not isinstance(out, TensorBase):
        raise TypeError(f"out= must be a Tensor, not {type(out).__name__}")
    if modes.grad and (out._node is not None or result._node is not None):
        raise RuntimeError(
            "functions with out=... arguments don't support automatic differentiation, but one of "
            "the arguments requires grad."
        )
    own, new = out._value.spec, result._value.spec
    if new.dtype.category > own.dtype.category:
        raise RuntimeError(
            f"result type {new.dtype.legacy} can't be cast to the desired output type "
            f"{own.dtype.legacy}"
        )
    if own.shape != new.shape:
        out.resize_(new.shape)
    check_writable(out)
    return write(out, result)


def fill_out(out, result):
    """Write a result, or each of several, into ``out``; returns what the caller gets."""
    if out is None:
        return result
    if isinstance(out, (tuple, list)):
        written = [_fill(o, r) for o, r in zip(out, result, strict=True)]
        return type(result)(written) if isinstance(result, tuple) else written
    return _fill(out, result)


Operator.into = staticmethod(fill_out)


def _refuse_first(function, args, error):
    """A TypeError, if what went wrong is that the first operand is no tensor."""
    if args and not isinstance(args[0], TensorBase) and "_value" in str(error):
        raise TypeError(
            f"{function.__name__}(): argument 'input' (position 1) must be Tensor, not "
            f"{type(args[0]).__name__}"
        ) from None


@functools.cache
def with_out(function):
    """A plain function that also takes ``out=``; operators take it by themselves."""
    if isinstance(function, Operator):
        return function

    @functools.wraps(function, updated=())
    def call(*args, out=None, **kwargs):
        try:
            result = function(*args, **kwargs)
        except AttributeError as error:
            _refuse_first(function, args, error)
            raise
        return result if out is None else fill_out(out, result)

    call.__qualname__ = function.__name__
    return call
