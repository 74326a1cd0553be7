"""Recording: programs are recognised, scalars are inputs, memory stays flat, lines are kept."""

from __future__ import annotations

import gc
import resource

import numpy as np
import pytest

import facula as torch
from facula.base.flags import flags
from facula.runtime import plans
from facula.runtime.recorder import recorder


def programs(function, times=4):
    """How many new programs calls after the first two made."""
    function(0)
    function(1)
    before = plans.count()
    for i in range(2, 2 + times):
        function(i)
    return plans.count() - before


def test_python_numbers_are_inputs_whatever_their_value():
    x = torch.ones(3)

    def step(i):
        a, b = [(0.5, 0.25), (0.1, 0.2), (0.0, 1.0), (1.0, 1.0), (0.3, 0.3), (2, 3)][i]
        assert ((x * float(a) + float(b)) * (i + 2)).tolist() == pytest.approx(
            [(a + b) * (i + 2)] * 3
        )

    assert programs(step) == 0


def test_a_loop_over_rows_is_one_program():
    x = torch.arange(24.0).reshape(6, 4) * 1

    def step(i):
        assert (x[i] + x[i, 1:3].sum()).tolist() == [4 * i + j + 8 * i + 3 for j in range(4)]

    assert programs(step) == 0


def test_only_what_python_can_see_is_computed():
    recorder.flush()
    x = torch.ones(3)
    hidden = (x * 2).exp()
    y = hidden + 1
    del hidden
    seen = []
    original = plans.Plan.run
    plans.Plan.run = lambda self, buffers: seen.append(self) or original(self, buffers)
    try:
        y.tolist()
    finally:
        plans.Plan.run = original
    assert len(seen) == 1
    # x itself and y; not x * 2 nor its exponential
    assert sorted(n.primitive.name for n in seen[0].outputs) == ["add", "broadcast"]


def test_explain_names_the_users_lines():
    x = torch.arange(3) * 1.0
    y = x.exp() + 1
    text = torch.explain(y)
    assert "exp" in text and "test_recording.py:" in text
    line = next(t for t in text.splitlines() if "= exp" in t)
    assert line.rstrip().endswith(f"test_recording.py:{line_of('y = x.exp() + 1')}")
    y.tolist()
    assert "computed already" in torch.explain(y)


def line_of(text):
    with open(__file__) as source:
        return next(i for i, line in enumerate(source, 1) if line.strip() == text)


def test_eager_mode_runs_at_once():
    with torch.eager_mode():
        x = torch.ones(2) + 1
        assert x._value.buffer is not None
    assert (x * 2)._value.buffer is None
    recorder.flush()


def test_the_node_budget_bounds_what_is_pending():
    x = torch.zeros(())
    for _ in range(3 * flags.nodes):
        x = x + 1
        assert len(recorder.lines) <= flags.nodes + 1
    assert x.item() == 3 * flags.nodes


def memory() -> int:
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not __import__("os").path.exists("/proc/self/statm"), reason="needs /proc")
def test_memory_stays_flat_over_100_000_accumulations():
    loss = torch.ones(100)
    total = torch.zeros(100)
    for _ in range(5000):
        total = total + loss
    before = memory()
    for _ in range(100_000):
        total = total + loss
    assert memory() - before < 8 << 20
    assert total[0].item() == 105_000


@pytest.mark.skipif(not __import__("os").path.exists("/proc/self/statm"), reason="needs /proc")
def test_memory_stays_flat_when_nothing_is_ever_read():
    w = torch.ones(64, 64, requires_grad=True)
    x = torch.ones(8, 64)

    def step():
        y = (x @ w).relu().sum()
        y.backward()
        w.grad = None

    for _ in range(1500):
        step()
    before = memory()
    for _ in range(5000):
        step()
    assert memory() - before < 8 << 20


def test_an_error_stands_on_the_line_that_made_it():
    x = torch.ones(2, 3)
    with pytest.raises(
        RuntimeError, match=r"size of tensor a \(3\) must match the size of tensor b \(2\)"
    ):
        x + torch.ones(3, 2)


def test_a_failed_operation_does_not_lose_the_ones_before_it():
    x = torch.ones(3)
    y = x * 2
    with pytest.raises(IndexError):
        torch.nn.functional.embedding(torch.tensor([5]), torch.ones(3, 2))
    assert y.tolist() == [2, 2, 2]


@pytest.mark.parametrize("limit", [1 << 12])
def test_the_byte_budget_bounds_what_is_pending(limit):
    before, flags.bytes = flags.bytes, limit
    recorder.flush()
    try:
        kept = [torch.ones(64) * i for i in range(100)]
        assert sum(k._value.buffer is None for k in kept) * 256 <= limit + 512
    finally:
        flags.bytes = before
    assert [k[0].item() for k in kept] == list(np.arange(100))


def test_an_optimizer_over_the_byte_budget_still_writes_over_its_parameters(monkeypatch):
    monkeypatch.setattr(flags, "bytes", 1000)
    recorder.flush()
    net = torch.nn.Linear(64, 64)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x, over = torch.randn(8, 64), []
    before = plans.Plan.dying

    def dying(plan, *given):
        found = before(plan, *given)
        over.append((len(found), len(plan.donors)))
        return found

    for _ in range(6):
        optimizer.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        monkeypatch.setattr(plans.Plan, "dying", dying)
        optimizer.step()
        loss.item()
        monkeypatch.setattr(plans.Plan, "dying", before)
    assert over[-1] == (4, 4), over  # two parameters and their momenta
