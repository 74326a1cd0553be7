"""Sums of windows and slices at known places, against plain NumPy."""

import numpy as np
import pytest

from facula.base.dtypes import float32, float64, int64
from facula.engines.native.engine import NativeEngine
from facula.engines.native.lowering.patterns import rewrite
from facula.graph.node import apply, input_node
from facula.graph.primitives.elementwise import add
from facula.graph.primitives.movement import (
    Data,
    broadcast,
    constant,
    permute,
    window,
    window_update,
)
from facula.graph.spec import spec

ROWS, COLUMNS = 12, 37


def _number(value, dtype):
    data = Data(np.asarray(value, dtype.numpy))
    return apply(constant, (), {"data": data, "dtype": dtype})


class Case:
    """Values of some widths put at some columns of zeros, all added; perhaps to an array."""

    def __init__(self, places, dtype=float32, known=False, base=False, step=1):
        draw = np.random.default_rng(0)
        self.inputs, self.buffers, self.nodes = [], [], []
        zeros = self._new(broadcast, self._known(0, dtype), shape=(ROWS, COLUMNS))
        self.expected = np.zeros((ROWS, COLUMNS), dtype.numpy)
        total = None
        if base:
            self.expected += draw.standard_normal((ROWS, COLUMNS)).astype(dtype.numpy)
            total = self._input(self.expected.copy(), spec((ROWS, COLUMNS), dtype))
        for at, width in places:
            array = draw.standard_normal((ROWS, width)).astype(dtype.numpy)
            self.expected[:, at : at + (width - 1) * step + 1 : step] += array
            value = self._input(array, spec((ROWS, width), dtype))
            start = self._known(at, int64) if known else self._input(at, spec((), int64, True))
            where = {"axes": (1,), "sizes": (ROWS, width), "steps": (1, step)}
            put = self._new(window_update, zeros, value, start, **where)
            total = put if total is None else self._new(add, total, put)
        self.outputs = [total]

    def _input(self, buffer, of):
        self.inputs.append(input_node(of))
        self.buffers.append(buffer)
        return self.inputs[-1]

    def _new(self, primitive, *operands, **params):
        self.nodes.append(apply(primitive, operands, params))
        return self.nodes[-1]

    def _known(self, value, dtype):
        self.nodes.append(_number(value, dtype))
        return self.nodes[-1]

    def check(self, primitive: str):
        nodes = [*self.inputs, *self.nodes]
        rewritten, _ = rewrite(nodes, self.outputs)
        names = [n.primitive.name for n in rewritten]
        assert primitive in names and "window_update" not in names
        (found,) = NativeEngine().compile(nodes, self.outputs).run(self.buffers)
        np.testing.assert_allclose(found, self.expected, rtol=1e-6, atol=1e-6)


APART = [(0, 5), (20, 17), (6, 3)]
OVER_EACH_OTHER = [(3, 20), (0, 30), (36, 1)]
ALL = [(16, 21), (0, 9), (9, 7)]


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("base", [False, True])
@pytest.mark.parametrize("places", [APART, OVER_EACH_OTHER, ALL])
def test_values_are_added_to_windows(places, base, dtype):
    Case(places, dtype, base=base).check("window_sum_into")


def test_values_at_every_third_column():
    Case([(0, 12), (1, 12), (2, 3)], step=3).check("window_sum_into")


@pytest.mark.parametrize("base", [False, True])
def test_values_side_by_side_are_joined(base):
    Case(ALL, known=True, base=base).check("concat")


@pytest.mark.parametrize("places", [APART, OVER_EACH_OTHER])
def test_known_places_that_leave_gaps_are_not_joined(places):
    Case(places, known=True).check("window_sum_into")


def test_other_terms_stay():
    """An addition that somebody else reads too is a term of its own."""
    case = Case(APART)
    inner = case.nodes[-1].inputs[0]
    case.outputs.append(inner)
    nodes = [*case.inputs, *case.nodes]
    whole, part = NativeEngine().compile(nodes, case.outputs).run(case.buffers)
    np.testing.assert_allclose(whole, case.expected, rtol=1e-6)
    last = np.zeros_like(whole)
    at, width = APART[-1]
    last[:, at : at + width] = case.buffers[-2]
    np.testing.assert_allclose(part + last, whole, rtol=1e-6)


@pytest.mark.parametrize("start", [0, 4, 11])
def test_windows_at_known_places_are_slices(start):
    x = input_node(spec((20, 30), float32))
    at = _number(start, int64)
    part = apply(window, (x, at), {"axes": (0,), "sizes": (5, 30), "steps": (2, 1)})
    nodes = [x, at, part]
    assert "slice" in [n.primitive.name for n in rewrite(nodes, [part])[0]]
    array = np.random.default_rng(0).standard_normal((20, 30)).astype(np.float32)
    (found,) = NativeEngine().compile(nodes, [part]).run([array])
    np.testing.assert_array_equal(found, array[start : start + 9 : 2])


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_a_value_put_into_zeros_is_turned_before(order):
    given = input_node(spec((5, 1, 8), float32))
    start = input_node(spec((), int64, True))
    zero = _number(0, float32)
    zeros = apply(broadcast, (zero,), {"shape": (5, 6, 8)})
    where = {"axes": (1,), "sizes": (5, 1, 8), "steps": (1, 1, 1)}
    put = apply(window_update, (zeros, given, start), where)
    turned = apply(permute, (put,), {"axes": order})
    nodes = [given, start, zero, zeros, put, turned]
    rewritten, _ = rewrite(nodes, [turned])
    assert rewritten[-1].primitive is window_update
    value = np.random.default_rng(0).standard_normal((5, 1, 8)).astype("f")
    found = NativeEngine().compile(nodes, [turned]).run([value, np.int64(4)])[0]
    expected = np.zeros((5, 6, 8), "f")
    expected[:, 4:5] = value
    assert (np.asarray(found) == expected.transpose(order)).all()
