"""For every primitive: parameters and operands, to be run on two engines beside one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import BOOL, COMPLEX, FLOAT, INTEGER
from facula.engines.reference.bfloat16 import round_to_bfloat16
from facula.graph.primitive import TABLE
from facula.graph.primitives.attention import Sizes
from facula.graph.primitives.movement import Data
from facula.graph.primitives.recurrence import CELLS, Places
from facula.operators import namespaces as _operators  # noqa: F401 (all of them fill the table)

ELEMENTWISE = [p for p in TABLE.values() if p.domain is not None]
REAL = [d for d in dtypes.ALL if d.category <= FLOAT]
FLOATS = [d for d in REAL if d.category == FLOAT]
PROGRAMS_ONLY = ("input", "pick")  # parts of a program rather than operations


@dataclass
class Case:
    """Operands are shapes, of the tested dtype; arrays and numbers; or what makes an array."""

    name: str
    operands: list
    params: dict = field(default_factory=dict)
    owns: list = field(default_factory=lambda: REAL)


def whole(rng, shape, bound) -> np.ndarray:
    return rng.integers(0, bound, shape).astype(np.int64)


def _window(kernel, stride, padding, dilation, sizes) -> dict:
    reach = zip(sizes, padding, kernel, dilation, stride, strict=True)
    out = [(n + a + b - d * (k - 1) - 1) // s + 1 for n, (a, b), k, d, s in reach]
    return {
        "kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation,
        "out": tuple(out),
    }  # fmt: skip


def _edges(rng, own) -> np.ndarray:
    return np.sort(values(rng, (13,), own))


def _reductions() -> Iterator[Case]:
    shapes = [
        ((5,), (0,)),
        ((3, 17), (1,)),
        ((33, 5), (0,)),
        ((2, 3, 19), (0, 2)),
        ((4, 6), (0, 1)),
    ]
    integers = [d for d in REAL if d.category in (INTEGER, FLOAT)]
    for name in ("sum", "prod", "max", "min"):
        for shape, axes in shapes:
            owns = integers if name in ("sum", "prod") else REAL
            yield Case(name, [shape], {"axes": axes}, owns)
    for name in ("argmax", "argmin", "cumsum", "cumprod", "cumargmax", "cumargmin"):
        for shape, axis in [((5,), 0), ((3, 17), 1), ((33, 5), 0), ((2, 19, 3), 1)]:
            owns = integers if name in ("cumsum", "cumprod") else REAL
            yield Case(name, [shape], {"axis": axis}, owns)
    yield Case("logcumsumexp", [(3, 17)], {"axis": 1}, FLOATS)
    for descending in (False, True):
        for shape, axis in [((33,), 0), ((3, 17), 1), ((20, 3), 0)]:
            yield Case("argsort", [shape], {"axis": axis, "descending": descending})
    for right in (False, True):
        yield Case("searchsorted", [_edges, (3, 7)], {"right": right})


def _movements() -> Iterator[Case]:
    x = (3, 4, 17)
    yield Case("broadcast", [(4, 1)], {"shape": (3, 4, 17)})
    yield Case("broadcast", [()], {"shape": (33,)})
    yield Case("reshape", [x], {"shape": (6, 34)})
    yield Case("permute", [x], {"axes": (2, 0, 1)})
    yield Case("permute", [(16, 33)], {"axes": (1, 0)})
    yield Case("flip", [x], {"axes": (0, 2)})
    bounds = {"start": (0, 1, 2), "stop": (3, 4, 17), "step": (2, 1, 3)}
    yield Case("slice", [x], bounds)
    yield Case("slice_update", [x, (2, 3, 5)], bounds)
    starts = [1, 4]
    places = {"axes": (1, 2), "sizes": (3, 2, 5), "steps": (1, 2, 2)}
    yield Case("window", [x, *starts], places)
    yield Case("window_update", [x, (3, 2, 5), *starts], places)
    yield Case("pad", [x, ()], {"low": (1, 0, 3), "high": (0, 2, 1)})
    for axis, shapes in [(0, [(2, 5), (1, 5), (3, 5)]), (1, [(3, 16), (3, 1), (3, 18)])]:
        yield Case("concat", list(shapes), {"axis": axis})
    pairs = [(dtypes.float32, dtypes.int32), (dtypes.int64, dtypes.float64)]
    for own, to in pairs:
        yield Case("bitcast", [(3, 17)], {"dtype": to, "shape": (3, 17)}, [own])
    yield Case("bitcast", [(3, 4)], {"dtype": dtypes.uint8, "shape": (3, 16)}, [dtypes.float32])


def _indexing() -> Iterator[Case]:
    rng = np.random.default_rng(2)
    yield Case("gather", [(5, 7), whole(rng, (4, 7), 5)], {"axis": 0})
    yield Case("gather", [(5, 7), whole(rng, (5, 19), 7)], {"axis": 1})
    yield Case("index", [(6, 17), whole(rng, (3, 2), 6)])
    yield Case("index", [(6, 5, 4), whole(rng, (3, 1), 6), whole(rng, (7,), 5)])
    for mode in ("set", "add", "multiply", "maximum", "minimum"):
        owns = [d for d in REAL if d.category != BOOL or mode == "set"]
        index, values = whole(rng, (4, 7), 5), (4, 7)
        if mode == "set":  # which of two writers wins is not defined
            index = np.argsort(rng.random((5, 7)), axis=0)[:4].astype(np.int64)
        yield Case("scatter", [(5, 7), index, values], {"axis": 0, "mode": mode}, owns)
        rows = rng.permutation(9)[:6] if mode == "set" else whole(rng, (6,), 9)
        yield Case("index_put", [(9, 17), (6, 17), rows], {"mode": mode}, owns)


def _windows() -> Iterator[Case]:
    numbers = [d for d in REAL if d.category in (INTEGER, FLOAT)]
    for given in [
        ((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
        ((3, 3), (2, 1), ((1, 1), (1, 0)), (1, 2)),
    ]:
        params = _window(*given, (9, 18))
        for name in ("window_max", "window_argmax", "window_sum"):
            yield Case(name, [(2, 3, 9, 18)], params, numbers)
        shape = (2, 3, *params["out"])
        yield Case("window_spread", [shape], {**params, "sizes": (9, 18)}, numbers)


def _contractions() -> Iterator[Case]:
    numbers = [d for d in REAL if d.category in (INTEGER, FLOAT)]
    yield Case("matmul", [(3, 5), (5, 17)], {}, numbers)
    yield Case("matmul", [(2, 1, 4, 7), (3, 7, 16)], {}, FLOATS)
    for groups in (1, 2):
        params = {
            "stride": (2, 1), "padding": ((1, 1), (0, 2)), "dilation": (1, 1), "groups": groups
        }  # fmt: skip
        x, w, out = (2, 4, 9, 18), (6, 4 // groups, 3, 3), (2, 6, 5, 18)
        yield Case("conv", [x, w], params, FLOATS)
        yield Case("conv_input_grad", [out, w], {**params, "shape": x}, FLOATS)
        yield Case("conv_weight_grad", [out, x], {**params, "shape": w}, FLOATS)


def _makers() -> Iterator[Case]:
    rng = np.random.default_rng(3)
    condition = rng.integers(0, 2, (3, 1)).astype(np.bool_)
    yield Case("select", [condition, (3, 17), (17,)], {}, [*REAL, dtypes.complex64])
    for own in dtypes.ALL:
        data = Data(values(rng, (3, 17), own))
        yield Case("constant", [], {"data": data, "dtype": own}, [own])
    for own in REAL:
        if own.category in (INTEGER, FLOAT):
            yield Case("iota", [], {"size": 33, "dtype": own}, [own])
        yield Case("cast", [(3, 17)], {"dtype": own}, dtypes.ALL)
    halves = [dtypes.complex64, dtypes.complex128]
    for name in ("real", "imag", "complex_abs"):
        yield Case(name, [(3, 17)], {}, halves)
    yield Case("make_complex", [(3, 17), (17,)], {}, [dtypes.float32, dtypes.float64])


def _small(*shape):
    """Weights whose products with vectors are not much larger than these."""
    return lambda rng, own: values(rng, shape, own, (-0.25, 0.25))


def _recurrences() -> Iterator[Case]:
    steps, batch, hidden = 3, 9, 17
    for name, cell in CELLS.items():
        places = Places(cell, steps, batch, hidden)
        weight, state = _small(cell.gates * hidden, hidden), (batch, hidden)
        given = [(steps, batch, cell.gates * hidden), weight, *[state] * cell.states]
        bias = (cell.gates * hidden,)
        params = {"cell": name, "reverse": False, "keep": True, "started": True, "direct": False}
        yield Case("recurrence", given, params, FLOATS)
        params = {"cell": name, "reverse": True, "keep": False, "started": False, "direct": False}
        yield Case("recurrence", [*given[:2], bias], params, FLOATS)
        inputs = [(steps, batch, 5), _small(cell.gates * hidden, 5)]
        if cell.summed:
            yield Case("recurrence", [*inputs, weight, bias], {**params, "direct": True}, FLOATS)
        given = [(places.size(True),), weight, (steps, batch, hidden), *[state] * cell.states]
        for reverse in (False, True):
            params = {"cell": name, "reverse": reverse, "started": reverse, "at": False}
            yield Case("recurrence_grad", given, params, FLOATS)


def _attentions() -> Iterator[Case]:
    for rows, depth in ((35, 6), (20, 11)):
        sizes = Sizes(2, 2, 20, rows, 6, depth)
        given = [_small(2, 2, 20, 6), (2, 2, rows, 6), (2, 2, rows, depth)]
        mask = _small(2, 1, rows, 20)
        params = {"scale": 0.5, "causal": rows == 35}
        yield Case("attention", given, {**params, "keep": True}, FLOATS)
        yield Case("attention", [*given, mask], {**params, "keep": False}, FLOATS)
        given = [_small(sizes.kept(True)), *given, (2, 2, 20, depth)]
        yield Case("attention_grad", given, params, FLOATS)
        yield Case("attention_grad", [*given, mask], params, FLOATS)


def structured() -> list[Case]:
    """Cases of all primitives that are not plainly elementwise and not calls of libraries."""
    makers = (
        _reductions,
        _movements,
        _indexing,
        _windows,
        _contractions,
        _recurrences,
        _attentions,
        _makers,
    )
    return [case for make in makers for case in make()]


def values(rng, shape, own: dtypes.dtype, domain=(-3.0, 3.0)) -> np.ndarray:
    """Numbers of a dtype inside a domain; multiples of 1/8, so that equal ones occur."""
    low, high = domain
    if own.category == BOOL:
        return np.asarray(rng.integers(0, 2, shape)).astype(np.bool_)
    if own.category == INTEGER:
        low = max(0, int(np.ceil(low))) + (low > 0) if not own.is_signed else int(np.ceil(low))
        found = rng.integers(low, int(high) + 2, shape)
        return np.asarray(found).astype(own.numpy)
    found = np.clip(np.round(rng.uniform(low, high, shape) * 8) / 8, low, high)
    if own.category == COMPLEX:
        found = found + 0.5j
    found = np.asarray(found).astype(own.numpy)
    return round_to_bfloat16(found) if own is dtypes.bfloat16 else found
