"""Plans keep the memory of their results for the next run, but all together only so much."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import facula
from facula.base import dtypes
from facula.engines.native import shelf
from facula.engines.registry import engine
from facula.graph.node import apply, input_node
from facula.graph.primitive import TABLE
from facula.graph.spec import spec

ROW = 1 << 18  # float32 numbers: a mebibyte


def plan(rows: int):
    x = input_node(spec((rows, ROW), dtypes.float32))
    y = apply(TABLE["neg"], (x,), {})
    return engine("native").compile([x, y], [y]), np.ones((rows, ROW), np.float32)


def kept() -> int:
    return sum(s.nbytes() for s in shelf._shelves)


def test_results_nobody_holds_are_written_again():
    run, x = plan(1)
    first = run.run([x])[0]
    place = first.ctypes.data
    second = run.run([x])[0]
    assert second is not first and (first == -1).all()
    del first
    assert run.run([x])[0].ctypes.data == place
    del second


def test_many_plans_keep_a_bounded_amount(monkeypatch):
    monkeypatch.setattr(shelf, "LIMIT", 32 << 20)
    before = kept()
    plans = [plan(rows) for rows in range(1, 25)]  # 300 MiB of results
    for run, x in plans:
        held = run.run([x])
        assert (run.run([x])[0] == -1).all()
        assert (held[0] == -1).all()
    assert kept() - before <= (32 << 20) + 2 * (24 + 23 << 20)
    wanted = [run.shelf.nbytes() for run, _ in plans[-2:]]
    assert min(wanted) > 0, "the plans that ran last keep theirs"


def test_a_plan_whose_memory_was_taken_runs_on():
    run, x = plan(1)
    held = run.run([x])
    run.shelf.clear()
    assert (run.run([2 * x])[0] == -2).all()
    assert (held[0] == -1).all()


def test_temporaries_move_when_a_plan_needs_more_of_them():
    def deep(rows):
        x = input_node(spec((rows, ROW), dtypes.float32))
        a = apply(TABLE["exp"], (x,), {})
        total = apply(TABLE["sum"], (a,), {"axes": (0, 1)})
        y = apply(TABLE["div"], (a, total), {})
        z = apply(TABLE["cumsum"], (y,), {"axis": 0})
        return engine("native").compile([x, a, total, y, z], [z])

    def check(run, rows):
        found = run.run([np.ones((rows, ROW), np.float32)])[0]
        np.testing.assert_allclose(found[-1], 1 / ROW, 1e-4)

    small = deep(1)
    check(small, 1)
    assert small.plan.arena > 0
    for rows in (3, 9):
        check(deep(rows), rows)
        check(small, 1)


def test_what_is_given_away_is_not_used_again():
    run, x = plan(1)
    held = run.run([x])[0]
    assert engine("native").lets_go(held)
    assert not engine("native").lets_go(held)
    assert run.run([2 * x])[0].ctypes.data != held.ctypes.data
    assert (held == -1).all()


def test_results_are_shown_to_numpy_without_a_copy():
    x = facula.ones(ROW)
    shown = []
    for k in range(6):
        result = x + k
        shown.append(result.numpy())
        result += 1  # the same memory: NumPy sees it
        assert result[0] == k + 2
    assert [a.mean() for a in shown] == [2, 3, 4, 5, 6, 7]
    assert len({a.ctypes.data for a in shown}) == 6
