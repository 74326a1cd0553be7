"""Helpers of distributions: broadcasting parameters, probabilities and logits, lazy properties."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from facula import operators as ops
from facula import tensors
from facula.autograd.modes import enable_grad
from facula.base import dtypes
from facula.settings import finfo
from facula.tensors import Tensor

euler_constant = 0.57721566490153286060


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape; numbers take the tensors' dtype."""
    if not all(isinstance(v, (Tensor, bool, int, float)) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing "
            "__torch_function__."
        )
    if not all(isinstance(v, Tensor) for v in values):
        dtype = next((v.dtype for v in values if isinstance(v, Tensor)), dtypes.default_float())
        values = tuple(
            [v if isinstance(v, Tensor) else tensors.tensor(v, dtype=dtype) for v in values]
        )
    return tuple(ops.broadcast_tensors(*values))


def standard_normal(shape: Any, dtype: Any) -> Tensor:
    """Standard normal numbers, drawn as PyTorch draws them."""
    return tensors.empty(tuple(shape), dtype=dtype).normal_()


def sum_rightmost(value: Any, dim: int) -> Any:
    """The sum over the last ``dim`` dimensions."""
    if dim == 0 or not isinstance(value, Tensor):
        return value
    return value.reshape(*value.shape[: value.dim() - dim], -1).sum(-1)


_standard_normal, _sum_rightmost = standard_normal, sum_rightmost


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities from log-odds (binary) or from unnormalised log-probabilities."""
    return ops.sigmoid(logits) if is_binary else ops.softmax(logits, -1)


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities kept away from 0 and 1 by the dtype's epsilon."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """The inverse of :func:`logits_to_probs`."""
    clamped = clamp_probs(probs)
    return clamped.log() - (-clamped).log1p() if is_binary else clamped.log()


class lazy_property:
    """A property computed once, when it is first asked for."""

    def __init__(self, wrapped: Callable[[Any], Any]):
        self.wrapped = wrapped
        update_wrapper(self, wrapped)  # type: ignore[arg-type]

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """Vectors as the lower triangles of matrices, row by row."""
    count = vec.shape[-1]
    n = round(
        (-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * count + 4 * abs(diag) * (diag + 1)) ** 0.5)
        / 2
    )
    rows = tensors.tril_indices(n, n, diag)
    places = rows[0] * n + rows[1]
    base = tensors.zeros(*vec.shape[:-1], n * n, dtype=vec.dtype)
    return ops.index_copy(base, -1, places, vec).reshape(*vec.shape[:-1], n, n)


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The lower triangles of matrices as vectors, row by row."""
    n = mat.shape[-1]
    if diag < -n or diag >= n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows = tensors.tril_indices(n, n, diag)
    return mat.reshape(*mat.shape[:-2], n * n)[..., rows[0] * n + rows[1]]
