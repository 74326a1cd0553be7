"""linear and bilinear: the products behind the layers of those names."""

from __future__ import annotations

from math import prod

from facula.graph.primitives import contraction as p
from facula.graph.primitives import elementwise as e
from facula.operators import kit
from facula.operators.arithmetic import _add, mul
from facula.operators.basic import conj
from facula.operators.contraction import (
    check_inner,
    check_tensors,
    flat_rows,
    matmul,
    matmul_body,
    mm,
    not_bool,
    same_matrix_dtype,
    swapped,
)
from facula.operators.movement import _permute, _view
from facula.operators.operator import operator


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


def _linear_name(specs, template):
    """The node PyTorch's linear ends in, which depends on ranks and bias."""
    rank, bias = specs[0].ndim, len(specs) == 3
    if specs[1].ndim == 1:
        return {1: "DotBackward0", 2: "MvBackward0"}.get(rank, "UnsafeViewBackward0")
    if rank == 2:
        return "AddmmBackward0" if bias else "MmBackward0"
    if bias:
        return "ViewBackward0"
    return "SqueezeBackward4" if rank == 1 else "UnsafeViewBackward0"


def _linear_grads(g, input, weight, needs):
    found = {"bias": g}
    if len(_shape(weight)) == 1:
        g = _view(g, (*_shape(g), 1))
        if "input" in needs:
            found["input"] = mul(g, conj(weight))
        if "weight" in needs:
            found["weight"] = mul(g, conj(input))
        return found
    if "input" in needs:
        found["input"] = matmul(g, conj(weight))
    if "weight" in needs:
        found["weight"] = mm(swapped(flat_rows(g)), conj(flat_rows(input)))
    return found


def _check_linear(input, weight, bias):
    if bias is None:
        same_matrix_dtype(input, weight)
        return
    for label, own in (("mat1", _dtype(input)), ("self", _dtype(bias))):
        if own is not _dtype(weight):
            raise RuntimeError(
                f"{label} and mat2 must have the same dtype, but got {own.legacy} and "
                f"{_dtype(weight).legacy}"
            )
    not_bool(input)


@operator(name=_linear_name, derivative=_linear_grads, edge_order=(2, 0, 1))
def linear(input, weight, bias=None):
    """``input @ weight.T + bias``: input (..., in), weight (out, in) or (in), bias (out).

    >>> import facula as torch
    >>> torch.nn.functional.linear(torch.ones(1, 3), torch.ones(2, 3), torch.zeros(2))
    tensor([[3., 3.]])
    """
    check_tensors("linear", input=input, weight=weight)
    x, w = _shape(input), _shape(weight)
    if len(w) == 1 and bias is None:
        return matmul_body(input, weight)
    if len(w) != 2:
        raise RuntimeError(f"mat2 must be a matrix, got {len(w)}-D tensor")
    if not x:
        raise RuntimeError("linear: the input must have at least one dimension (..., in)")
    _check_linear(input, weight, bias)
    rows = (prod(x[:-1]), x[-1])
    check_inner(rows, (w[1], w[0]))
    out = kit.bind(p.matmul, kit.reshape(input, rows), kit.permute(weight, (1, 0)))
    if bias is not None:
        check_addable(bias, (rows[0], w[0]))
        out = kit.bind(e.add, out, bias)
    return kit.reshape(out, (*x[:-1], w[0]))


def check_addable(bias, target):
    """Whether ``bias`` expands to ``target``, with PyTorch's message."""
    own = _shape(bias)
    if len(own) > len(target):
        raise RuntimeError(
            f"The number of sizes provided ({len(target)}) must be greater or equal to the number "
            f"of dimensions in the tensor ({len(own)})"
        )
    lead = len(target) - len(own)
    for axis, n in enumerate(own, lead):
        if n not in (1, target[axis]):
            raise RuntimeError(
                f"The expanded size of the tensor ({target[axis]}) must match the existing size "
                f"({n}) at non-singleton dimension {axis}.  Target sizes: {list(target)}.  Tensor "
                f"sizes: {list(own)}"
            )


def bilinear(input1, input2, weight, bias=None):
    """``x1 @ weight[o] @ x2 + bias[o]`` for each output o.

    Shapes: input1 (..., in1), input2 (..., in2), weight (out, in1, in2), result (..., out).
    """
    x1, x2, w = _shape(input1), _shape(input2), _shape(weight)
    if len(x1) != len(x2):
        raise RuntimeError(
            f"bilinear(): input dimensions do not match: got {len(x1)} and {len(x2)}"
        )
    for axis, (n, m) in enumerate(zip(x1[:-1], x2[:-1], strict=True)):
        if n != m:
            raise RuntimeError(
                f"bilinear(): input batch dimensions do not match at dim {axis}: got {n} and {m}"
            )
    for which, got, expected in (("input1", x1[-1], w[1]), ("input2", x2[-1], w[2])):
        if got != expected:
            raise RuntimeError(
                f"bilinear(): {which} size does not match weight size: got {got} but expected "
                f"{expected}"
            )
    if bias is not None and _shape(bias) != w[:1]:
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {_shape(bias)[0]} but expected "
            f"{w[0]}"
        )
    out = _trilinear(input1, input2, weight)
    return out if bias is None else _add(out, bias, None)


@operator(name="View")
def _trilinear(input1, input2, weight):
    """First x1 times all matrices at once, then the sum of products with x2."""
    lead, (outputs, n1, n2) = _shape(input1)[:-1], _shape(weight)
    wide = _view(_permute(weight, (1, 0, 2)), (n1, outputs * n2))
    left = _view(mm(flat_rows(input1), wide), (prod(lead), outputs, n2))
    right = _view(input2, (prod(lead), n2, 1))
    return _view(matmul(left, right), (*lead, outputs))


NAMESPACES = {"torch": ["bilinear"], "functional": ["linear", "bilinear"]}
