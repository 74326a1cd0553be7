"""vmap: a function of one example becomes one of a batch, by calling it for each example.

Semantics are PyTorch's; the calls are recorded one after the other, so for very large batches it is
better to write the function for batches.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from facula import operators as ops
from facula.func.trees import leaves, rebuilt
from facula.tensors import Tensor


def _dims(in_dims: Any, args: tuple) -> list[Any]:
    """The batch dimension of every leaf of the arguments (None: not batched)."""
    if isinstance(in_dims, int):
        return [in_dims if isinstance(x, Tensor) else None for x in leaves(args)]
    if not isinstance(in_dims, (tuple, list)) or len(in_dims) != len(args):
        raise ValueError(
            f"vmap(...)(<inputs>): in_dims is not compatible with the structure of `inputs`: "
            f"{in_dims!r} for {len(args)} inputs"
        )
    found: list[Any] = []
    for dim, arg in zip(in_dims, args, strict=True):
        if dim is None or isinstance(dim, int):
            found += [dim if isinstance(x, Tensor) else None for x in leaves(arg)]
        else:
            found += leaves(dim)
    return found


def _size(flat: list[Any], dims: list[Any]) -> int:
    sizes = {x.shape[d] for x, d in zip(flat, dims, strict=True) if d is not None}
    if not sizes:
        raise ValueError("vmap: at least one input must have a batch dimension (in_dims not None)")
    if len(sizes) > 1:
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sorted(sizes)} for the mapped dimension"
        )
    return sizes.pop()


def _joined(results: list[Any], out_dims: Any) -> Any:
    """Results of all examples as one tree of batched tensors."""
    first = results[0]
    columns = list(zip(*[leaves(r) for r in results], strict=True))
    for column in columns:
        if not isinstance(column[0], Tensor):
            raise ValueError(
                f"vmap: `func` must only return Tensors, got type {type(column[0]).__name__}"
            )
    if isinstance(out_dims, (tuple, list)) and isinstance(first, (tuple, list)):
        parts = [[dim] * len(leaves(x)) for dim, x in zip(out_dims, first, strict=True)]
        dims = [dim for part in parts for dim in part]
    else:
        dim = out_dims[0] if isinstance(out_dims, (tuple, list)) else out_dims
        dims = [dim] * len(columns)
    stacked = [
        column[0] if dim is None else ops.stack(list(column), dim)
        for column, dim in zip(columns, dims, strict=True)
    ]
    return rebuilt(first, stacked)


def vmap(
    func: Callable,
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable:
    """A function that maps ``func`` over a dimension of its inputs.

    >>> import facula as torch
    >>> torch.vmap(torch.dot)(torch.ones(3, 2), torch.ones(3, 2))
    tensor([2., 2., 2.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. "
            f"Got {randomness}"
        )

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        trees = (*args, kwargs) if kwargs else args
        dims = _dims(in_dims, args) + [0] * len(leaves(kwargs) if kwargs else ())
        flat = leaves(trees)
        size = _size(flat, dims)
        slices = [x if d is None else x.unbind(d) for x, d in zip(flat, dims, strict=True)]
        results = []
        for i in range(size):
            one = [x if d is None else x[i] for x, d in zip(slices, dims, strict=True)]
            given = rebuilt(trees, one)
            positional, named = (given[:-1], given[-1]) if kwargs else (given, {})
            results.append(func(*positional, **named))
        return _joined(results, out_dims)

    return wrapped
