"""The helpers of the benchmarks: units, tables, comparing before timing, and one row of each kind.

They run as a user starts them, in processes of their own.
"""

import importlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"


@pytest.fixture
def bench(monkeypatch):
    """Imports a file of bench/ as ``python bench/run.py`` would see it."""
    monkeypatch.syspath_prepend(str(BENCH))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(BENCH) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_durations_have_fitting_units(bench):
    seconds = bench("tables").seconds
    found = [seconds(s) for s in (96.04, 1.0, 0.99951, 0.00123, 0.0123, 0.123, 85.67e-6, 1e-9)]
    assert found == [
        "96.0 s", "1.00 s", "1.00 s", "1.23 ms", "12.3 ms", "123 ms", "85.7 µs", "0.00 µs",
    ]  # fmt: skip
    assert seconds(None) == ""


def test_tables_leave_out_empty_columns(bench):
    text = bench("tables").table(["a", "b", "c"], [["x", "", 1], ["long", "", 22]])
    assert text == "| a    |  c |\n| ---- | -: |\n| x    |  1 |\n| long | 22 |\n"


def test_a_wrong_element_shows_in_the_digest(bench):
    digest, distance = bench("worker").digest, bench("turns").distance
    right = np.linspace(-1, 1, 1000)
    wrong = right.copy()
    wrong[17] += 5
    small = (np.float32(2000.0), right)
    assert distance([digest(right)], [digest(right)]) == 0
    assert distance([digest(wrong)], [digest(right)]) > 0.01
    # A large number beside an array does not hide the array's error.
    assert distance([digest((np.float32(2000.0), wrong))], [digest(small)]) > 0.01


def test_results_of_another_form_or_nan_are_infinitely_far(bench):
    digest, distance = bench("worker").digest, bench("turns").distance
    assert distance([digest(1.0)], [digest(np.ones(2))]) == math.inf
    assert distance([digest(math.nan)], [digest(1.0)]) == math.inf
    assert distance([digest(1.0)], [digest(1.0), digest(1.0)]) == math.inf


def test_rows_have_names_of_their_own(bench):
    rows = bench("families").ROWS
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)
    assert {row.group for row in rows} <= set(bench("results").GROUPS)


def test_peers_keep_the_meaning_of_flattened_images(bench):
    layouts = bench("peers.layouts")
    kernel, matrix = np.ones((6, 3, 5, 5)), np.arange(10 * 24.0).reshape(10, 24)
    found = layouts.channels_last([kernel, matrix])
    image = np.random.default_rng(0).standard_normal((2, 6, 2, 2))
    last = image.transpose(0, 2, 3, 1).reshape(2, -1)
    np.testing.assert_allclose(last @ found[1], image.reshape(2, -1) @ matrix.T)


@pytest.mark.parametrize("row", ["logistic", "matmul-64-64-64"])
def test_a_row_agrees_with_pytorch_and_is_timed(row):
    pytest.importorskip("torch")
    code = (
        "import sys, json; from families import find; from turns import Effort, measure\n"
        f"row, effort = find({row!r}), Effort(rounds=3, turn=0.002, budget=0.1)\n"
        "print(json.dumps(measure(row, ['facula', 'PyTorch'], [sys.executable], effort)))"
    )
    path = os.pathsep.join([str(BENCH), str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["notes"] == {}
    assert found["libraries"]["facula"]["ratio"] > 0
    assert found["libraries"]["facula"]["distance"] < 1e-4
    assert found["flops"] > 0


def test_the_report_shows_ratios_goals_and_what_failed(bench, monkeypatch, tmp_path):
    results = bench("results")
    monkeypatch.setattr(results, "STORE", tmp_path / "results.json")
    monkeypatch.setattr(results, "REPORT", tmp_path / "RESULTS.md")
    where = {"machine": "a machine", "system": "Linux", "versions": ["torch 2"], "threads": "2"}
    times = {"PyTorch": 1.4e-3, "facula": 2e-4, "facula.capture": 1e-4, "jax.jit": 1.2e-3}
    libraries = {
        name: {"seconds": s, "ratio": 1.4e-3 / s, "memory": 100.0, "spread": 0.1, "distance": 0.0}
        for name, s in times.items()
    }
    row = {
        "title": "LeNet", "group": "small networks", "goal": 5.0, "capture_goal": 15.0,
        "libraries": libraries, "flops": 1e7, "notes": {"tinygrad": "no compiler"},
    }  # fmt: skip
    found = results.Results(where, {"one": 100.0, "all": 200.0, "lanes": 16})
    found.add("lenet-4", row, quick=False)
    starts = {"facula, empty cache": {"first": 0.3, "slowest": 0.4}}
    found.add("first-lenet", {"title": "first steps", "libraries": starts}, quick=True)
    runs = {
        name: [{"seconds": s, "loss": 1.2, "accuracy": 55, "stand_in": name == "PyTorch"}]
        for name, s in (("facula", 8.0), ("PyTorch", 96.0))
    }
    found.add("script", {"title": "script", "runs": runs}, quick=False)
    # A later run on the same machine keeps the rows, and the higher of the measured peaks.
    again = results.Results({**where, "versions": ["jax 1"]}, {"one": 50.0, "all": 90.0})
    again.add("script", again.rows["script"], quick=False)
    text = (tmp_path / "RESULTS.md").read_text()
    for part in (
        "7.00x (reached: 5x)", "14.00x (missed: 15x)", " 25% ", "jax.jit 1.20 ms", "6.00x",
        "400 ms", "PyTorch / facula: 12.0x", "standins", "LeNet, tinygrad: no compiler",
        "jax 1, torch 2", "200 on all", "1 of 3 rows",
    ):  # fmt: skip
        assert part in text, part
    other = results.Results({**where, "machine": "another"}, None)
    assert not other.rows
