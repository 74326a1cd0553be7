"""Programs that never repeat: run block by block, on the reference engine and as machine code."""

import random

import numpy as np
import pytest

import facula as torch
from facula.autograd.handle import wrap
from facula.base.flags import flags
from facula.graph.build import Trace
from facula.graph.primitives.indexing import index
from facula.runtime import plans, tiers
from facula.runtime.recorder import Entry, recorder
from facula.runtime.value import Value


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(flags, "engine", "")
    monkeypatch.setattr(tiers, "OFTEN", 3)
    plans.forget()
    yield
    plans.forget()


def newest():
    return plans.known()[-1]


def random_chain(draw, x, library):
    """A sequence of operations that is hardly ever drawn twice, on tensors or arrays."""
    for _ in range(draw.randrange(4, 30)):
        match draw.randrange(6):
            case 0:
                x = x * 0.75 + 1
            case 1:
                x = library.tanh(x)
            case 2:
                x = x @ x.T if draw.random() < 0.5 else x.T
            case 3:
                x = x - x.mean(0)
            case 4:
                x = library.where(x > 0, x, x * x / (abs(x).max() + 1))
            case 5:
                x = library.exp(-abs(x)) - library.minimum(x, x.T) / 3
        if draw.random() < 0.2:
            x = x / (abs(x).max() + 1)
    return x


def test_results_are_numpys_before_and_after_blocks_are_compiled():
    start = np.random.default_rng(0).standard_normal((6, 6))
    engines = []
    for seed in range(40):
        found = random_chain(random.Random(seed), torch.tensor(start), torch)
        expected = random_chain(random.Random(seed), start, np)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-12)
        engines.append(newest().engine)
    assert engines[0] == "reference"
    assert set(engines[20:]) == {tiers.BLOCKS}


def test_blocks_with_several_results_numbers_and_strided_inputs():
    strided = np.arange(24.0, dtype=np.float32).reshape(4, 6).T
    for n in range(12):
        x = torch.from_numpy(strided)
        parts = (x * 0.5).split(2)
        high, where = parts[n % 3].max(1)
        rest = [parts[k % 3] for k in range(n)]
        total = sum(rest, high.sum() + where.sum()) + torch.zeros(2, 4) + n
        halves = strided * 0.5
        pieces = [halves[2 * k : 2 * k + 2] for k in range(3)]
        expected = pieces[n % 3].max(1).sum() + pieces[n % 3].argmax(1).sum() + n
        expected = expected + sum([pieces[k % 3] for k in range(n)], np.zeros((2, 4)))
        assert torch.equal(total, torch.tensor(expected, dtype=torch.float32)), n


def tree(draw, depth, leaf, join):
    if depth == 0 or draw.random() < 0.2:
        return leaf(draw.randrange(5))
    left = tree(draw, depth - 1, leaf, join)
    return join(left, tree(draw, depth - 1, leaf, join))


def test_gradients_of_graphs_that_never_repeat():
    """d/dw of a tree of tanh(w * (left + right)) over rows of a table, by finite differences."""
    rng = np.random.default_rng(1)
    table, weight = rng.standard_normal((5, 3)), rng.standard_normal(3)
    w = torch.tensor(weight, requires_grad=True)
    rows = torch.tensor(table, requires_grad=True)

    def value(draw, weight, table):
        return tree(
            draw, 5, lambda i: table[i], lambda left, right: np.tanh(weight * (left + right))
        ).sum()

    engines = []
    for seed in range(12):
        w.grad = None  # and the gradients of the rows add up
        before = np.zeros((5, 3)) if rows.grad is None else rows.grad.numpy().copy()
        out = tree(
            random.Random(seed),
            5,
            lambda i: rows[torch.tensor(i)],
            lambda left, right: torch.tanh(w * (left + right)),
        )
        out.sum().backward()
        found = None if w.grad is None else w.grad.numpy()
        engines.append(newest().engine)
        step = 1e-6
        for k in range(3):
            moved = np.zeros(3)
            moved[k] = step
            numeric = value(random.Random(seed), weight + moved, table)
            numeric = (numeric - value(random.Random(seed), weight - moved, table)) / (2 * step)
            assert abs((0.0 if found is None else found[k]) - numeric) < 1e-7
        moved = np.zeros((5, 3))
        moved[2, 1] = step
        numeric = value(random.Random(seed), weight, table + moved)
        numeric = (numeric - value(random.Random(seed), weight, table - moved)) / (2 * step)
        assert abs(rows.grad.numpy()[2, 1] - before[2, 1] - numeric) < 1e-7
    assert tiers.BLOCKS in engines


def test_a_bad_index_is_an_index_error_on_its_line():
    """Operators check indices themselves; this is what happens below them."""
    table, start = torch.arange(12.0).reshape(4, 3), torch.tensor([0, 2])
    trace = Trace()
    operands = [trace.input(t._value.spec) for t in (table, start)]
    rows = Entry(trace.block([trace.bind(index, tuple(operands), {})]), "rows")
    for n in range(8):
        taken = wrap(recorder.record(rows, [table._value, (start + 1)._value])[0])
        total = taken.sum()
        for _ in range(n):
            total = total + 1
        assert total.item() == 3 + 4 + 5 + 9 + 10 + 11 + n
    good = table * 2
    bad = wrap(recorder.record(rows, [table._value, (start + 2)._value])[0])
    line = test_a_bad_index_is_an_index_error_on_its_line.__code__.co_firstlineno + 13
    with pytest.raises(IndexError, match=f"index 4 is out of .* size 4 .test_pieces.py:{line}"):
        bad.tolist()
    assert tiers.BLOCKS in [plan.engine for plan in plans.known()]
    assert good.tolist()[0] == [0.0, 2.0, 4.0]


def test_programs_seen_once_make_room_for_others(monkeypatch):
    monkeypatch.setattr(plans, "_LIMIT", 3000)
    x = torch.tensor([1.0, 1.0, 1.0])

    def often():
        return (x * 3 + 1).sum().item()

    often()
    often()
    (kept,) = plans.known()
    for n in range(200):
        y = x
        for _ in range(n):
            y = y + 1
        assert y.tolist() == [n + 1.0] * 3
    assert plans.count() < 100
    assert kept in plans.known()
    assert often() == 12.0 and kept.engine == "native"


def test_one_of_many_programs_is_compiled_as_a_whole_when_it_came_often(monkeypatch):
    monkeypatch.setattr(tiers, "ENOUGH", 4)
    x = torch.tensor([1.0, -2.0])

    def program(n):
        y = x
        for _ in range(n):
            y = (y + 1).abs()
        return y.tolist()

    for n in range(3, 9):
        program(n)
    program(20)
    plan = newest()
    engines = [plan.engine]
    for k in range(4):
        for n in range(tiers.NEAR + 1):  # others in between
            program(30 + 10 * k + n)
        assert program(20) == [21.0, 20.0]
        engines.append(plan.engine)
    assert engines == [tiers.BLOCKS] * 3 + ["native"] * 2
    program(25)
    program(25)  # at once again
    assert newest().engine == "native"


def test_operands_of_a_call_that_was_refused_do_no_harm():
    lost = wrap(Value(torch.tensor(0.0)._value.spec))
    x, y = torch.tensor([1.0]), torch.tensor([2.0])
    doubled = x * 2
    with pytest.raises(RuntimeError, match="has no value"):
        y + lost
    assert doubled.item() == 2.0
    assert (y * 3).item() == 6.0


def test_what_comes_again_after_many_others_is_not_compiled_for_it(monkeypatch):
    monkeypatch.setattr(tiers, "OFTEN", 1000)
    monkeypatch.setattr(tiers, "ENOUGH", 3)
    monkeypatch.setattr(tiers, "FAR", 5)
    x = torch.tensor([1.0, -2.0])

    def program(n):
        y = x
        for _ in range(n):
            y = y.square().sqrt() + 1
        return y.tolist()

    engines = []
    for _ in range(3):  # as in epochs over texts of these lengths
        for n in range(1, 11):
            assert program(n) == [n + 1.0, n + 2.0]
        engines.append({plan.engine for plan in plans.known()})
    assert engines == [{"reference"}, {"reference"}, {"native"}]
    program(40)
    program(40)
    assert newest().engine == "native"


@pytest.mark.parametrize(("nanoseconds", "engine"), [(1e3, "native"), (1e12, "reference")])
def test_what_comes_again_rarely_is_compiled_when_its_work_is_worth_it(
    monkeypatch, nanoseconds, engine
):
    monkeypatch.setattr(tiers, "OFTEN", 1000)
    monkeypatch.setattr(tiers, "NEAR", 2)
    monkeypatch.setattr(tiers, "FAR", 2)
    monkeypatch.setattr(tiers, "COMPILING", nanoseconds)
    monkeypatch.setattr(tiers, "EACH", 0)
    x = torch.tensor([0.5, -2.0])
    for _ in range(2):
        for n in range(6):
            expected = np.array([0.5, -2.0])
            y = x
            for _ in range(n):
                y, expected = torch.arctan(y), np.arctan(expected)
            np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5)
    assert {plan.engine for plan in plans.known()} == {engine}


def test_blocks_that_are_compiled_serve_a_program_that_comes_again_after_others(monkeypatch):
    """As names in batches, epoch after epoch in the same order: none is compiled as a whole."""
    monkeypatch.setattr(tiers, "NEAR", 4)
    x = torch.tensor([1.0, -2.0])
    engines = []
    for _ in range(3):
        for n in range(1, 11):
            y = x
            for _ in range(n):
                y = y.square().sqrt() + 1
            assert y.tolist() == [n + 1.0, n + 2.0]
        engines.append({plan.engine for plan in plans.known()})
    assert engines[1:] == [{tiers.BLOCKS}] * 2


def test_many_small_blocks_are_not_compiled_together_at_first_sight(monkeypatch):
    monkeypatch.setattr(tiers, "LARGE", 1e4)
    x = torch.ones(3)

    def engine(count, each):
        monkeypatch.setattr(tiers, "EACH", each)
        y = x
        for _ in range(count):
            y = y.arctan()
        y.tolist()
        return newest().engine

    assert engine(40, 0) == "native"
    assert engine(41, 1e6) == "reference"
