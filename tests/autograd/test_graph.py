"""torch.autograd.graph, and gradients given in another dtype than the output's."""

from __future__ import annotations

import pytest

import facula as torch
from facula.autograd.graph import allow_mutation_on_saved_tensors, register_multi_grad_hook


def test_hooks_on_several_tensors():
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    every, first = [], []
    all_ = register_multi_grad_hook((a, b), every.append)
    with register_multi_grad_hook((a, b), first.append, mode="any"):
        for _ in range(2):
            (a * 2 + b * 3).sum().backward()
    all_.remove()
    (a * 2 + b * 3).sum().backward()
    assert [[g.item() for g in gs] for gs in every] == [[2.0, 3.0]] * 2
    assert len(first) == 2 and all(g.item() in (2.0, 3.0) for g in first)
    with pytest.raises(ValueError):
        register_multi_grad_hook((a,), print, mode="some")


def test_saved_tensors_may_be_written_to():
    with allow_mutation_on_saved_tensors():
        a = torch.full((2,), 3.0, requires_grad=True)
        b = a.clone()
        out = (b**2).sum()
        b.mul_(10)
        out.backward()
    assert a.grad.tolist() == [6.0, 6.0]


def test_modules_of_modes():
    with torch.autograd.grad_mode.no_grad():
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("own", [torch.bfloat16, torch.float64])
def test_gradients_take_the_output_s_dtype(own):
    layer = torch.nn.Conv2d(1, 1, 1, bias=False, dtype=own)
    torch.nn.init.constant_(layer.weight, 2.0)
    x = torch.ones(1, 1, 2, 2, dtype=own, requires_grad=True)
    layer(x).backward(torch.ones(1, 1, 2, 2))
    assert x.grad.dtype is own and x.grad.tolist() == [[[[2.0, 2.0], [2.0, 2.0]]]]


def test_derivatives_of_functions_that_do_not_depend_on_their_input():
    af = torch.autograd.functional
    x = torch.arange(3.0)
    assert af.hessian(lambda a: a.sum(), x).tolist() == [[0.0] * 3] * 3
    assert af.jacobian(lambda a: torch.ones(2), x).tolist() == [[0.0] * 3] * 2
    assert af.vhp(lambda a: a.sum(), x, x)[1].tolist() == [0.0] * 3
    assert af.jvp(lambda a: torch.ones(2), x, x)[1].tolist() == [0.0] * 2
    for call, error in {
        lambda: af.jacobian(lambda a: torch.ones(2), x, strict=True): RuntimeError,
        lambda: af.jacobian(lambda a, b: a, (x, x), strict=True): RuntimeError,
        lambda: af.hessian(lambda a: a, x): RuntimeError,
        lambda: af.vjp(lambda a: a, x): RuntimeError,
        lambda: af.vjp(lambda a: a, x, torch.ones(2)): RuntimeError,
        lambda: af.hessian(lambda a, b: a.sum(), (x, 2)): TypeError,
        lambda: af.jacobian(lambda a: 3, x): TypeError,
    }.items():
        with pytest.raises(error):
            call()
