"""Padded sequences to packed rows and back: where the rows stand is data, not part of a program."""

from __future__ import annotations

import numpy as np

from facula.base import dtypes
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.operator import Number, operator


def _shape(x):
    return x._value.spec.shape


@operator(
    name="PackPaddedSequence",
    derivative={
        "padded": lambda g, call, packing: pad_rows(g, 0.0, packing, call.in_specs[0].shape[0])
    },
)
def pack_rows(padded, packing):
    """The rows of (T, B, ...) that belong to sequences, step by step.

    ``packing`` is (lengths (B), packed row of each place (t, B), place t * B + b of each packed
    row); t may be less than T.
    """
    steps, batch, *rest = _shape(padded)
    return kit.bind(ix.index, kit.reshape(padded, (steps * batch, *rest)), packing[2])


@operator(
    name="PadPackedSequence",
    derivative={"data": lambda g, packing: pack_rows(g, packing)},
)
def pad_rows(data, value: Number, packing, steps: int):
    """Packed rows as (steps, B, ...), with ``value`` where there is none."""
    lengths, rows, _ = packing
    longest, batch = _shape(rows)
    rest = _shape(data)[1:]
    own = data._value.spec.dtype
    value = kit.as_dtype(value, own)
    now = kit.table(np.arange(longest).reshape(-1, 1), dtypes.int64)
    inside = kit.bind(e.less, now, lengths)
    inside = kit.reshape(inside, (longest, batch, *[1] * len(rest)))
    padded = kit.bind(e.select, inside, kit.bind(ix.index, data, rows), value)
    if steps == longest:
        return padded
    none = (0,) * (1 + len(rest))
    return kit.bind(m.pad, padded, value, low=(0, *none), high=(steps - longest, *none))
