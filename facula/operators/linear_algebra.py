"""What the linear algebra operators share: checks, transposes, triangles, and raised failures."""

from __future__ import annotations

import numpy as np

from facula.autograd.handle import wrap
from facula.autograd.modes import modes
from facula.base import dtypes
from facula.base.dtypes import FLOAT
from facula.base.errors import LinAlgError
from facula.graph.spec import spec
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.basic import cast, conj, expand_copy, one_like, zero_like
from facula.operators.contraction import conjugate_transpose as hermitian
from facula.operators.contraction import matmul
from facula.operators.contraction import swapped as swapped
from facula.operators.movement import _view
from facula.operators.rearranging import diag_embed, tril, triu
from facula.operators.strided import diagonal
from facula.runtime.value import Value


def shape_of(x) -> tuple[int, ...]:
    """The shape as a plain tuple."""
    return x._value.spec.shape


def dtype_of(x):
    return x._value.spec.dtype


def is_complex(x) -> bool:
    return dtype_of(x).is_complex


def check_matrix(name: str, x, label: str = "A", low: bool = False) -> None:
    """At least two dimensions and a floating dtype, or PyTorch's message.

    ``low`` allows 16-bit floats.
    """
    if len(shape_of(x)) < 2:
        raise RuntimeError(f"{name}: The input tensor {label} must have at least 2 dimensions.")
    own = dtype_of(x)
    if own.category < FLOAT:
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {own.legacy}"
        )
    if own in (dtypes.float16, dtypes.bfloat16) and not low:
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {own.legacy}")


def check_square(name: str, x, low: bool = False) -> None:
    """A (batch of) square floating matrices, or PyTorch's message."""
    check_matrix(name, x, low=low)
    rows, columns = shape_of(x)[-2:]
    if rows != columns:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {rows} by {columns} "
            "matrices"
        )


def same_dtypes(name: str, a, b) -> None:
    if dtype_of(a) is not dtype_of(b):
        raise RuntimeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type "
            f"{dtype_of(a).legacy} and B of type {dtype_of(b).legacy} instead"
        )


def raise_if_failed(name: str, info, message, error=LinAlgError) -> None:
    """Look at the ``info`` of a host call and raise on the user's line.

    This computes what is pending. Inside a trace nothing is known yet, so nothing is checked.
    ``message`` makes the sentence from the failing matrix's info.
    """
    if modes.trace is not None:
        return
    found = np.asarray(info._buffer())
    if not found.any():
        return
    bad = int(np.flatnonzero(found)[0])
    where = f"(Batch element {bad}): " if found.ndim else ""
    raise error(f"{name}: {where}{message(int(found.reshape(-1)[bad]))}")


def column(x):
    """A factor for the rows: (..., n) as (..., n, 1)."""
    return _view(x, (*shape_of(x), 1))


def row(x):
    """A factor for the columns: (..., n) as (..., 1, n)."""
    shape = shape_of(x)
    return _view(x, (*shape[:-1], 1, shape[-1]))


def diagonal_of(x):
    """The main diagonals of matrices."""
    return diagonal(x, 0, -2, -1)


def halved_tril(x):
    """The lower triangle with the diagonal halved."""
    return tril(x, -1) + diag_embed(diagonal_of(x)) * 0.5


def quotient(a, b):
    """a / b, with 0 wherever a is 0: also at 0 / 0, where nothing depends on the quotient."""
    b = expand_copy(b, shape_of(a)) if shape_of(b) != shape_of(a) else b
    return a / _select(a == 0, ones_as(b), b)


def ones_as(x):
    return zero_like(x) + 1 if modes.trace is None else one_like(x)


def as_complex(x):
    """A real tensor in the complex dtype of its precision."""
    return x if is_complex(x) else cast(x, dtype_of(x).to_complex())


def identity_like(x):
    """The identity matrix in the shape and dtype of square matrices."""
    shape = shape_of(x)
    ones = np.broadcast_to(np.eye(shape[-2], shape[-1], dtype=dtype_of(x).numpy), shape)
    return constant(ones, dtype_of(x))


def constant(array, own):
    """A computed array as a tensor, inside a trace or outside."""
    if modes.trace is not None:
        return kit.table(np.ascontiguousarray(array), own)
    return wrap(Value(spec(array.shape, own), np.ascontiguousarray(array)))


__all__ = [
    "LinAlgError", "as_complex", "check_matrix", "check_square", "column", "conj", "constant",
    "diagonal_of", "dtype_of", "halved_tril", "hermitian", "identity_like", "is_complex", "matmul",
    "quotient", "raise_if_failed", "row", "same_dtypes", "shape_of", "swapped", "tril", "triu",
]  # fmt: skip
NAMESPACES: dict[str, list[str]] = {}
