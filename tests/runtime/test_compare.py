"""FACULA_COMPARE finds the operation in which an engine is wrong."""

import numpy as np
import pytest

import facula as torch
from facula.base.flags import flags
from facula.engines.reference.engine import ReferenceEngine
from facula.graph.node import Node
from facula.graph.primitive import Primitive
from facula.runtime import compare, plans, tiers


class Wrong(ReferenceEngine):
    """The reference engine with a mistake in one primitive, or wherever two stand in a row."""

    name = "wrong"

    def __init__(self, primitive, together=None):
        self.primitive = primitive
        self.together = together

    def _spoiled(self, node):
        if node.primitive.name != self.primitive:
            return False
        return self.together is None or node.inputs[0].primitive.name == self.together

    def compile(self, nodes, outputs):
        made = {}
        for node in nodes:
            primitive = node.primitive
            if self._spoiled(node):

                def reference(params, *arrays, right=primitive.reference):
                    result = np.array(right(params, *arrays))
                    result.flat[-1] += 1
                    return result

                primitive = Primitive(primitive.name, primitive.kind, primitive.infer, reference)
            made[node] = Node(
                primitive, tuple(made[n] for n in node.inputs), node.params, node.spec
            )
        return super().compile([made[n] for n in nodes], [made[n] for n in outputs])


@pytest.fixture(autouse=True)
def comparing(monkeypatch):
    monkeypatch.setattr(flags, "compare", True)
    plans.forget()
    yield
    plans.forget()


def use(monkeypatch, engine):
    monkeypatch.setattr(tiers, "engine_for", lambda nodes, sightings: engine)


def test_a_wrong_operation_is_named_with_its_line(monkeypatch):
    use(monkeypatch, Wrong("exp"))
    x = torch.ones(2, 3)
    y = (x * 2).exp()  # the line
    line = test_a_wrong_operation_is_named_with_its_line.__code__.co_firstlineno + 3
    with pytest.raises(compare.ComparisonError) as caught:
        (y + 1).sum().item()
    text = str(caught.value)
    assert (
        f"first operation that differs: exp(f32[2,3]) -> f32[2,3], test_compare.py:{line}" in text
    )
    assert "largest difference 1 at (1, 2)" in text and "1 of 6 elements differ" in text
    assert "by itself this operation differs: exp" in text


def test_a_mistake_that_only_a_combination_shows(monkeypatch):
    use(monkeypatch, Wrong("exp", together="mul"))
    with pytest.raises(compare.ComparisonError, match="each operation by itself agrees"):
        ((torch.ones(3) * 2).exp() + 1).tolist()


def test_integers_are_exact_and_nan_is_nan(monkeypatch):
    use(monkeypatch, Wrong("add"))
    with pytest.raises(compare.ComparisonError, match="largest difference 1 at"):
        (torch.arange(4) + 10**9).tolist()
    assert np.isnan((torch.full((2,), float("nan")) * 2).tolist()).all()


def test_what_agrees_goes_on(monkeypatch):
    use(monkeypatch, Wrong("nothing"))
    torch.manual_seed(0)
    net = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        loss = net(torch.ones(1, 4)).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[2] < losses[0]
    assert "Compared" in str(type(next(iter(plans.known())).executable))


def test_the_native_engine_agrees_on_a_network():
    native = pytest.importorskip("llvmlite") and "native"
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(48, 4),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(net.parameters())
    before, flags.engine = flags.engine, native
    try:
        for _ in range(3):
            loss = torch.nn.functional.cross_entropy(
                net(torch.randn(2, 1, 6, 6)), torch.tensor([1, 3])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    finally:
        flags.engine = before
    assert np.isfinite(loss.item())
