"""Checkpointed functions give the values, gradients and random draws of plain calls."""

import warnings

import pytest

import facula as torch
from facula.base.flags import flags
from facula.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential


@pytest.fixture(autouse=True, params=["reference", "native"])
def engine(request, monkeypatch):
    """Runs are compared with each other: in float64, as engines differ in float32's last bits."""
    monkeypatch.setattr(flags, "engine", request.param)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def weights():
    torch.manual_seed(0)
    return [torch.randn(4, 4, requires_grad=True) for _ in range(3)]


def block(w, x, scale=1.0):
    kept = (torch.rand(4) > 0.3).float()
    return torch.tanh(x @ w) * kept * scale


def gradients(run):
    ws = weights()
    x = torch.randn(2, 4, requires_grad=True)
    out = run(ws, x)
    loss = (out * out).sum() + out.sum() * torch.rand(()).item()
    loss.backward()
    return [out.tolist(), x.grad.tolist(), *(w.grad.tolist() for w in ws), torch.rand(2).tolist()]


def plain(ws, x):
    for w in ws:
        x = block(w, x, scale=2.0)
    return x


def near(a, b):
    if isinstance(a, list):
        assert len(a) == len(b)
        for p, q in zip(a, b):
            near(p, q)
    else:
        assert a == pytest.approx(b, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("reentrant", [True, False])
def test_same_as_plain(reentrant):
    def run(ws, x):
        for w in ws:
            x = checkpoint(lambda t, w=w: block(w, t, 2.0), x, use_reentrant=reentrant)
        return x

    near(gradients(run), gradients(plain))


def test_keywords_structures_and_no_input_gradient():
    w = torch.ones(3, requires_grad=True)

    def function(pair, *, extra):
        a, b = pair["a"], pair["b"]
        return {"sum": a * w + extra, "parts": (b * 2, a.detach() * 3, "text")}

    a = torch.tensor([1.0, 2.0, 3.0])
    b = torch.ones(3, requires_grad=True)
    out = checkpoint(function, {"a": a, "b": b}, extra=1.0, use_reentrant=False)
    assert out["sum"].tolist() == [2, 3, 4]
    assert out["parts"][2] == "text"
    assert not out["parts"][1].requires_grad
    (out["sum"].sum() + out["parts"][0].sum()).backward()
    assert w.grad.tolist() == [1, 2, 3] and b.grad.tolist() == [2, 2, 2]


def test_grad_function_and_frozen_parts():
    x = torch.tensor([2.0], requires_grad=True)
    frozen = torch.tensor([3.0])
    y = checkpoint(lambda t: t * t * frozen, x, use_reentrant=False)
    (grad,) = torch.autograd.grad(y.sum(), x)
    assert grad.tolist() == [12]
    assert not checkpoint(torch.sin, frozen, use_reentrant=False).requires_grad
    with torch.no_grad():
        assert not checkpoint(torch.sin, x, use_reentrant=False).requires_grad


def test_runs_twice_only_with_backward():
    calls = []

    def function(t):
        calls.append(1)
        return t * 2

    x = torch.ones(1, requires_grad=True)
    y = checkpoint(function, x, use_reentrant=False)
    assert len(calls) == 1
    y.backward()
    assert len(calls) == 2 and x.grad.tolist() == [2]


def test_tensor_from_outside_used_inside():
    x = torch.tensor([2.0], requires_grad=True)
    outside = x * 3
    y = checkpoint(lambda t: t * outside, x, use_reentrant=False) + outside
    y.backward()
    assert x.grad.tolist() == [15]  # d(3x*x + 3x)/dx = 6x + 3


def test_different_second_run():
    sizes = iter([2, 3])

    def function(t):
        return t * torch.ones(next(sizes))

    x = torch.ones(1, requires_grad=True)
    y = checkpoint(function, x, use_reentrant=False)
    with pytest.raises(CheckpointError, match="other tensors than the first time"):
        y.sum().backward()


def test_arguments():
    x = torch.ones(1, requires_grad=True)
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed explicitly"):
        checkpoint(torch.sin, x)
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        checkpoint(torch.sin, torch.ones(1), use_reentrant=True)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: foo"):
        checkpoint(torch.sin, x, use_reentrant=True, foo=1)
    with pytest.raises(ValueError, match="only supported when use_reentrant=False"):
        checkpoint(torch.sin, x, use_reentrant=True, debug=True)
    with pytest.raises(RuntimeError, match="create_graph=True"):
        y = checkpoint(torch.sin, x, use_reentrant=False)
        torch.autograd.grad(y.sum(), x, create_graph=True)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("segments", [1, 2, 3])
def test_sequential(reentrant, segments):
    def run(ws, x):
        steps = [lambda t, w=w: block(w, t, 2.0) for w in ws]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return checkpoint_sequential(steps, segments, x, use_reentrant=reentrant)

    near(gradients(run), gradients(plain))
