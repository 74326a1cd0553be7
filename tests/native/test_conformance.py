"""Every primitive, dtype and sample on the native engine beside its NumPy reference.

Each stands alone first, then inside a program that fuses it: operands come through movements and
an operation, results go into reductions, and are results themselves.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from facula.base import dtypes
from facula.base.dtypes import BOOL, COMPLEX, FLOAT
from facula.engines.registry import engine
from facula.graph.build import Trace
from facula.graph.node import Node
from facula.graph.primitive import TABLE
from facula.graph.spec import WEAK, spec
from tests.native.conformance_cases import (
    ELEMENTWISE,
    FLOATS,
    PROGRAMS_ONLY,
    REAL,
    Case,
    structured,
    values,
)
from tests.native.structured_cases import WIDTHS
from tests.native.widths import vector_bits

EPSILON = {
    "float64": 2.0**-52, "complex128": 2.0**-52, "float32": 2.0**-23, "complex64": 2.0**-23,
    "float16": 2.0**-10, "bfloat16": 2.0**-7,
}  # fmt: skip
# The reference itself is this many units of float64 off near the zeros of these.
LOOSE = {"lgamma": 60, "digamma": 60, "erfinv": 10, "erfc": 10}
STRUCTURED = [(case, own) for case in structured() for own in case.owns]
PLAIN = [(p, own) for p in ELEMENTWISE for own in dtypes.ALL if own.category in p.categories]
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 127)


class Program(Trace):
    """A program under construction, with the arrays it is run on."""

    def __init__(self, seed=0):
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.arrays: list = []

    def given(self, array, own) -> Node:
        self.arrays.append(array)
        return self.input(spec(array.shape, own))

    def number(self, number) -> Node:
        """A Python number."""
        self.arrays.append(number)
        return self.input(WEAK[type(number)])

    def add(self, name: str, *inputs: Node, **params) -> Node:
        return self.bind(TABLE[name], inputs, params)

    def check(self, *outputs: Node, loose=1) -> None:
        """Both engines compute the same; a second run does not touch the results of the first."""
        nodes = [*self.inputs, *self.nodes]
        wanted = engine("reference").compile(nodes, outputs).run(list(self.arrays))
        plan = engine("native").compile(nodes, outputs)
        first = plan.run(list(self.arrays))
        kept = [np.array(x) for x in first]
        again = plan.run(list(self.arrays))
        for node, got, copy, second, want in zip(outputs, first, kept, again, wanted, strict=True):
            assert np.asarray(got).tobytes() == copy.tobytes() == np.asarray(second).tobytes()
            agree(node, np.asarray(got), np.asarray(want), loose)


def agree(node: Node, got: np.ndarray, want: np.ndarray, loose=1) -> None:
    """The same up to rounding: sums may round at the size of their largest term."""
    assert got.shape == node.spec.shape
    assert got.dtype == node.spec.dtype.numpy == want.dtype
    if node.spec.dtype.category < FLOAT:
        np.testing.assert_array_equal(got, want, err_msg=str(node))
        return
    finite = np.abs(want[np.isfinite(want)])
    eps = EPSILON[node.spec.dtype.name]
    wide = np.complex128 if node.spec.dtype.category == COMPLEX else np.float64
    limit = max(8 * eps, 2 * loose * EPSILON["float64"])
    atol = limit * max(float(finite.max(initial=0)), 2.0**-8)
    np.testing.assert_allclose(got.astype(wide), want.astype(wide), limit, atol, err_msg=str(node))


def totals(program: Program, node: Node, axes) -> list[Node]:
    """What programs do next with a value: reduce it, turn it round, combine it with itself."""
    found = []
    if node.spec.dtype.category < COMPLEX:
        found.append(program.add("max", node, axes=axes))
    if node.spec.dtype.category != BOOL:
        found.append(program.add("add", node, node))
    if node.spec.ndim:
        found.append(program.add("flip", node, axes=(node.spec.ndim - 1,)))
    return found


# Elementwise ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("primitive", "own"), PLAIN, ids=repr)
def test_elementwise_alone(primitive, own):
    program = Program()
    shapes = [(3, 17), (17,) if primitive.arity > 1 else ()][: primitive.arity]
    arrays = [values(program.rng, s, own, primitive.domain) for s in shapes]
    node = program.add(primitive.name, *[program.given(a, own) for a in arrays])
    program.check(node, loose=LOOSE.get(primitive.name, 1))


@pytest.mark.parametrize(("primitive", "own"), PLAIN, ids=repr)
def test_elementwise_fused(primitive, own):
    program = Program(1)
    x = program.given(values(program.rng, (19, 4, 3), own, primitive.domain), own)
    x = program.add("permute", x, axes=(2, 1, 0))
    x = program.add("slice", x, start=(0, 1, 1), stop=(3, 4, 18), step=(1, 2, 1))
    operands = [x]
    if primitive.arity > 1:
        y = program.given(values(program.rng, (2, 1), own, primitive.domain), own)
        operands.append(y)
    node = program.add(primitive.name, *operands)
    flat = program.add("reshape", node, shape=(6, 17))
    results = [x, *totals(program, flat, (1,)), node]
    program.check(*results, loose=LOOSE.get(primitive.name, 1))


@pytest.mark.parametrize("own", [dtypes.float32, dtypes.int64, dtypes.bool_], ids=repr)
@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1), (0,), (2, 0, 3)], ids=str)
def test_no_dimensions_and_no_elements(own, shape):
    program = Program(2)
    for primitive in ELEMENTWISE:
        if own.category in primitive.categories:
            arrays = [values(program.rng, shape, own, primitive.domain) for _ in range(3)]
            given = [program.given(a, own) for a in arrays[: primitive.arity]]
            program.add(primitive.name, *given)
    exact = [n for n in program.nodes if n.primitive.name not in LOOSE]
    program.check(*exact)


# Sizes ----------------------------------------------------------------------------------------


def check_size(size: int, own) -> None:
    """Rows of a length: loops, rows reduced and used again, columns reduced, transposed reads."""
    program = Program(size)
    x = program.given(values(program.rng, (3, size), own), own)
    y = program.given(values(program.rng, (size, 3), own), own)
    weight = program.number(0.75 if own.category == FLOAT else 3)
    weight = program.add("cast", weight, dtype=own)
    mixed = program.add("add", program.add("permute", y, axes=(1, 0)), x)
    mixed = program.add("mul", mixed, weight)
    top = program.add("reshape", program.add("max", mixed, axes=(1,)), shape=(3, 1))
    centred = program.add("sub", mixed, top)
    rows = program.add("sum", program.add("mul", centred, centred), axes=(1,))
    columns = program.add("min", mixed, axes=(0,))
    low = program.add("sum", program.add("minimum", x, columns), axes=(0, 1))
    program.check(mixed, top, centred, rows, columns, low)


@pytest.mark.parametrize("own", [dtypes.float32, dtypes.float16, dtypes.int8, dtypes.int64])
@pytest.mark.parametrize("size", SIZES)
def test_sizes_around_vectors(size, own):
    check_size(size, own)


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("size", [1, 7, 17, 33])
def test_every_width_of_vectors(size, bits):
    with vector_bits(bits):
        check_size(size, dtypes.float32)


# Structured -----------------------------------------------------------------------------------


def operands_of(program: Program, case: Case, own) -> list[tuple]:
    """(array or number, its dtype) for each operand."""
    found = []
    for operand in case.operands:
        if isinstance(operand, tuple):
            found.append((values(program.rng, operand, own), own))
        elif callable(operand):
            found.append((operand(program.rng, own), own))
        elif isinstance(operand, np.ndarray):
            found.append((operand, dtypes.bool_ if operand.dtype == bool else dtypes.int64))
        else:
            found.append((operand, None))
    return found


def name_of(value) -> str:
    if isinstance(value, Case):
        return f"{value.name}-{value.operands[0] if value.operands else ''}"
    return repr(value)


@pytest.mark.parametrize(("case", "own"), STRUCTURED, ids=name_of)
def test_structured_alone(case, own):
    program = Program(3)
    given = [
        program.number(a) if dtype is None else program.given(a, dtype)
        for a, dtype in operands_of(program, case, own)
    ]
    program.check(program.add(case.name, *given, **case.params))


def computed_operand(program: Program, array, own) -> Node:
    """The array again, as the result of a permutation and an operation that changes nothing."""
    axes = tuple(reversed(range(array.ndim)))
    node = program.given(array.transpose(axes).copy(), own)
    node = program.add("permute", node, axes=axes)
    if own.category == COMPLEX:
        return node
    least = program.given(np.asarray(array.min(), array.dtype), own)
    return program.add("maximum", node, least)


@pytest.mark.parametrize(("case", "own"), STRUCTURED, ids=name_of)
def test_structured_fused(case, own):
    program = Program(4)
    inner = [
        program.number(a) if dtype is None else computed_operand(program, a, dtype)
        for a, dtype in operands_of(program, case, own)
    ]
    node = program.add(case.name, *inner, **case.params)
    results = totals(program, node, tuple(range(node.spec.ndim)))
    program.check(node, *results, *[n for n in inner if not n.spec.weak][:1])


# Programs -------------------------------------------------------------------------------------


def test_every_primitive_has_a_case():
    tested = {p.name for p in ELEMENTWISE} | {case.name for case, _ in STRUCTURED}
    native = {name for name, p in TABLE.items() if p.kind != "host"}
    assert native - tested - set(PROGRAMS_ONLY) == set()


def test_one_program_of_many_dtypes():
    program = Program(5)
    x = program.given(values(program.rng, (3, 17), dtypes.int64), dtypes.int64)
    results: list[Node] = [x]
    for own in [*REAL, *reversed(REAL)]:
        x = program.add("cast", x, dtype=own)
        if own.category == FLOAT:
            x = program.add("mul", x, program.given(values(program.rng, (17,), own), own))
        results.append(x)
        results.append(program.add("max", x, axes=(0,)))
    program.check(*results)


@pytest.mark.parametrize("own", FLOATS, ids=repr)
def test_inputs_and_constants_and_results_twice_are_results(own):
    program = Program(6)
    x = program.given(values(program.rng, (3, 17), own), own)
    y = program.add("exp", x)
    same = program.add("reshape", x, shape=(17, 3))
    count = program.add("iota", size=4, dtype=dtypes.int64)
    program.check(y, x, same, y, count)


def test_library_calls_between_native_code():
    program = Program(7)
    a = program.given(program.rng.normal(size=(5, 5)).astype(np.float32), dtypes.float32)
    b = program.given(program.rng.normal(size=(5, 5)).astype(np.float32), dtypes.float32)
    pair = program.add("qr", program.add("exp", program.add("add", a, b)), mode="reduced")
    q, r = program.pick(pair, 0), program.pick(pair, 1)
    product = program.add("matmul", q, r)
    program.check(product, program.add("sum", program.add("abs", product), axes=(0, 1)), a)


@pytest.mark.parametrize("bad", [5, -1, 2**40, -(2**62)])
@pytest.mark.parametrize("name", ["gather", "index", "scatter", "index_put"])
def test_bad_indices_are_refused_and_forgotten(name, bad):
    program = Program(8)
    x = program.given(values(program.rng, (5, 7), dtypes.float32), dtypes.float32)
    rows = name in ("index", "index_put")
    where = np.zeros((3,) if rows else (3, 7), np.int64)
    index = program.given(where, dtypes.int64)
    new = values(program.rng, (3, 7), dtypes.float32)
    match name:
        case "gather":
            node = program.add(name, x, index, axis=0)
        case "index":
            node = program.add(name, x, index)
        case "scatter":
            node = program.add(name, x, index, program.given(new, x.spec.dtype), axis=0, mode="add")
        case _:
            node = program.add(name, x, program.given(new, x.spec.dtype), index, mode="add")
    plan = engine("native").compile([*program.inputs, *program.nodes], [node])
    where.flat[-1] = bad
    message = f"index {bad} is out of bounds for dimension with size 5"
    for kind in ("reference", "native"):
        with pytest.raises(IndexError, match=message):
            engine(kind).compile([*program.inputs, *program.nodes], [node]).run(program.arrays)
    with pytest.raises(IndexError, match=message):
        plan.run(program.arrays)
    where.flat[-1] = 4
    wanted = engine("reference").compile([*program.inputs, node], [node]).run(program.arrays)
    np.testing.assert_allclose(plan.run(program.arrays)[0], wanted[0], 1e-6)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((300_001,), (0,)), ((2, 70_000), (1,)), ((70_001, 3), (0,)), ((90, 2, 1500), (0, 2))],
)
@pytest.mark.parametrize("own", [dtypes.float32, dtypes.bfloat16], ids=repr)
def test_long_sums_stay_exact(shape, axes, own):
    program = Program(9)
    number = 2.71875 if own is dtypes.bfloat16 else np.float32(np.e)  # rounds the same way always
    x = program.given(np.full(shape, number, np.float32), own)
    nodes = [*program.inputs, program.add("sum", x, axes=axes)]
    (got,) = engine("native").compile(nodes, nodes[-1:]).run(program.arrays)
    want = program.arrays[0].astype(np.float64).sum(axes)
    np.testing.assert_allclose(got, want, {"float32": 4e-6, "bfloat16": 2.0**-8}[own.name])


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="fences need mprotect")
def test_no_kernel_leaves_its_buffers():
    chosen = "structured_fused and (float32 or cast) or elementwise_fused and int16 or sizes"
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.native.fenced_plans", "-k", chosen,
         "-p", "no:cacheprovider", __file__],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]
