"""Matrix powers and exponentials, chains of products, cross products, tensor equations."""

from __future__ import annotations

import math
from itertools import pairwise

from facula.graph.primitives import host
from facula.operators import kit
from facula.operators.arithmetic import mul
from facula.operators.basic import conj, expand_copy, identity
from facula.operators.contraction import mm
from facula.operators.joining import cat
from facula.operators.linear_algebra import (
    check_square,
    column,
    dtype_of,
    hermitian,
    identity_like,
    matmul,
    row,
    shape_of,
)
from facula.operators.linear_algebra_solve import linalg_inv, linalg_solve
from facula.operators.movement import _view, movedim, reshape
from facula.operators.operator import operator
from facula.operators.precision import narrowed, widened
from facula.operators.rearranging import flip, roll
from facula.operators.reduction import _sum
from facula.operators.scans import cumprod
from facula.operators.slicing import narrow
from facula.operators.strided import diagonal


def linalg_matmul(input, other):
    """The matrix product, as ``torch.matmul``."""
    return matmul(input, other)


def linalg_matrix_power(A, n):
    """A multiplied n times with itself; negative powers through the inverse."""
    name = "linalg.matrix_power"
    if len(shape_of(A)) < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    rows, columns = shape_of(A)[-2:]
    if rows != columns:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {rows} by {columns} "
            "matrices"
        )
    if n == 0:
        return identity_like(A)
    if n < 0:
        A, n = linalg_inv(A), -n
    if n == 1:
        return identity(A)
    out = None
    while n:
        if n & 1:
            out = A if out is None else matmul(out, A)
        n >>= 1
        if n:
            A = matmul(A, A)
    return out


def matrix_power(input, n):
    """A multiplied n times with itself."""
    return linalg_matrix_power(input, n)


def _exp_grad(g, input):
    """exp of [[A, G], [0, A]] has the derivative in direction G in its corner (Van Loan 1978)."""
    a = hermitian(input)
    n = shape_of(input)[-1]
    top = cat([a, g], -1)
    bottom = cat([a * 0, a], -1)
    return narrow(narrow(_matrix_exp(cat([top, bottom], -2)), -2, 0, n), -1, n, n)


@operator(name="LinalgMatrixExp", derivative={"input": _exp_grad})
def _matrix_exp(input):
    return narrowed(kit.bind(host.matrix_exp, widened(input)), dtype_of(input))


def linalg_matrix_exp(A):
    """The matrix exponential, sum of A^k / k!."""
    check_square("linalg.matrix_exp", A, low=True)
    return _matrix_exp(A)


def matrix_exp(input):
    """The matrix exponential, sum of A^k / k!."""
    return linalg_matrix_exp(input)


def linalg_multi_dot(tensors):
    """The product of several matrices in the order that costs least; the ends may be vectors."""
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    first, last = shape_of(tensors[0]), shape_of(tensors[-1])
    if len(first) == 1:
        tensors[0] = row(tensors[0])
    if len(last) == 1:
        tensors[-1] = column(tensors[-1])
    for i, x in enumerate(tensors):
        if len(shape_of(x)) != 2:
            raise RuntimeError(f"multi_dot(): tensor {i} must be 2D but got {len(shape_of(x))}D")
    for i, (a, b) in enumerate(pairwise(tensors)):
        if shape_of(a)[1] != shape_of(b)[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {i} and {i + 1} with shapes {list(shape_of(a))} and "
                f"{list(shape_of(b))} cannot be multiplied"
            )
    sizes = [shape_of(tensors[0])[0]] + [shape_of(x)[1] for x in tensors]
    out = _chain(tensors, _best_cuts(sizes), 0, len(tensors) - 1)
    shape = tuple([] if len(first) == 1 else [sizes[0]]) + tuple(
        [] if len(last) == 1 else [sizes[-1]]
    )
    return out if len(shape) == 2 else _view(out, shape)


def _best_cuts(sizes):
    """Where to split each part of a chain (dynamic programming over its length)."""
    n = len(sizes) - 1
    cost = [[0] * n for _ in range(n)]
    cut = [[0] * n for _ in range(n)]
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            choices = [
                (cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            ]
            cost[i][j], cut[i][j] = min(choices)
    return cut


def _chain(tensors, cut, i, j):
    if i == j:
        return tensors[i]
    k = cut[i][j]
    return mm(_chain(tensors, cut, i, k), _chain(tensors, cut, k + 1, j))


def chain_matmul(*matrices):
    """The product of matrices in the order that costs least."""
    return matrices[0] if len(matrices) == 1 else linalg_multi_dot(matrices)


# Vectors ----------------------------------------------------------------------------------------


def _cross_grad(g, input, other, dim):
    return {"input": _cross(conj(other), g, dim), "other": _cross(g, conj(input), dim)}


@operator(name="LinalgCross", derivative=_cross_grad)
def _cross(input, other, dim: int):
    a, b = kit.promoted(input, other)
    shape = kit.broadcast_shapes(a, b)
    a, b = kit.broadcast_to(a, shape), kit.broadcast_to(b, shape)
    return roll(a, -1, dim) * roll(b, -2, dim) - roll(a, -2, dim) * roll(b, -1, dim)


def linalg_cross(input, other, *, dim=-1):
    """The cross product of vectors of three along ``dim``."""
    shape_a, shape_b = shape_of(input), shape_of(other)
    if len(shape_a) != len(shape_b):
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    ndim = len(shape_a)
    axis = kit.axis_of(dim, ndim)
    if shape_a[axis] != 3 or shape_b[axis] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {shape_a[axis]} and "
            f"{shape_b[axis]}"
        )
    return _cross(input, other, axis)


def cross(input, other, dim=None):
    """The cross product along ``dim``, by default the first dimension of size 3."""
    if dim is None:
        found = [i for i, n in enumerate(shape_of(input)) if n == 3]
        if not found:
            raise RuntimeError("no dimension of size 3 in input")
        dim = found[0]
    return linalg_cross(input, other, dim=dim)


def linalg_vecdot(x, y, *, dim=-1):
    """The dot product along a dimension, the first operand conjugated."""
    return _sum(mul(conj(x), y), (dim,), False, None)


def linalg_diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonals of matrices, a view."""
    return diagonal(A, offset, dim1, dim2)


def linalg_vander(x, N=None):
    """Rows (1, x, x^2, ...) up to N columns, one row for each element of the last dimension."""
    shape = shape_of(x)
    if not shape:
        raise RuntimeError("linalg.vander: x must have at least one dimension.")
    n = shape[-1] if N is None else int(N)
    if n <= 1 and N is not None:
        raise RuntimeError("N must be greater than 1.")
    ones = column(x) * 0 + 1
    if n == 1:
        return ones
    powers = cumprod(expand_copy(column(x), (*shape, n - 1)), -1)
    return cat([ones, powers], -1)


def vander(x, N=None, increasing=False):
    """The Vandermonde matrix, highest power first unless ``increasing``."""
    if len(shape_of(x)) != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = shape_of(x)[0] if N is None else int(N)
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    if n < 2:
        out = expand_copy(column(x) * 0 + 1, (shape_of(x)[0], 1))
        return narrow(out, 1, 0, n)
    out = linalg_vander(x, n)
    return out if increasing else flip(out, (-1,))


# Tensor equations -------------------------------------------------------------------------------


def linalg_tensorinv(A, ind=2):
    """The inverse with respect to ``tensordot(..., ind)``."""
    shape = shape_of(A)
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    left, right = math.prod(shape[:ind]), math.prod(shape[ind:])
    if left != right:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {right} != {left}"
        )
    return reshape(linalg_inv(reshape(A, (left, right))), shape[ind:] + shape[:ind])


def linalg_tensorsolve(A, B, dims=None):
    """X with tensordot(A, X, X.ndim) = B; ``dims`` of A are moved to its end first."""
    if dims is not None:
        ndim = len(shape_of(A))
        A = movedim(A, tuple(dims), tuple(range(ndim - len(dims), ndim)))
    shape, count = shape_of(A), math.prod(shape_of(B))
    rest = shape[len(shape_of(B)) :]
    if math.prod(rest) != count:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {math.prod(rest)} != {count}"
        )
    return reshape(linalg_solve(reshape(A, (count, count)), reshape(B, (count,))), rest)


NAMESPACES = {
    "torch": ["matrix_power", "matrix_exp", "chain_matmul", "cross", "vander"],
    "method": ["matrix_power", "matrix_exp", "cross"],
}
