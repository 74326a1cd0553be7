"""Other names that PyTorch takes for an argument: NumPy's, those of overloads, Python's types."""

from __future__ import annotations

import functools

from facula.base import dtypes

NUMPY = {"axis": "dim", "keepdims": "keepdim", "x": "input", "x1": "input", "x2": "other"}

_TAKE_NUMPY = """
    sum mean prod amax amin max min argmax argmin all any nansum nanmean var std var_mean
    std_mean logsumexp cumsum cumprod cat concat concatenate stack squeeze unsqueeze flip
    softmax log_softmax split chunk unbind sort argsort topk median norm count_nonzero
    index_select gather roll diff cummax cummin logcumsumexp mode kthvalue nanmedian aminmax
    quantile nanquantile cross select narrow take_along_dim trapezoid cumulative_trapezoid
    """.split()

_PARTS = {"sections": "indices_or_sections", "indices": "indices_or_sections"}
_SIZES = {"split_size": "split_size_or_sections", "split_sizes": "split_size_or_sections"}
_MATRIX = {"input": "A"}  # what the documentation calls A
_OVERLOADS: dict[str, dict[str, str]] = {
    "detach": {"input": "tensor"},
    "remainder": {"input": "self"},
    "split": {**_SIZES, "input": "tensor"},
    "split_with_sizes": {**_SIZES, "input": "tensor"},
    "tensor_split": {**_PARTS, "tensor_indices_or_sections": "indices_or_sections"},
    "swapaxes": {"axis0": "dim0", "axis1": "dim1"},
    "result_type": {"tensor": "tensor1", "scalar": "tensor1", "scalar1": "tensor1",
                    "other": "tensor2", "scalar2": "tensor2"},
    "cholesky_inverse": {"input": "L"},
    "cholesky_solve": {"input": "B", "input2": "L"},
    "lu_solve": {"input": "b"},
    "orgqr": {"input": "A", "input2": "tau"},
    "triangular_solve": {"input": "b"},
    "linalg_tensorsolve": {"input": "A", "other": "B"},
    "linalg_vector_norm": {"input": "x"},
}  # fmt: skip
_OVERLOADS.update(dict.fromkeys(("hsplit", "vsplit", "dsplit"), _PARTS))
_OVERLOADS.update(
    dict.fromkeys(
        [
            f"linalg_{name}"
            for name in """
            cholesky cholesky_ex cond eig eigh eigvals eigvalsh householder_product matrix_exp
            matrix_norm matrix_power matrix_rank norm pinv solve_triangular tensorinv
            """.split()
        ],
        _MATRIX,
    )
)


@functools.cache
def other_names(name: str) -> dict[str, str]:
    """Spelling -> the name in our signature, for a function."""
    numpy = NUMPY if name in _TAKE_NUMPY else {}
    return {**numpy, **_OVERLOADS.get(name, {})}


@functools.cache
def accepting(name: str, function):
    """``function`` that also takes other names for its arguments; itself if it has no others."""
    others = other_names(name)
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    typed = code is not None and "dtype" in code.co_varnames[: _count(code)]
    if not others and not typed:
        return function

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        if kwargs:
            kwargs = {others.get(k, k): v for k, v in kwargs.items()}
            if kwargs.get("dtype").__class__ is type:
                kwargs["dtype"] = dtypes.meant(kwargs["dtype"])
        return function(*args, **kwargs)

    return wrapped


def _count(code) -> int:
    return code.co_argcount + code.co_kwonlyargcount
