"""Indexing behind leading axes, as the native engine rewrites it, against plain NumPy."""

from itertools import pairwise

import numpy as np
import pytest

from facula.base.dtypes import bool_, float16, float32, float64, int8, int64
from facula.engines.native.engine import NativeEngine
from facula.engines.native.lowering.patterns import rewrite
from facula.engines.reference.engine import ReferenceEngine
from facula.graph.node import apply, input_node
from facula.graph.primitives.indexing import index, index_put
from facula.graph.primitives.movement import Data, broadcast, concat, constant, permute, slice_
from facula.graph.spec import spec
from tests.native.widths import vector_bits

CASES = [  # shape, lead, shapes of the indices
    ((4, 9), 1, [(11,)]),
    ((16, 30), 1, [(7,)]),
    ((3, 5), 1, [(2, 6)]),
    ((2, 3, 10, 7), 2, [(5,)]),
    ((5, 6, 40), 1, [(8,)]),
    ((2, 4, 5, 3), 1, [(6,), (6,)]),
    ((2, 4, 5), 1, [(3, 1), (1, 4)]),
    ((6, 9, 300), 1, [(4,)]),
]


def _known(array, dtype=int64):
    data = Data(np.asarray(array, dtype.numpy))
    return apply(constant, (), {"data": data, "dtype": dtype})


def _front(ndim, lead, count):
    first = (*range(lead, lead + count), *range(lead))
    return (*first, *range(len(first), ndim))


def _values(rng, shape, dtype):
    if dtype is bool_:
        return rng.integers(0, 2, shape).astype(np.bool_)
    return np.asarray(rng.integers(-8, 9, shape) / 2).astype(dtype.numpy)


def _permuted(node, axes):
    return apply(permute, (node,), {"axes": tuple(map(int, axes))})


class Program:
    """x[:, ..., i, j], or its gradient, as it is recorded."""

    def __init__(self, shape, lead, shapes, dtype, known=None):
        rng = np.random.default_rng(0)
        self.rng, self.lead, self.count, self.dtype = rng, lead, len(shapes), dtype
        self.shape = shape
        self.where = [rng.integers(0, n, s) for n, s in zip(shape[lead:], shapes, strict=False)]
        self.indices = [input_node(spec(i.shape, int64)) for i in self.where]
        self.buffers = list(self.where)
        self.extra = []
        if known is not None:
            self.where, self.buffers = [np.asarray(known)], []
            self.extra = self.indices = [_known(known)]
        self.behind = np.broadcast(*self.where).ndim if self.where else 0
        self.full = (*shape[:lead], *np.broadcast_shapes(*[i.shape for i in self.where]),
                     *shape[lead + self.count :])  # fmt: skip

    @property
    def place(self):
        return (*[slice(None)] * self.lead, *self.where)

    def run(self, primitive, inputs, nodes, buffers):
        given = [n for n in self.indices if n not in self.extra]
        nodes = [*inputs, *given, *self.extra, *nodes]
        rewritten, results = rewrite(nodes, nodes[-1:])
        names = [n.primitive.name for n in rewritten]
        assert primitive in names
        assert "index" not in names
        assert "index_put" not in names
        buffers = [*buffers, *self.buffers]
        (defined,) = ReferenceEngine().compile(rewritten, results).run(buffers)
        (found,) = NativeEngine().compile(nodes, nodes[-1:]).run(buffers)
        np.testing.assert_array_equal(found, defined)
        return found

    def reads(self, primitive):
        x = input_node(spec(self.shape, self.dtype))
        array = _values(self.rng, self.shape, self.dtype)
        front = _permuted(x, _front(len(self.shape), self.lead, self.count))
        read = apply(index, (front, *self.indices), {})
        order = np.argsort(_front(read.spec.ndim, self.lead, self.behind))
        found = self.run(primitive, [x], [front, read, _permuted(read, order)], [array])
        np.testing.assert_array_equal(found, array[self.place])

    def writes(self, primitive, mode="add", zeros=True):
        g = input_node(spec(self.full, self.dtype))
        array = _values(self.rng, self.full, self.dtype)
        axes = _front(len(self.shape), self.lead, self.count)
        front = tuple([self.shape[a] for a in axes])
        want = np.zeros(self.shape, self.dtype.numpy)
        inputs, buffers = [g], [array]
        if zeros:
            none = _known(0, self.dtype)
            base = apply(broadcast, (none,), {"shape": front})
            nodes = [none, base]
        else:
            want = _values(self.rng, self.shape, self.dtype)
            x = input_node(spec(self.shape, self.dtype))
            inputs, buffers = [x, g], [want.copy(), array]
            base = _permuted(x, axes)
            nodes = [base]
        values = _permuted(g, _front(len(self.full), self.lead, self.behind))
        put = apply(index_put, (base, values, *self.indices), {"mode": mode})
        nodes += [values, put, _permuted(put, np.argsort(axes))]
        found = self.run(primitive, inputs, nodes, buffers)
        if mode == "set":
            want[self.place] = array
        else:
            np.add.at(want, self.place, array)
        np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("dtype", [float32, float64, int8, bool_], ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_reads(case, dtype):
    Program(*case, dtype).reads("index_along")


@pytest.mark.parametrize("dtype", [float32, float16, int64], ids=str)
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_writes(case, zeros, dtype):
    Program(*case, dtype).writes("index_put_along", zeros=zeros)


@pytest.mark.parametrize("bits", [0, 128, 256])
def test_vectors_of_other_widths(bits):
    with vector_bits(bits):
        Program((5, 6, 40), 1, [(8,)], float32).reads("index_along")
        Program((5, 6, 40), 1, [(8,)], float32).writes("index_put_along")
        Program((4, 40), 1, [(0,)], float32, [2, 1, 0, 1, 2, 3, 38, 39]).writes("add_runs")


def test_the_last_of_equal_places_is_kept():
    Program((4, 5), 1, [(20,)], float32).writes("index_put_along", "set", zeros=False)


RUNS = [[1, 0, 1, 2, 3, 4, 3], [0, 0, 0, 1, 2, 3, 4, 4], [3, 4, 0, 1, 2], [2], [4, 4]]


@pytest.mark.parametrize("shape", [(7, 5), (3, 2, 5), (3, 5, 4), (2, 5, 70)], ids=str)
@pytest.mark.parametrize("places", RUNS, ids=str)
def test_known_runs(places, shape):
    lead = shape.index(5)
    Program(shape, lead, [(1,)], float32, places).reads("index_runs")
    Program(shape, lead, [(1,)], float64, places).writes("add_runs")


def test_many_known_runs_are_indices():
    places = np.repeat(np.arange(9), 2)
    Program((3, 9), 1, [(1,)], float32, places).reads("index_along")


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("cuts", [(0, 3, 5), (0, 1, 4, 5)], ids=str)
def test_slices_in_another_order(axis, cuts):
    array = np.random.default_rng(0).standard_normal((5, 5, 5)).astype(np.float32)
    x = input_node(spec(array.shape, float32))
    parts = []
    for first, last in reversed([*pairwise(cuts)]):
        start, stop = [0] * 3, [5] * 3
        start[axis], stop[axis] = first, last
        params = {"start": tuple(start), "stop": tuple(stop), "step": (1, 1, 1)}
        parts.append(apply(slice_, (x,), params))
    nodes = [x, *parts, apply(concat, tuple(parts), {"axis": axis})]
    assert "index_runs" in [n.primitive.name for n in rewrite(nodes, nodes[-1:])[0]]
    (found,) = NativeEngine().compile(nodes, nodes[-1:]).run([array])
    order = np.concatenate([np.arange(a, b) for a, b in reversed([*pairwise(cuts)])])
    np.testing.assert_array_equal(found, np.take(array, order, axis))


@pytest.mark.parametrize("bad", [-1, 9, 2**40])
def test_a_bad_index_is_reported(bad):
    program = Program((4, 9), 1, [(11,)], float32)
    program.where[0][5] = bad
    with pytest.raises(IndexError, match=f"index {bad} is out of bounds for dimension with size 9"):
        program.reads("index_along")
