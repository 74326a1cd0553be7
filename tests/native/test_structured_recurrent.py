"""Recurrent layers beside their definition: batches that do not divide, any length and width."""

from __future__ import annotations

import numpy as np
import pytest

from facula.base import dtypes
from facula.engines.native import structured
from facula.graph.node import apply, input_node
from facula.graph.primitive import TABLE
from facula.graph.primitives.recurrence import CELLS
from facula.graph.spec import spec
from tests.native.kernel_runs import run_pieces
from tests.native.structured_cases import WIDTHS
from tests.native.widths import vector_bits

SIZES = [(1, 1, 1), (3, 2, 5), (4, 17, 16), (2, 11, 33), (2, 70, 20), (1, 8, 40)]


def _operands(rng, cell, steps, batch, hidden, biased):
    kind = CELLS[cell]
    shapes = [(steps, batch, kind.gates * hidden), (kind.gates * hidden, hidden)]
    shapes += [(batch, hidden)] * kind.states + [(kind.gates * hidden,)] * biased
    return [rng.normal(size=shape) / 2 for shape in shapes]


def _doubled(array):
    return array if array.dtype == np.int64 else array.astype(np.float64)


def _check(name, params, arrays, own, seed):
    """The native result beside the definition in double precision."""
    given = [a if a.dtype == np.int64 else a.astype(own.numpy) for a in arrays]
    specs = [spec(a.shape, dtypes.int64 if a.dtype == np.int64 else own) for a in given]
    made = apply(TABLE[name], tuple(map(input_node, specs)), params).spec
    lowered = structured.lower(name, params, specs, made)
    got, _ = run_pieces(lowered, given, made.shape, own.numpy, seed)
    want = TABLE[name].reference(params, *[_doubled(a) for a in given])
    limit = {"float32": 1e-4, "float64": 1e-12}[own.name]
    np.testing.assert_allclose(got, want, limit, limit * np.abs(want).max())
    return want


def _check_cell(cell, own, sizes, seed=0, ragged=False):
    rng = np.random.default_rng(seed)
    for number, (steps, batch, hidden) in enumerate(sizes):
        reverse, biased = number % 2 == 1, number % 3 == 0
        arrays = _operands(rng, cell, steps, batch, hidden, biased)
        lengths = []
        if ragged:
            reverse, lengths = False, [rng.integers(1, steps + 1, batch)]
            arrays += lengths
        params = {"cell": cell, "reverse": reverse}
        _check("recurrence", {**params, "keep": False}, arrays, own, seed)
        memory = _check("recurrence", {**params, "keep": True}, arrays, own, seed)
        shapes = [(steps, batch, hidden)] + [(batch, hidden)] * CELLS[cell].states
        gradients = [rng.normal(size=shape) for shape in shapes]
        _check("recurrence_grad", params, [memory, arrays[1], *gradients, *lengths], own, seed)


@pytest.mark.parametrize("own", [dtypes.float32, dtypes.float64], ids=repr)
@pytest.mark.parametrize("cell", CELLS)
def test_cells(cell, own):
    _check_cell(cell, own, SIZES)


@pytest.mark.parametrize("own", [dtypes.float32, dtypes.float64], ids=repr)
@pytest.mark.parametrize("cell", CELLS)
def test_sequences_of_several_lengths(cell, own):
    _check_cell(cell, own, [(7, 30, 20), (9, 3, 16), (4, 13, 7)], ragged=True)


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_vectors_of_any_width(cell, bits):
    with vector_bits(bits):
        _check_cell(cell, dtypes.float32, SIZES[2:], bits)


def test_every_length_shares_its_code():
    keys = set()
    for steps in (1, 7, 500):
        shapes = [(steps, 4, 32), (32, 8), (4, 8), (4, 8)]
        specs = [spec(shape, dtypes.float32) for shape in shapes]
        params = {"cell": "lstm", "reverse": False, "keep": True}
        made = apply(TABLE["recurrence"], tuple(map(input_node, specs)), params).spec
        lowered = structured.lower("recurrence", params, specs, made)
        keys.add(tuple(piece.kernel.key for piece in lowered.pieces))
    assert len(keys) == 1


def test_other_floats_are_left_to_the_definition():
    specs = [spec(s, dtypes.bfloat16) for s in [(2, 3, 16), (16, 4), (3, 4), (3, 4)]]
    params = {"cell": "lstm", "reverse": False, "keep": False}
    assert structured.lower("recurrence", params, specs, specs[0]) is None
