"""einsum, tensordot and kron: sums of products over named or listed dimensions."""

from __future__ import annotations

from math import prod

from facula.autograd.handle import TensorBase
from facula.operators.arithmetic import mul
from facula.operators.contraction import bmm, mm
from facula.operators.movement import _permute, _unsafe_view, _view
from facula.operators.operator import operator
from facula.operators.reduction import sum as sum_
from facula.operators.strided import _diagonal

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DOTS = -1  # an ellipsis in a list of labels


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


# Reading the equation ----------------------------------------------------------------------------


def _labels(text, start, where) -> list[int]:
    """The labels of one term; an ellipsis as ``_DOTS``."""
    found = []
    i = 0
    while i < len(text):
        ch = text[i]
        if ch in " ,":
            i += 1
        elif ch == ".":
            if _DOTS in found:
                raise RuntimeError(
                    f"einsum(): found '.' {where} for which an ellipsis was already found"
                )
            if text[i : i + 3] != "...":
                raise RuntimeError(f"einsum(): found '.' {where} that is not part of any ellipsis")
            found.append(_DOTS)
            i += 3
        elif ch in _LETTERS:
            found.append(_LETTERS.index(ch))
            i += 1
        else:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {start + i} in the equation string, "
                "subscripts must be in [a-zA-Z]"
            )
    return found


def _parse(equation, count):
    """(labels of each operand, labels of the output or None)."""
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != count:
        more = "more" if count > len(terms) else "fewer"
        raise RuntimeError(
            f"einsum(): {more} operands were provided than specified in the equation"
        )
    inputs, at = [], 0
    for number, term in enumerate(terms):
        inputs.append(_labels(term, at, f"for operand {number}"))
        at += len(term) + 1
    return inputs, _labels(right, len(left) + 2, "for the output") if arrow else None


def _sublist(arguments):
    """The same from operands followed by their lists of labels."""
    operands, inputs, output = [], [], None
    for i in range(0, len(arguments) - 1, 2):
        operands.append(arguments[i])
        inputs.append(_numbered(arguments[i + 1]))
    if len(arguments) % 2:
        output = _numbered(arguments[-1])
    return operands, inputs, output


def _numbered(labels):
    found = []
    for label in labels:
        if label is Ellipsis:
            found.append(_DOTS)
        elif not 0 <= label < 52:
            raise ValueError(f"einsum(): subscript {label} is not within the valid range [0, 52)")
        else:
            found.append(int(label))
    return found


def _name(label) -> str:
    return _LETTERS[label] if label < 52 else "..."


def _expanded(labels, shape, operand, dots):
    """Labels of all dimensions of an operand; those under its ellipsis are numbered from 52."""
    if _DOTS not in labels:
        if len(labels) != len(shape):
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({len(labels)}) does not "
                f"match the number of dimensions ({len(shape)}) for operand {operand} and no "
                "ellipsis was given"
            )
        return list(labels)
    hidden = len(shape) - len(labels) + 1
    if hidden < 0:
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({len(labels) - 1}) is more than "
            f"the number of dimensions ({len(shape)}) for operand {operand}"
        )
    at = labels.index(_DOTS)
    return [*labels[:at], *range(52 + dots - hidden, 52 + dots), *labels[at + 1 :]]


def _resolve(operands, inputs, output):
    """Labels without ellipses, as tuples: the static description of the whole einsum."""
    dots = max(
        [
            len(_shape(x)) - len(labels) + 1
            for x, labels in zip(operands, inputs, strict=True)
            if _DOTS in labels
        ],
        default=0,
    )
    hidden = list(range(52, 52 + dots))
    full = [
        _expanded(labels, _shape(x), i, dots)
        for i, (x, labels) in enumerate(zip(operands, inputs, strict=True))
    ]
    every = [label for labels in full for label in labels]
    if output is None:
        once = sorted(label for label in set(every) if label < 52 and every.count(label) == 1)
        result = hidden + once
    else:
        at = output.index(_DOTS) if _DOTS in output else None
        result = output if at is None else [*output[:at], *hidden, *output[at + 1 :]]
    for label in result:
        if result.count(label) > 1:
            raise RuntimeError(
                f"einsum(): output subscript {_name(label)} appears more than once in the output"
            )
        if label not in every:
            raise RuntimeError(
                f"einsum(): output subscript {_name(label)} does not appear in the equation for "
                "any input operand"
            )
    _check_sizes(operands, full)
    return tuple([tuple(labels) for labels in full]), tuple(result)


def _check_sizes(operands, full):
    seen: dict[int, int] = {}
    for number, (x, labels) in enumerate(zip(operands, full, strict=True)):
        own: dict[int, int] = {}
        for label, n in zip(labels, _shape(x), strict=True):
            if own.setdefault(label, n) != n:
                raise RuntimeError(
                    f"einsum(): subscript {_name(label)} is repeated for operand {number} but the "
                    f"sizes don't match, {n} != {own[label]}"
                )
        for label, n in own.items():
            known = seen.get(label, 1)
            if known not in (1, n) and n != 1:
                raise RuntimeError(
                    f"einsum(): subscript {_name(label)} has size {n} for operand {number} which "
                    f"does not broadcast with previously seen size {known}"
                )
            seen[label] = max(known, n) if 0 not in (known, n) else 0


# Computing it ------------------------------------------------------------------------------------


def _einsum_name(specs, template):
    inputs, output = template[1], template[2]
    if len(inputs) > 1:
        return "ViewBackward0"
    return "PermuteBackward0" if set(inputs[0]) == set(output) else "SumBackward1"


@operator(name=_einsum_name)
def _einsum(operands, inputs: tuple, output: tuple):
    """Two operands at a time, from left to right: each pair is one batched matrix product."""
    sizes: dict[int, int] = {}
    for x, labels in zip(operands, inputs, strict=True):
        for label, n in zip(labels, _shape(x), strict=True):
            sizes[label] = n if sizes.get(label, 1) == 1 else sizes[label]
    terms = [_cleaned(x, list(labels), sizes) for x, labels in zip(operands, inputs, strict=True)]
    x, labels = terms[0]
    for i, (y, others) in enumerate(terms[1:], 1):
        later = set(output).union(*[set(term[1]) for term in terms[i + 1 :]])
        x, labels = _pair(x, labels, y, others, later)
    x, labels = _summed(x, labels, set(output))
    missing = [label for label in output if label not in labels]
    x = _permute(x, tuple([labels.index(label) for label in output if label in labels]))
    # Labels that were dropped because all their sizes were 1.
    return _view(x, tuple([sizes[label] for label in output])) if missing else x


def _cleaned(x, labels, sizes):
    """Repeated labels become diagonals; dimensions of size 1 that broadcast are dropped."""
    for label in sorted(set(labels)):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = _diagonal(x, 0, first, second)
            labels = [a for i, a in enumerate(labels) if i not in (first, second)] + [label]
    kept = [
        i for i, label in enumerate(labels) if _shape(x)[i] == sizes[label] and sizes[label] != 1
    ]
    if len(kept) < len(labels):
        x = _view(x, tuple([_shape(x)[i] for i in kept]))
        labels = [labels[i] for i in kept]
    return x, labels


def _summed(x, labels, wanted):
    """Sum over the labels nobody needs any more."""
    axes = tuple([i for i, label in enumerate(labels) if label not in wanted])
    if not axes:
        return x, labels
    return sum_(x, axes), [label for label in labels if label in wanted]


def _arranged(x, labels, groups):
    """The dimensions ordered by groups of labels, each group merged into one dimension."""
    order = [labels.index(label) for group in groups for label in group]
    x = _permute(x, tuple(order))
    shape, at = [], 0
    for group in groups:
        shape.append(prod(_shape(x)[at : at + len(group)]))
        at += len(group)
    return _view(x, tuple(shape))


def _pair(x, xs, y, ys, later):
    """The product of two operands, summed over the labels that only they have."""
    x, xs = _summed(x, xs, later | set(ys))
    y, ys = _summed(y, ys, later | set(xs))
    both = [label for label in xs if label in ys]
    batch = [label for label in both if label in later]
    inner = [label for label in both if label not in later]
    left = [label for label in xs if label not in both]
    right = [label for label in ys if label not in both]
    size = dict(zip(xs, _shape(x), strict=True)) | dict(zip(ys, _shape(y), strict=True))
    if inner:
        a = _arranged(x, xs, (batch, left, inner))
        b = _arranged(y, ys, (batch, inner, right))
        out = _product(a, b)
    else:
        a = _view(_arranged(x, xs, (batch, left)), _sizes(size, batch, left, [None] * len(right)))
        b = _view(_arranged(y, ys, (batch, right)), _sizes(size, batch, [None] * len(left), right))
        out = mul(a, b)
    labels = batch + left + right
    return _view(out, tuple([size[label] for label in labels])), labels


def _sizes(size, *groups):
    return tuple([1 if label is None else size[label] for group in groups for label in group])


def _product(a, b):
    if _shape(a)[0] == 1:
        return mm(_view(a, _shape(a)[1:]), _view(b, _shape(b)[1:]))
    return bmm(a, b)


def einsum(*args):
    """Sums of products of the operands' elements, written in Einstein's notation.

    The equation names the dimensions of each operand; names missing on the right of "->" are
    summed over. "..." stands for dimensions that broadcast. Instead of an equation each operand may
    be followed by a list of numbers.

    >>> import facula as torch
    >>> torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(3, 4)).shape
    torch.Size([2, 4])
    """
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its subscripts list"
        )
    if isinstance(args[0], TensorBase):
        operands, inputs, output = _sublist(args)
    else:
        operands = list(args[1:])
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = list(operands[0])
        inputs, output = _parse(args[0], len(operands))
    for x in operands[1:]:
        if _dtype(x) is not _dtype(operands[0]):
            raise RuntimeError(
                f"expected scalar type {_dtype(operands[0]).legacy} but found {_dtype(x).legacy}"
            )
    return _einsum(operands, *_resolve(operands, inputs, output))


# tensordot and kron ------------------------------------------------------------------------------


def _contracted(a, b, dims):
    """The axes of both operands that ``dims`` contracts."""
    if isinstance(dims, TensorBase):
        listed = dims._buffer().tolist()
        dims = listed if isinstance(listed, list) else int(listed)
    if isinstance(dims, (tuple, list)):
        first, second = dims
        pair = [[d] if isinstance(d, int) else [int(i) for i in d] for d in (first, second)]
        if len(pair[0]) != len(pair[1]):
            raise RuntimeError("both dimension lists should have same length")
        return pair
    if dims < 0:
        raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
    if dims > min(len(_shape(a)), len(_shape(b))):
        raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
    return [list(range(-dims, 0)), list(range(dims))]


def tensordot(a, b, dims=2):
    """Product of two tensors summed over pairs of dimensions.

    ``dims`` is how many last dimensions of ``a`` meet the first of ``b``, or two lists of them.
    """
    first, second = _contracted(a, b, dims)
    x, y = _shape(a), _shape(b)
    for i, j in zip(first, second, strict=True):
        if x[i] != y[j] and 1 not in (x[i], y[j]):
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {x[i]} in dim {i} and "
                f"second has size {y[j]} in dim {j}"
            )
    pairs = [(i % max(len(x), 1), j % max(len(y), 1)) for i, j in zip(first, second, strict=True)]
    left = list(range(len(x)))
    right = list(range(len(x), len(x) + len(y)))
    for i, j in pairs:
        right[j] = i
    inner = {i for i, _ in pairs}
    output = [n for n in left if n not in inner] + [n for n in right if n not in inner]
    if _dtype(a) is not _dtype(b):
        raise RuntimeError("both inputs should have same dtype")
    return _einsum([a, b], (tuple(left), tuple(right)), tuple(output))


@operator(name="UnsafeView")
def kron(input, other):
    """Kronecker product: each element of ``input`` times all of ``other``."""
    a, b = _shape(input), _shape(other)
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    wide = _view(input, tuple([n for size in a for n in (size, 1)]))
    narrow = _view(other, tuple([n for size in b for n in (1, size)]))
    return _unsafe_view(mul(wide, narrow), tuple([n * m for n, m in zip(a, b, strict=True)]))


NAMESPACES = {"torch": ["einsum", "tensordot", "kron"], "method": ["kron"]}
