"""The head of a plan ends where the loss is known and no kernel can find an error any more."""

import numpy as np
import pytest

import facula as torch
from facula.base.flags import flags
from facula.engines.native.kernel import Kernel
from facula.engines.native.lowering.head import head
from facula.engines.native.lowering.plan import Plan, Step
from facula.graph.node import INPUT, Node
from facula.graph.spec import spec
from facula.runtime import plans
from facula.runtime.recorder import recorder

WORDS, WIDTH = 40, 256


@pytest.fixture(autouse=True)
def native(monkeypatch):
    monkeypatch.setattr(flags, "engine", "native")
    recorder.land()
    plans.forget()
    yield
    recorder.land()
    plans.forget()


def trained(table, others):
    """The kernels of the head and of the tail of a step: an embedding's, and of other gradients."""
    words = torch.tensor(np.random.default_rng(0).integers(0, 30, (8, 64)))

    def step():
        loss = table(words).square().mean()
        made = torch.autograd.grad(loss, table.weight)[0], others(words)
        loss.item()
        return made

    kept = [step() for _ in range(4)]  # until its plan is made
    recorder.land()
    del kept
    plan = max(plans.known(), key=lambda p: p.sightings).executable.plan
    kinds = [s.kernel.kind for s in plan.steps]
    return kinds[: head(plan)], kinds[head(plan) :]


def test_the_gradient_of_an_embedding_is_left_to_the_tail():
    first, rest = trained(torch.nn.Embedding(WORDS, WIDTH), lambda words: None)
    assert "index" in first and "index_put" in rest


def test_indices_of_another_table_are_checked_before_python_goes_on():
    smaller = torch.zeros(30, WIDTH)
    put = lambda words: smaller.index_put((words,), torch.ones(8, 64, WIDTH))  # noqa: E731
    first, _ = trained(torch.nn.Embedding(WORDS, WIDTH), put)
    assert "index_put" in first


def test_a_bad_index_is_reported_by_the_step_that_has_it():
    table = torch.nn.Embedding(WORDS, WIDTH)
    optimizer = torch.optim.SGD(table.parameters(), lr=0.1)
    good = torch.arange(30)

    def step(words):
        optimizer.zero_grad()
        loss = table(words).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    for _ in range(5):
        step(good)
    with pytest.raises(IndexError):
        step(torch.full((30,), WORDS))
    assert np.isfinite(step(good))


def made_up(*work: tuple[int, float]) -> Plan:
    """A plan whose first step writes a scalar, followed by steps of so many chunks and ns."""
    loss = Node(INPUT, (), {}, spec((), torch.float32))
    plan = Plan([], [loss], status=1, slots=2)
    for chunks, cost in [(1, 1e3), *work]:
        operands = () if plan.steps else (0,)
        kernel = Kernel("loop", str(len(plan.steps)), lambda name: "", chunks, cost)
        plan.steps.append(Step(kernel, operands, (0,) if operands else (), ()))
    return plan


def test_long_chunks_are_begun_together_if_enough_is_left_for_the_worker():
    many, two, alone = (200, 1e8), (2, 1e6), (1, 1e6)
    assert head(made_up(many, many)) == 1
    assert head(made_up(many, two, many)) == 3
    assert head(made_up(many, two, (2, 1e5))) == 1
    assert head(made_up(alone, many)) == 1  # nobody could help
