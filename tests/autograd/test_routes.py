"""Graphs that resemble one seen before: what was learnt of the one must not be used for the other.

Every case trains the fast path with several passes over one graph, then changes something.
"""

from __future__ import annotations

import numpy as np
import pytest

import facula as torch
from facula.autograd import routes

X = np.array([0.5, -1.25, 2.0])


def leaf(values=X):
    return torch.tensor(np.asarray(values), requires_grad=True)


def passes(build, times=4):
    """Gradients of fresh leaves after each of several passes over what ``build`` makes of them."""
    found = []
    for _ in range(times):
        a, b = leaf(), leaf(X + 1)
        build(a, b).backward()
        found.append((a.grad, b.grad))
    return found


def same(grads, *wanted):
    for grad, value in zip(grads, wanted, strict=True):
        if value is None:
            assert grad is None
        else:
            assert grad.tolist() == pytest.approx(np.asarray(value).tolist())


def test_repeated_graphs_give_the_gradients_of_the_first():
    for grads in passes(lambda a, b: (a * b).sum()):
        same(grads, X + 1, X)


def test_one_node_used_twice_is_not_two_nodes():
    def twice(a, b):
        h = a.exp()
        return (h * h).sum()

    def two(a, b):
        return (a.exp() * b.exp()).sum()

    for _ in range(3):
        same(passes(two)[-1], np.exp(2 * X + 1), np.exp(2 * X + 1))
        same(passes(twice)[-1], 2 * np.exp(2 * X), None)


def test_one_leaf_used_twice_is_not_two_leaves():
    for _ in range(3):
        same(passes(lambda a, b: (a * b).sum())[-1], X + 1, X)
        same(passes(lambda a, b: (a * a).sum())[-1], 2 * X, None)


def test_operands_that_need_no_gradient():
    for _ in range(3):
        same(passes(lambda a, b: (a * b.detach()).sum())[-1], X + 1, None)
        same(passes(lambda a, b: (a.detach() * b).sum())[-1], None, X)
        same(passes(lambda a, b: (a * b).sum())[-1], X + 1, X)


def test_the_order_of_recording_does_not_matter():
    def one(a, b):
        u, v = a.exp(), b.sin()
        return (u * v).sum()

    def other(a, b):
        v, u = b.sin(), a.exp()
        return (u * v).sum()

    for _ in range(3):
        for build in (one, other):
            same(passes(build)[-1], np.exp(X) * np.sin(X + 1), np.exp(X) * np.cos(X + 1))


def test_gradients_accumulate_along_a_known_route():
    a = leaf()
    for i in range(1, 6):
        (a * a).sum().backward()
        assert a.grad.tolist() == pytest.approx((2 * i * X).tolist())
    a.grad = None
    (a * a).sum().backward()
    assert a.grad.tolist() == pytest.approx((2 * X).tolist())


def test_leaves_that_share_a_gradient_add_to_it_one_after_the_other():
    def total(share):
        a, b = leaf(), leaf(X + 1)
        a.grad = torch.zeros(3, dtype=torch.float64)
        b.grad = a.grad if share else torch.zeros(3, dtype=torch.float64)
        (a * b).sum().backward()
        return a.grad.tolist()

    for _ in range(3):
        assert total(share=False) == pytest.approx((X + 1).tolist())
    assert total(share=True) == pytest.approx((2 * X + 1).tolist())


def test_hooks_are_heard_on_a_known_route():
    for where in ("middle", "leaf", "after"):
        seen = []

        def build(a, b, where=where, seen=seen, hooked=False):
            h = a.exp()
            if hooked and where == "middle":
                h.register_hook(lambda g: seen.append(g.tolist()))
            if hooked and where == "leaf":
                a.register_hook(lambda g: g * 2)
            if hooked and where == "after":
                a.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
            return (h * b).sum()

        passes(build)
        ((grad, _),) = passes(lambda a, b, build=build: build(a, b, hooked=True), 1)
        wanted = np.exp(X) * (X + 1)
        if where == "leaf":
            assert grad.tolist() == pytest.approx((2 * wanted).tolist())
        else:
            assert seen == [pytest.approx((X + 1 if where == "middle" else wanted).tolist())]


def test_a_kept_gradient_in_the_middle():
    for keep in (False, False, False, True, False):
        a = leaf()
        h = a.exp()
        if keep:
            h.retain_grad()
        (h * h).sum().backward()
        assert a.grad.tolist() == pytest.approx((2 * np.exp(2 * X)).tolist())
        if keep:
            assert h.grad.tolist() == pytest.approx((2 * np.exp(X)).tolist())


def test_a_graph_can_be_used_once_unless_it_is_retained():
    for _ in range(4):
        a = leaf()
        loss = (a * a).sum()
        loss.backward(retain_graph=True)
        loss.backward()
        assert a.grad.tolist() == pytest.approx((4 * X).tolist())
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()


def test_roots_of_other_shapes_are_refused_after_many_scalars():
    for _ in range(4):
        (leaf() * 2.0).sum().backward()
    with pytest.raises(RuntimeError, match="scalar outputs"):
        (leaf() * 2.0).backward()


def test_a_leaf_that_is_gone_takes_no_gradient():
    def build():
        a, b = leaf(), leaf(X + 1)
        return (a * b).sum(), b

    for _ in range(4):
        loss, b = build()  # only the graph knows ``a`` now
        loss.backward()
        assert b.grad.tolist() == pytest.approx(X.tolist())


def test_sequences_of_changing_length():
    for length in [1, 2, 3, 4, 5, 6, 2, 3, 6, 1] * 3:
        a = leaf()
        h = a
        for _ in range(length):
            h = h * 0.5
        h.sum().backward()
        assert a.grad.tolist() == pytest.approx([0.5**length] * 3)


def test_walks_are_written_out_for_graphs_that_come_again_soon(monkeypatch):
    written = []
    original = routes._written
    monkeypatch.setattr(routes, "_written", lambda *a: written.append(1) or original(*a))

    def chain(length):
        a = leaf()
        x = a
        for _ in range(length):
            x = x.atan().tan()
        x.sum().backward()
        same([a.grad], np.ones(3))

    for _ in range(3):
        for length in range(1, 13):
            chain(length)
    assert not written
    for _ in range(3):
        chain(5)
    assert len(written) == 1
