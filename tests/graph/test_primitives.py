"""Generated from the primitive table: what is inferred is what NumPy computes, for every dtype."""

from __future__ import annotations

import numpy as np
import pytest

from facula.base import dtypes
from facula.engines.reference.bfloat16 import round_to_bfloat16
from facula.engines.registry import engine
from facula.graph.node import apply, input_node
from facula.graph.primitive import TABLE
from facula.graph.spec import spec
from facula.operators import namespaces as _operators  # noqa: F401 (all of them fill the table)

SHAPES = [(), (3,), (2, 0), (2, 3, 4)]
ELEMENTWISE = [p for p in TABLE.values() if p.domain is not None]
STORAGE_ONLY = (dtypes.bfloat16, dtypes.uint16, dtypes.uint32, dtypes.uint64)
COMPUTED = [d for d in dtypes.ALL if d not in STORAGE_ONLY]
# Not continuous: rounding the operands changes the result.
JUMPING = ("next_after", "floor_div", "remainder", "fmod")


def sample(rng, shape, own, domain):
    low, high = domain
    if own.category == dtypes.BOOL:
        return rng.integers(0, 2, shape).astype(np.bool_)
    if own.category == dtypes.INTEGER:
        return rng.integers(max(0, int(np.ceil(low))) + 1, int(high) + 2, shape).astype(own.numpy)
    values = rng.uniform(low, high, shape)
    if own.category == dtypes.COMPLEX:
        values = values + 1j * rng.uniform(low, high, shape) * 0.1
    return values.astype(own.numpy)


def run(primitive, arrays, specs, params):
    inputs = [input_node(s) for s in specs]
    node = apply(primitive, tuple(inputs), params)
    program = engine("reference").compile([*inputs, node], [node])
    return node, np.asarray(program.run(arrays)[0])


def taken(wanted):
    """Pairs of a primitive and one of its dtypes."""
    return [(p, own) for p in ELEMENTWISE for own in wanted if own.category in p.categories]


@pytest.mark.parametrize(("primitive", "own"), taken(COMPUTED), ids=repr)
def test_inferred_spec_is_what_is_computed(primitive, own):
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        arity = primitive.arity
        arrays = [sample(rng, shape, own, primitive.domain) for _ in range(arity)]
        arrays = [np.asarray(a) for a in arrays]
        specs = [spec(a.shape, own) for a in arrays]
        node, result = run(primitive, arrays, specs, {})
        assert result.shape == node.spec.shape
        assert result.dtype == node.spec.dtype.numpy


@pytest.mark.parametrize(
    ("primitive", "own"),
    [(p, own) for p, own in taken([dtypes.float32, dtypes.float16]) if p.name not in JUMPING],
    ids=repr,
)
def test_narrow_floats_agree_with_double_precision(primitive, own):
    rng = np.random.default_rng(1)
    narrow = [sample(rng, (200,), own, primitive.domain) for _ in range(primitive.arity)]
    specs = [spec((200,), own)] * len(narrow)
    _, got = run(primitive, narrow, specs, {})
    wide = [a.astype(np.float64) for a in narrow]
    with np.errstate(all="ignore"):
        want = np.asarray(primitive.reference({}, *wide))
    tolerance = {"float32": 4e-6, "float16": 4e-3}[own.name]
    np.testing.assert_allclose(
        got.astype(np.float64), want.astype(np.float64), tolerance, tolerance
    )


CASES = {
    "sum": ({"axes": (0, 2)}, lambda x: x.sum((0, 2))),
    "prod": ({"axes": (1,)}, lambda x: x.prod(1)),
    "max": ({"axes": (1,)}, lambda x: x.max(1)),
    "min": ({"axes": (0, 1, 2)}, lambda x: x.min()),
    "argmax": ({"axis": 1}, lambda x: x.argmax(1)),
    "argmin": ({"axis": 0}, lambda x: x.argmin(0)),
    "cumsum": ({"axis": 1}, lambda x: x.cumsum(1)),
    "cumprod": ({"axis": 2}, lambda x: x.cumprod(2)),
    "argsort": ({"axis": 1, "descending": False}, lambda x: x.argsort(1, kind="stable")),
    "reshape": ({"shape": (4, 6)}, lambda x: x.reshape(4, 6)),
    "permute": ({"axes": (2, 0, 1)}, lambda x: x.transpose(2, 0, 1)),
    "flip": ({"axes": (0, 2)}, lambda x: x[::-1, :, ::-1]),
    "slice": ({"start": (0, 1, 0), "stop": (2, 3, 4), "step": (1, 1, 2)}, lambda x: x[:, 1:3, ::2]),
    "broadcast": ({"shape": (5, 2, 3, 4)}, lambda x: np.stack([x] * 5)),
}


@pytest.mark.parametrize("name", CASES)
def test_structured_primitives(name):
    params, oracle = CASES[name]
    x = np.random.default_rng(2).standard_normal((2, 3, 4)).astype(np.float32)
    node, got = run(TABLE[name], [x], [spec(x.shape, dtypes.float32)], params)
    want = np.asarray(oracle(x))
    assert got.shape == node.spec.shape == want.shape
    np.testing.assert_allclose(got, want, 1e-6)


def test_bfloat16_results_are_representable():
    x = np.linspace(-3, 3, 101, dtype=np.float32)
    x = round_to_bfloat16(x)
    _, got = run(TABLE["exp"], [x], [spec(x.shape, dtypes.bfloat16)], {})
    assert (got.view(np.uint32) & 0xFFFF == 0).all()
    np.testing.assert_allclose(got, np.exp(x.astype(np.float64)), 2**-8)


def test_operands_of_two_dtypes_are_refused_when_the_node_is_made():
    inputs = (input_node(spec((2,), dtypes.float32)), input_node(spec((2,), dtypes.float64)))
    with pytest.raises(RuntimeError, match="add: operands must have one dtype"):
        apply(TABLE["add"], inputs, {})


def test_specs_are_interned():
    assert spec((2, 3), dtypes.int8) is spec((2, 3), dtypes.int8)
    assert spec((2, 3), dtypes.int8) is not spec((3, 2), dtypes.int8)
