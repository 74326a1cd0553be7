"""Fusion, buffers and donation: what shares a kernel, and that results stay right."""

import numpy as np
import pytest

import facula as torch
from facula.base.flags import flags
from facula.engines.native.lowering.forms import Form, Index, Space, SplitNeeded, symbol
from facula.engines.native.lowering.memory import Temporary, arrange
from facula.runtime import plans


@pytest.fixture(autouse=True)
def native(monkeypatch):
    monkeypatch.setattr(flags, "engine", "native")
    plans.forget()
    yield
    plans.forget()


def kernels(function):
    """The kinds of kernels of the one program that ``function`` runs."""
    function()
    (plan,) = plans.known()
    return [step.kernel.kind for step in plan.executable.plan.steps]


def test_division_of_indices():
    space = Space({0: 4, 1: 6})
    index = Index(space, (4, 6), (symbol(0), symbol(1)))
    flat = index.reshaped((24,))
    assert flat.parts == (Form(0, ((0, 6), (1, 1))),)
    assert flat.reshaped((4, 6)).parts == (symbol(0), symbol(1))
    with pytest.raises(SplitNeeded) as wanted:
        flat.reshaped((8, 3)).parts
    assert (wanted.value.dim, wanted.value.inner) == (1, 3)


def test_temporaries_share_memory_only_when_they_are_not_alive_together():
    a, b, c = Temporary(100, 0), Temporary(50, 1), Temporary(100, 3)
    a.last, b.last, c.last = 2, 4, 5
    assert arrange([a, b, c]) == 128 + 64
    assert a.offset == c.offset and b.offset >= 128


def test_elementwise_chains_and_softmax_are_one_kernel():
    x = torch.tensor(np.random.default_rng(0).normal(size=(5, 7)).astype("f"))
    assert kernels(lambda: ((x * 2 + 1).exp() / 3).tolist()) == ["loop"]
    plans.forget()
    assert kernels(lambda: torch.softmax(x, 1).tolist()) == ["reduce"]
    plans.forget()
    assert kernels(lambda: torch.nn.functional.layer_norm(x, (7,)).tolist()) == ["reduce"]


def test_bias_and_relu_are_an_epilogue():
    layer, x = torch.nn.Linear(6, 4), torch.ones(3, 6)
    for tensor in (layer.weight, layer.bias, x):
        tensor.tolist()  # computed now, so that the program has nothing else to do
    plans.forget()
    with torch.no_grad():
        assert kernels(lambda: torch.relu(layer(x)).tolist()) == ["contraction"]


def test_parameters_are_updated_where_they_lie():
    layer = torch.nn.Linear(6, 4)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    x = torch.ones(3, 6)

    def step():
        optimizer.zero_grad()
        layer(x).square().sum().backward()
        optimizer.step()

    def places():
        return [id(p._value.buffer) for p in layer.parameters()]

    for _ in range(4):
        step()
    before = places()
    step()
    assert places() == before


def test_a_value_that_is_held_is_not_written_over():
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    seen = []
    for _ in range(5):
        optimizer.zero_grad()
        (weight * weight).sum().backward()
        seen.append((weight.detach().clone(), weight.detach().numpy().copy()))
        optimizer.step()
    for tensor, array in seen:
        assert tensor.tolist() == array.tolist()
    shared = weight.detach().numpy()
    kept = shared.copy()
    other = weight.detach().clone()
    optimizer.zero_grad()
    (weight * weight).sum().backward()
    optimizer.step()
    assert other.tolist() == kept.tolist()
    assert shared.tolist() == weight.tolist()  # as in PyTorch, the array sees the update


def test_two_results_in_one_kernel_when_one_lies_over_an_operand():
    total = torch.nn.Parameter(torch.arange(1.0, 5.0))
    optimizer = torch.optim.Adagrad([total], lr=0.1)
    expected = np.arange(1.0, 5.0)
    squares = np.zeros(4)
    for _ in range(6):
        optimizer.zero_grad()
        (total * total).sum().backward()
        optimizer.step()
        gradient = 2 * expected
        squares += gradient**2
        expected = expected - 0.1 * gradient / (np.sqrt(squares) + 1e-10)
    np.testing.assert_allclose(total.detach().numpy(), expected, rtol=1e-6)


def test_results_that_are_operands_or_the_same_or_constant():
    x = torch.tensor([1.0, -2.0])
    a, b, c = x.clone(), x * 2, x + x
    d = torch.zeros(2)
    assert [t.tolist() for t in (a, b, c, d)] == [[1, -2], [2, -4], [2, -4], [0, 0]]


def test_one_value_as_two_results_is_stored_twice_by_its_kernel():
    first, second = (torch.zeros(40, requires_grad=True) for _ in range(2))
    x = torch.arange(120.0).reshape(3, 40)

    def backward():
        for bias in (first, second):
            bias.grad = None
        (x * (first + second)).sum().backward()
        return [bias.grad.numpy() for bias in (first, second)]

    assert kernels(backward).count("reduce") == 1
    one, other = backward()
    one[0] = -1
    np.testing.assert_array_equal(other, x.sum(0).numpy())


def test_a_double_is_rounded_to_float_before_half():
    """What is one number for all lanes is computed as one; LLVM may not skip the float between."""
    small = torch.tensor(0.5, dtype=torch.float16)
    found = torch.asinh(torch.asinh(small + torch.full((3, 5, 2), 2))).numpy()
    want = np.arcsinh(np.full((3, 5, 2), 2.5, np.float32)).astype(np.float16)
    want = np.arcsinh(want.astype(np.float32)).astype(np.float16)
    np.testing.assert_array_equal(found, want)
