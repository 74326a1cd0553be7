"""Scaled dot products of queries and keys that weigh values, and their gradient.

Weights are never stored: the gradient computes them again from the queries, the keys and one
number for each query. Each primitive has one flat result; :class:`Sizes` says what lies where.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facula.base.dtypes import FLOAT
from facula.graph.primitive import Primitive, register
from facula.graph.primitives import kinds
from facula.graph.spec import spec

FLOATS = frozenset((FLOAT,))


@dataclass(frozen=True)
class Sizes:
    """Of queries (batch, heads, queries, width) and keys, and of values (..., depth).

    The result of ``attention`` is (batch, queries, heads, depth), then (with ``keep``) the base-2
    logarithm of each query's sum of exponentials (batch, heads, queries), infinite where that is 0.
    That of ``attention_grad`` is the gradients of queries, keys and values, heads after queries
    and keys as above, one after the other; if they are alike (``joined``) side by side, as
    (batch, queries, 3, heads, width): so one product could have made all three.
    """

    batch: int
    heads: int
    queries: int
    keys: int
    width: int
    depth: int

    @classmethod
    def of(cls, query, key, value) -> Sizes:
        """From specs, arrays or views."""
        batch, heads, queries, width = query.shape
        return cls(batch, heads, queries, key.shape[2], width, value.shape[3])

    @property
    def rows(self) -> int:
        """Queries in all."""
        return self.batch * self.heads * self.queries

    @property
    def outputs(self) -> int:
        return self.rows * self.depth

    def kept(self, keep: bool) -> int:
        """Elements of the result of ``attention``."""
        return self.outputs + (self.rows if keep else 0)

    @property
    def joined(self) -> bool:
        return self.queries == self.keys and self.width == self.depth

    @property
    def grads(self) -> tuple[int, int, int]:
        """Elements of each of the three gradients."""
        keys = self.batch * self.heads * self.keys
        return self.rows * self.width, keys * self.width, keys * self.depth


# The definition ---------------------------------------------------------------------------------


def _swapped(x):
    return np.swapaxes(x, -1, -2)


def _scores(params, q, k, mask):
    scores = q @ _swapped(k) * q.dtype.type(params["scale"])
    for given in mask:
        scores = scores + _swapped(given)
    if params["causal"]:
        queries, keys = scores.shape[-2:]
        scores = np.where(np.arange(keys) > np.arange(queries)[:, None], -np.inf, scores)
    return scores.astype(q.dtype, copy=False)


def _attention(params, q, k, v, *mask):
    scores = _scores(params, q, k, mask)
    top = scores.max(-1, keepdims=True)
    top = np.where(np.isneginf(top), 0, top)
    powers = np.exp(scores - top)
    total = powers.sum(-1, keepdims=True)
    outputs = powers @ v / np.where(total == 0, 1, total)
    found = [np.swapaxes(outputs, 1, 2).reshape(-1)]
    if params["keep"]:
        with np.errstate(divide="ignore"):
            logarithm = np.log2(total) + top / np.log(2)
        found.append(np.where(total == 0, np.inf, logarithm).reshape(-1))
    return np.concatenate(found).astype(q.dtype, copy=False)


def _attention_grad(params, memory, q, k, v, grad, *mask):
    sizes = Sizes.of(q, k, v)
    scale = q.dtype.type(params["scale"])
    shape = (sizes.batch, sizes.queries, sizes.heads, sizes.depth)
    outputs = np.swapaxes(memory[: sizes.outputs].reshape(shape), 1, 2)
    logarithm = memory[sizes.outputs :].reshape(*q.shape[:3], 1)
    weights = np.exp2(_scores(params, q, k, mask) / np.log(2) - logarithm)
    inner = grad @ _swapped(v) - (grad * outputs).sum(-1, keepdims=True)
    scores = weights * inner * scale
    found = [scores @ k, _swapped(scores) @ q, _swapped(weights) @ grad]
    found = [np.swapaxes(x, 1, 2) for x in found]
    if sizes.joined:
        found = [np.stack(found, 2)]
    return np.concatenate([x.reshape(-1) for x in found]).astype(q.dtype, copy=False)


# The records ------------------------------------------------------------------------------------


def _checked(name: str, operands) -> Sizes:
    """The sizes of queries, keys, values and perhaps a mask that go together."""
    q, k, v, *mask = operands
    kinds.same_dtype(name, operands)
    sizes = Sizes.of(q, k, v)
    lead = (sizes.batch, sizes.heads)
    shapes = [(*lead, sizes.queries, sizes.width), (*lead, sizes.keys, sizes.width)]
    shapes.append((*lead, sizes.keys, sizes.depth))
    fits = all(x.shape == shape for x, shape in zip((q, k, v), shapes, strict=True))
    whole = (*lead, sizes.keys, sizes.queries)
    for given in mask:
        pairs = zip(given.shape, whole, strict=False)
        fits = fits and given.ndim == 4 and all(n in (1, size) for n, size in pairs)
    if not fits:
        raise kinds.RuleError(
            f"{name}: (B, H, L, E), (B, H, S, E), (B, H, S, F) and perhaps a mask (B, H, S, L), "
            f"whose axes may be 1, are wanted, got {list(operands)}"
        )
    return sizes


def _infer(specs, params):
    sizes = _checked("attention", specs)
    return spec((sizes.kept(params["keep"]),), specs[0].dtype)


attention = register(
    Primitive(
        "attention",
        "attention",
        infer=_infer,
        reference=_attention,
        categories=FLOATS,
        doc="softmax(q k' * scale + mask) v; with ``causal`` without keys after the query. The "
        "mask has keys before queries. Queries that attend to nothing get zeros.",
    )
)


def _infer_grad(specs, params):
    memory, q, k, v, grad, *mask = specs
    sizes = _checked("attention_grad", (q, k, v, *mask))
    if memory.shape != (sizes.kept(True),) or grad.shape != (*q.shape[:3], sizes.depth):
        raise kinds.RuleError(f"attention_grad: {memory} and {grad} are not results of {q}, {v}")
    return spec((sum(sizes.grads),), kinds.same_dtype("attention_grad", specs))


attention_grad = register(
    Primitive(
        "attention_grad",
        "attention",
        infer=_infer_grad,
        reference=_attention_grad,
        categories=FLOATS,
        doc="Gradients of queries, keys and values: from what attention kept, its operands, and "
        "the gradient (B, H, L, F) of its result; the mask comes last.",
    )
)
