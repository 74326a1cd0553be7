"""Recurrent layers beside their definition: batches that do not divide, any length and width."""

from __future__ import annotations

import numpy as np
import pytest

from facula.base import dtypes
from facula.engines.native import structured
from facula.graph.node import apply, input_node
from facula.graph.primitive import TABLE
from facula.graph.primitives.recurrence import CELLS, Places
from facula.graph.spec import spec
from tests.native.kernel_runs import run_pieces
from tests.native.structured_cases import WIDTHS
from tests.native.widths import vector_bits

RUN = {"keep": True, "started": True, "direct": False}
SIZES = [(1, 1, 1), (3, 2, 5), (4, 17, 16), (2, 11, 33), (2, 70, 20), (1, 8, 40)]


def _operands(rng, cell, steps, batch, hidden, biased, started, inputs=0):
    kind = CELLS[cell]
    rows = kind.gates * hidden
    shapes = [(steps, batch, inputs), (rows, inputs)] if inputs else [(steps, batch, rows)]
    shapes += [(rows, hidden), *[(batch, hidden)] * kind.states * started, *[(rows,)] * biased]
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


def _check_cell(cell, own, sizes, seed=0, ragged=False, inputs=0):
    rng = np.random.default_rng(seed)
    for number, (steps, batch, hidden) in enumerate(sizes):
        reverse, biased, started = number % 2 == 1, number % 3 == 0, number % 4 != 1
        arrays = _operands(rng, cell, steps, batch, hidden, biased, started, inputs)
        lengths = []
        if ragged:
            reverse, lengths = False, [rng.integers(1, steps + 1, batch)]
            arrays += lengths
        params = {"cell": cell, "reverse": reverse, "started": started}
        forward = {**params, "direct": bool(inputs)}
        _check("recurrence", {**forward, "keep": False}, arrays, own, seed)
        memory = _check("recurrence", {**forward, "keep": True}, arrays, own, seed)
        shapes = [(steps, batch, hidden)] + [(batch, hidden)] * CELLS[cell].states
        gradients = [rng.normal(size=shape) for shape in shapes]
        given = [memory, arrays[2 if inputs else 1], *gradients, *lengths]
        _check("recurrence_grad", {**params, "at": False}, given, own, seed)
        at = np.asarray(rng.integers(0, steps))
        given[2:3] = [given[2][:1], at]
        _check("recurrence_grad", {**params, "at": True}, given, own, seed)


@pytest.mark.parametrize("own", [dtypes.float32, dtypes.float64], ids=repr)
@pytest.mark.parametrize("cell", CELLS)
def test_cells(cell, own):
    _check_cell(cell, own, SIZES)


@pytest.mark.parametrize("own", [dtypes.float32, dtypes.float64], ids=repr)
@pytest.mark.parametrize("cell", CELLS)
def test_sequences_of_several_lengths(cell, own):
    _check_cell(cell, own, [(7, 30, 20), (9, 3, 16), (4, 13, 7)], ragged=True)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if cell.summed])
def test_inputs_are_multiplied_on_the_way(cell, ragged):
    sizes = [(7, 30, 20), (9, 3, 16), (4, 13, 7), (1, 5, 8), (3, 16, 64)]
    for own, inputs in ((dtypes.float32, 5), (dtypes.float64, 33)):
        _check_cell(cell, own, sizes, ragged=ragged, inputs=inputs)


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_vectors_of_any_width(cell, bits):
    with vector_bits(bits):
        _check_cell(cell, dtypes.float32, SIZES[2:], bits)


def test_every_length_shares_its_code():
    keys = set()
    for steps in (1, 7, 500):
        shapes = [(steps, 4, 32), (32, 8), (4, 8), (4, 8)]
        params = {"cell": "lstm", "reverse": False}
        pieces = _pieces("recurrence", {**params, **RUN}, shapes)
        memory = (Places(CELLS["lstm"], steps, 4, 8).size(True),)
        shapes = [memory, (32, 8), (steps, 4, 8), (4, 8), (4, 8)]
        pieces += _pieces("recurrence_grad", {**params, "started": True, "at": False}, shapes)
        keys.add(tuple(piece.kernel.key for piece in pieces))
    assert len(keys) == 1


def _pieces(name, params, shapes):
    specs = [spec(shape, dtypes.float32) for shape in shapes]
    made = apply(TABLE[name], tuple(map(input_node, specs)), params).spec
    return structured.lower(name, params, specs, made).pieces


def test_other_floats_are_left_to_the_definition():
    specs = [spec(s, dtypes.bfloat16) for s in [(2, 3, 16), (16, 4), (3, 4), (3, 4)]]
    params = {"cell": "lstm", "reverse": False, **RUN}
    assert structured.lower("recurrence", params, specs, specs[0]) is None
