"""Products of vectors and matrices: matmul and its special cases."""

from __future__ import annotations

from math import prod

from facula.autograd.handle import TensorBase
from facula.base import dtypes
from facula.base.dtypes import BOOL
from facula.graph.primitives import contraction as p
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import kinds
from facula.operators import kit
from facula.operators.arithmetic import mul
from facula.operators.basic import conj
from facula.operators.movement import _permute, _view
from facula.operators.operator import operator

_C_NAMES = {
    dtypes.float32: "float", dtypes.float64: "double", dtypes.float16: "c10::Half",
    dtypes.bfloat16: "c10::BFloat16", dtypes.int64: "long int", dtypes.int32: "int",
    dtypes.int16: "short int", dtypes.int8: "signed char", dtypes.uint8: "unsigned char",
    dtypes.bool_: "bool", dtypes.complex64: "c10::complex<float>",
    dtypes.complex128: "c10::complex<double>",
}  # fmt: skip


def c_name(own) -> str:
    """A dtype as PyTorch's messages about matrix products spell it."""
    return _C_NAMES.get(own, own.name)


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


def check_tensors(name, **operands) -> None:
    """Refuse operands that are no tensors, as PyTorch's argument parser does."""
    for position, (parameter, value) in enumerate(operands.items(), 1):
        if not isinstance(value, TensorBase) or value._value.spec.weak:
            given = type(value).__name__ if not isinstance(value, TensorBase) else "float"
            raise TypeError(
                f"{name}(): argument '{parameter}' (position {position}) must be Tensor, "
                f"not {given}"
            )


# What derivatives are written in -----------------------------------------------------------------


def swapped(x):
    """The last two dimensions exchanged."""
    ndim = len(_shape(x))
    return _permute(x, (*range(ndim - 2), ndim - 1, ndim - 2))


def conjugate_transpose(x):
    """The matrix (or each of a batch) transposed and conjugated."""
    return conj(swapped(x))


def flat_rows(x):
    """(..., n) as a matrix (rows, n); a vector is one row."""
    shape = _shape(x)
    return x if len(shape) == 2 else _view(x, (prod(shape[:-1]), shape[-1]))


def _product(a, b):
    """Bind a product of operands with at least two dimensions; one BLAS call where possible."""
    shape = _shape(a)
    if len(shape) > 2 and len(_shape(b)) == 2:
        rows = kit.reshape(a, (prod(shape[:-1]), shape[-1]))
        return kit.reshape(kit.bind(p.matmul, rows, b), (*shape[:-1], _shape(b)[1]))
    return kit.bind(p.matmul, a, b)


def not_bool(x):
    """Matrix products of bools do not exist."""
    if _dtype(x).category == BOOL:
        raise NotImplementedError("\"addmm_impl_cpu_\" not implemented for 'Bool'")


def same_matrix_dtype(a, b):
    """PyTorch's refusal to multiply matrices of two dtypes."""
    if _dtype(a) is not _dtype(b):
        raise RuntimeError(
            "expected m1 and m2 to have the same dtype, but got: "
            f"{c_name(_dtype(a))} != {c_name(_dtype(b))}"
        )
    not_bool(a)


def check_inner(a_shape, b_shape):
    """(n, k) @ (k, m) or PyTorch's message."""
    if a_shape[1] != b_shape[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({a_shape[0]}x{a_shape[1]} and "
            f"{b_shape[0]}x{b_shape[1]})"
        )


# Matrices and batches of them --------------------------------------------------------------------


@operator(
    name="Mm",
    derivative={
        "input": lambda g, mat2: mm(g, conjugate_transpose(mat2)),
        "mat2": lambda g, input: mm(conjugate_transpose(input), g),
    },
)
def mm(input, mat2):
    """Product of two matrices, (n, k) @ (k, m).

    >>> import facula as torch
    >>> torch.mm(torch.ones(2, 3), torch.ones(3, 1))
    tensor([[3.],
            [3.]])
    """
    check_tensors("mm", input=input, mat2=mat2)
    if len(_shape(input)) != 2:
        raise RuntimeError("self must be a matrix")
    if len(_shape(mat2)) != 2:
        raise RuntimeError("mat2 must be a matrix")
    same_matrix_dtype(input, mat2)
    check_inner(_shape(input), _shape(mat2))
    return kit.bind(p.matmul, input, mat2)


def check_batches(batch1, batch2, name=None):
    """Two batches of matrices that can be multiplied, or PyTorch's message."""
    for label, x in (("batch1", batch1), ("batch2", batch2)):
        if len(_shape(x)) != 3:
            raise RuntimeError(f"{label} must be a 3D tensor")
    (n, _, k), (n2, k2, _) = _shape(batch1), _shape(batch2)
    if (n, k) != (n2, k2):
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{n}, {k}] but got: [{n2}, {k2}]."
        )
    if _dtype(batch1) is not _dtype(batch2):
        raise RuntimeError(
            f"expected scalar type {_dtype(batch1).legacy} but found {_dtype(batch2).legacy}"
        )
    if _dtype(batch1).category == BOOL:
        raise NotImplementedError("\"baddbmm_with_gemm\" not implemented for 'Bool'")


@operator(
    name="Bmm",
    derivative={
        "input": lambda g, mat2: bmm(g, conjugate_transpose(mat2)),
        "mat2": lambda g, input: bmm(conjugate_transpose(input), g),
    },
)
def bmm(input, mat2):
    """Product of each pair of matrices in two batches, (b, n, k) @ (b, k, m)."""
    check_tensors("bmm", input=input, mat2=mat2)
    check_batches(input, mat2)
    return kit.bind(p.matmul, input, mat2)


def check_mv(mat, vec):
    """A matrix and a vector of its width, or PyTorch's message."""
    m, v = _shape(mat), _shape(vec)
    if len(m) != 2 or len(v) != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {len(m)}, {len(v)}")
    if m[1] != v[0]:
        raise RuntimeError(f"size mismatch, got input ({m[0]}), mat ({m[0]}x{m[1]}), vec ({v[0]})")
    if _dtype(mat) is not _dtype(vec):
        raise RuntimeError(
            f"addmv input tensors must have the same dtype, but got {_dtype(vec).legacy}, "
            f"{_dtype(mat).legacy}, and {_dtype(vec).legacy}"
        )
    if _dtype(mat).category == BOOL:
        raise NotImplementedError("\"addmv_impl_cpu\" not implemented for 'Bool'")


def product_mv(mat, vec):
    """Bind matrix times vector."""
    column = kit.reshape(vec, (*_shape(vec), 1))
    return kit.reshape(_product(mat, column), _shape(mat)[:-1])


def column(x):
    """A vector as a matrix of one column."""
    return _view(x, (*_shape(x), 1))


def row(x):
    """A vector as a matrix of one row."""
    return _view(x, (1, *_shape(x)))


@operator(
    name="Mv",
    derivative={
        "input": lambda g, vec: mul(column(g), row(conj(vec))),
        "vec": lambda g, input: mv(conjugate_transpose(input), g),
    },
)
def mv(input, vec):
    """Product of a matrix (n, k) and a vector (k)."""
    check_tensors("mv", input=input, vec=vec)
    check_mv(input, vec)
    return product_mv(input, vec)


def _check_dot(name, a, b):
    if len(_shape(a)) != 1 or len(_shape(b)) != 1:
        raise RuntimeError(
            f"1D tensors expected, but got {len(_shape(a))}D and {len(_shape(b))}D tensors"
        )
    if _dtype(a) is not _dtype(b):
        raise RuntimeError(
            f"{name} : expected both vectors to have same dtype, but found {_dtype(a).legacy} and "
            f"{_dtype(b).legacy}"
        )
    if _shape(a) != _shape(b):
        n, m = _shape(a)[0], _shape(b)[0]
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{n}] and src [{m}] to have the same "
            f"number of elements, but got {n} and {m} elements respectively"
        )
    if _dtype(a).category == BOOL:
        raise NotImplementedError(f"\"{name}\" not implemented for 'Bool'")


def _product_dot(a, b):
    n = _shape(a)[0]
    return kit.reshape(kit.bind(p.matmul, kit.reshape(a, (1, n)), kit.reshape(b, (n, 1))), ())


@operator(
    name="Dot",
    derivative={
        "input": lambda g, tensor: mul(g, conj(tensor)),
        "tensor": lambda g, input: mul(g, conj(input)),
    },
)
def dot(input, tensor):
    """Sum of the products of two vectors' elements.

    >>> import facula as torch
    >>> torch.dot(torch.tensor([2.0, 3.0]), torch.tensor([2.0, 1.0]))
    tensor(7.)
    """
    check_tensors("dot", input=input, tensor=tensor)
    _check_dot("dot", input, tensor)
    return _product_dot(input, tensor)


@operator(
    name="Vdot",
    derivative={
        "input": lambda g, other: mul(conj(g), other),
        "other": lambda g, input: mul(g, input),
    },
)
def vdot(input, other):
    """Like ``dot``, with the first vector conjugated."""
    check_tensors("vdot", input=input, other=other)
    _check_dot("vdot", input, other)
    if _dtype(input).category == dtypes.COMPLEX:
        input = kit.bind(e.conj, input)
    return _product_dot(input, other)


# matmul ------------------------------------------------------------------------------------------


def _lifted(input, other):
    """The operands of matmul as matrices or batches of them."""
    a = row(input) if len(_shape(input)) == 1 else input
    b = column(other) if len(_shape(other)) == 1 else other
    return a, b


def _matmul_grads(g, input, other, needs):
    a, b = _lifted(input, other)
    batch = _shape(g)[: len(_shape(g)) - (len(_shape(input)) > 1) - (len(_shape(other)) > 1)]
    g = (
        g
        if len(_shape(g)) >= 2 and a is input and b is other
        else _view(g, (*batch, _shape(a)[-2], _shape(b)[-1]))
    )
    found = {}
    if "input" in needs:
        grad = matmul(g, conjugate_transpose(b))
        found["input"] = _unlifted(grad, input, -2)
    if "other" in needs:
        if len(_shape(b)) == 2 and len(_shape(a)) > 2:
            grad = mm(conjugate_transpose(flat_rows(a)), flat_rows(g))
        else:
            grad = matmul(conjugate_transpose(a), g)
        found["other"] = _unlifted(grad, other, -1)
    return found


def _unlifted(grad, operand, axis):
    """Back to the operand's number of dimensions, summed over what was broadcast."""
    if len(_shape(operand)) > 1:
        return grad
    shape = list(_shape(grad))
    del shape[axis]
    return _view(grad, tuple(shape))


def _matmul_name(specs, template):
    """The node PyTorch's matmul ends in, which depends on the ranks."""
    ranks = (specs[0].ndim, specs[-1].ndim)
    known = {(1, 1): "Dot", (2, 1): "Mv", (2, 2): "Mm"}
    if ranks in known:
        return f"{known[ranks]}Backward0"
    if ranks == (1, 2):
        return "SqueezeBackward4"
    return "CloneBackward0" if ranks[0] == 2 else "UnsafeViewBackward0"


def matmul_body(input, other):
    """matmul inside a body: the primitives, after PyTorch's checks."""
    a, b = _shape(input), _shape(other)
    if not a or not b:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {len(a)}D and {len(b)}D"
        )
    if len(a) == 1 and len(b) == 1:
        _check_dot("dot", input, other)
        return _product_dot(input, other)
    if len(b) == 1:
        rows = kit.reshape(input, (prod(a[:-1]), a[-1]))
        check_mv(rows, other)
        return kit.reshape(product_mv(rows, other), a[:-1])
    if len(a) == 1:
        input = kit.reshape(input, (1, *a))
        out = _batched_product(input, other)
        shape = _shape(out)
        return kit.reshape(out, (*shape[:-2], shape[-1]))
    return _batched_product(input, other)


def _batched_product(input, other):
    """(..., n, k) @ (..., k, m), at least one of them a batch or both matrices."""
    a, b = _shape(input), _shape(other)
    if len(b) == 2:
        same_matrix_dtype(input, other)
        check_inner((prod(a[:-1]), a[-1]), b)
        return _product(input, other)
    if _dtype(input) is not _dtype(other):
        raise RuntimeError(
            f"expected scalar type {_dtype(input).legacy} but found {_dtype(other).legacy}"
        )
    not_bool(input)
    lead = kinds.broadcast_shapes("matmul", a[:-2], b[:-2]) if len(a) > 2 else b[:-2]
    if a[-1] != b[-2]:
        count = prod(lead)
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{count}, {a[-1]}] but got: [{count}, {b[-2]}]."
        )
    return kit.bind(p.matmul, input, other)


@operator(name=_matmul_name, derivative=_matmul_grads)
def matmul(input, other):
    """Matrix product: vectors, matrices, or batches of matrices that broadcast.

    Shapes: (n, k) @ (k, m); (k) @ (k) gives a number; (..., n, k) @ (..., k, m) multiplies the
    matrices of two broadcast batches; a vector is a row on the left and a column on the right.

    >>> import facula as torch
    >>> torch.matmul(torch.ones(5, 2, 3), torch.ones(3, 4)).shape
    torch.Size([5, 2, 4])
    """
    check_tensors("matmul", input=input, other=other)
    return matmul_body(input, other)


# Products of vectors -----------------------------------------------------------------------------


def outer(input, vec2):
    """All products of the elements of two vectors, as a matrix."""
    for name, x in (("self", input), ("vec2", vec2)):
        if len(_shape(x)) != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {len(_shape(x))}-D")
    return mul(column(input), vec2)


ger = outer


def inner(input, other):
    """Sum of products over the last dimensions of both operands."""
    a, b = _shape(input), _shape(other)
    if not a or not b:
        return mul(input, other)
    if a[-1] != b[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(a)} and {list(b)}"
        )
    return _inner(input, other)


@operator(name="View")
def _inner(input, other):
    a, b = _shape(input), _shape(other)
    out = mm(flat_rows(input), swapped(flat_rows(other)))
    return _view(out, (*a[:-1], *b[:-1]))


NAMESPACES = {
    "torch": ["mm", "bmm", "mv", "dot", "vdot", "matmul", "inner", "outer", "ger"],
    "method": ["mm", "bmm", "mv", "dot", "vdot", "matmul", "inner", "outer", "ger"],
}
