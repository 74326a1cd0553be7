"""Gradients, hooks, custom functions and modes against PyTorch."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import facula
from facula.autograd.backward import _blocks

rt = pytest.importorskip("torch")
LIBRARIES = [facula, rt]


def both(program):
    """Run a program on facula and on PyTorch; results must be equal."""
    got, want = program(facula), program(rt)
    compare(got, want)


def compare(got, want):
    if isinstance(want, (list, tuple)):
        assert len(got) == len(want)
        for a, b in zip(got, want):
            compare(a, b)
    elif hasattr(want, "detach"):
        assert str(got.dtype) == str(want.dtype)
        assert tuple(got.shape) == tuple(want.shape)
        np.testing.assert_allclose(
            np.asarray(got.detach().tolist()), np.asarray(want.detach().tolist()), 1e-5, 1e-6
        )
    else:
        assert got == want


def names(t, node, depth=4):
    """Names of a gradient graph, as nested lists."""
    if node is None or depth == 0:
        return None
    return [type(node).__name__, [names(t, n, depth - 1) for n, _ in node.next_functions]]


def test_a_small_network():
    def program(t):
        x = t.arange(6.0).reshape(2, 3) / 6
        w = t.arange(12.0).reshape(3, 4).div(12).requires_grad_()
        b = t.ones(4, requires_grad=True)
        y = t.tanh(x @ w + b)
        loss = (y * y).mean()
        loss.backward()
        return loss, w.grad, b.grad, names(t, loss.grad_fn)

    both(program)


def test_gradients_accumulate_in_the_same_tensor():
    def program(t):
        w = t.ones(3, requires_grad=True)
        (w * 2).sum().backward()
        first = w.grad
        (w * 3).sum().backward()
        return w.grad is first, first, w.grad

    both(program)


def test_shared_subexpressions_and_reuse():
    def program(t):
        x = t.tensor([1.0, 2.0], requires_grad=True)
        y = x * x
        z = y + y * x + y.exp()
        z.sum().backward(retain_graph=True)
        once = x.grad.clone()
        z.sum().backward()
        return once, x.grad

    both(program)


def test_second_order():
    def program(t):
        x = t.tensor([0.3, -0.7, 1.1], requires_grad=True)
        y = (x.sin() * x.exp()).sum()
        (g,) = t.autograd.grad(y, x, create_graph=True)
        z = (g * g).sum()
        (h,) = t.autograd.grad(z, x, create_graph=True)
        h.sum().backward()
        return g, h, x.grad

    both(program)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda t: t.ones(2).backward(),
        lambda t: t.ones(2, requires_grad=True).backward(),
        lambda t: t.ones(2, dtype=t.int64, requires_grad=True),
        lambda t: (lambda y: (y.backward(), y.backward()))(
            (t.ones(1, requires_grad=True) ** 2).sum()
        ),
        lambda t: t.ones(2, requires_grad=True).add_(1),
        lambda t: t.ones(2, requires_grad=True)[0].add_(1),
        lambda t: t.ones(2, requires_grad=True).numpy(),
        lambda t: t.autograd.grad(
            t.ones(1, requires_grad=True).sum(), t.ones(1, requires_grad=True)
        ),
        lambda t: (t.ones(2, requires_grad=True) * 2).backward(t.ones(3)),
        lambda t: t.ones(2).register_hook(print),
        lambda t: setattr(t.ones(2, requires_grad=True), "grad", t.ones(3)),
        lambda t: setattr(t.ones(2, requires_grad=True) * 2, "requires_grad", False),
        lambda t: t.ones(2).retain_grad(),
    ],
)
def test_mistakes_raise_what_pytorch_raises(mistake):
    with pytest.raises(Exception) as theirs:
        mistake(rt)
    with pytest.raises(type(theirs.value)) as ours:
        mistake(facula)
    first = str(theirs.value).split("\n")[0][:40]
    assert str(ours.value)[:40] == first


def test_modes():
    def program(t):
        x = t.ones(2, requires_grad=True)
        out = []
        with t.no_grad():
            out.append((x * 2).requires_grad)
            with t.enable_grad():
                out.append((x * 2).requires_grad)
        with t.inference_mode():
            out.append((x * 2).requires_grad)
        with t.set_grad_enabled(False):
            out.append((x * 2).requires_grad)
        t.set_grad_enabled(False)
        out.append(t.is_grad_enabled())
        t.set_grad_enabled(True)

        @t.no_grad()
        def f(y):
            return y * 2

        out.append(f(x).requires_grad)
        out.append((x * 2).detach().requires_grad)
        return out

    both(program)


def test_hooks():
    def program(t):
        log = []
        x = t.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.retain_grad()
        handle = y.register_hook(lambda g: log.append(g.tolist()) or g * 10)
        x.register_hook(lambda g: log.append(g.tolist()))
        x.register_post_accumulate_grad_hook(lambda p: log.append(p.grad.tolist()))
        (y * y).sum().backward()
        first = x.grad.clone()
        handle.remove()
        x.grad = None
        (x * 3).sum().backward()
        return log, first, y.grad, x.grad

    both(program)


def test_in_place_and_views():
    def program(t):
        x = t.arange(12.0).reshape(3, 4).requires_grad_()
        y = x * 1
        v = y.t()
        v.narrow(0, 1, 2).mul_(3)
        u = y.select(0, 1)
        u.add_(y.select(0, 0))
        y[2, 1:3] = x[0, 0:2] ** 2
        z = (y * y).sum() + (v * 2).sum()
        z.backward()
        return y, v, u, z, x.grad, type(y.grad_fn).__name__

    both(program)


def test_assigning_into_a_leaf_makes_it_part_of_the_graph():
    def program(t):
        m = t.tensor([[2.0, 3.0]], requires_grad=True)
        n = t.zeros(1, 2)
        n[0, 0] = m[0, 0] ** 2
        n[0, 1] = m[0, 1] ** 3
        n.backward(t.ones(1, 2))
        return n, m.grad, n.requires_grad, type(n.grad_fn).__name__

    both(program)


def test_a_saved_value_survives_a_later_write():
    x = facula.ones(3, requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    y.mul_(100)  # PyTorch refuses the backward pass; values here are immutable, so it is right
    z.backward()
    assert x.grad.tolist() == [8, 8, 8]


def test_detach_shares_memory_but_not_gradients():
    def program(t):
        x = t.ones(3, requires_grad=True)
        d = x.detach()
        d[0] = 5
        x.data[1] = 7
        (x * x).sum().backward()
        w = t.ones(2, requires_grad=True)
        w.data = w.data * 3
        return x, x.grad, d.requires_grad, w, w.is_leaf

    both(program)


class _Cases:
    @staticmethod
    def function(t):
        class Scale(t.autograd.Function):
            @staticmethod
            def forward(ctx, x, factor, flag):
                ctx.save_for_backward(x)
                ctx.factor = factor
                return x * factor, x + 1

            @staticmethod
            def backward(ctx, g, h):
                (x,) = ctx.saved_tensors
                return g * ctx.factor + h * x * 0 + h, None, None

        return Scale


def test_custom_functions():
    def program(t):
        scale = _Cases.function(t)
        x = t.tensor([1.0, 2.0], requires_grad=True)
        a, b = scale.apply(x, 3, True)
        (a * a + b).sum().backward()
        return a, b, x.grad, type(a.grad_fn).__name__, a.grad_fn is b.grad_fn

    both(program)


def test_custom_function_details():
    def program(t):
        class Sort(t.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                out, index = x.sort()
                ctx.mark_non_differentiable(index)
                ctx.save_for_backward(index)
                return out, index

            @staticmethod
            def backward(ctx, g, unused):
                (index,) = ctx.saved_tensors
                grad = t.zeros_like(g)
                grad[index] = g
                return grad

        class Inplace(t.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.mark_dirty(x)
                return x.mul_(2)

            @staticmethod
            def backward(ctx, g):
                return g * 2

        x = t.tensor([3.0, 1.0, 2.0], requires_grad=True)
        out, index = Sort.apply(x)
        (out * t.tensor([1.0, 2.0, 3.0])).sum().backward()
        y = t.ones(2, requires_grad=True)
        z = Inplace.apply(y * 1)
        z.sum().backward()
        return out, index, index.requires_grad, x.grad, y.grad

    both(program)


def test_needs_input_grad_and_wrong_counts():
    def program(t):
        seen = []

        class F(t.autograd.Function):
            @staticmethod
            def forward(ctx, a, b):
                return a * b

            @staticmethod
            def backward(ctx, g):
                seen.append(ctx.needs_input_grad)
                return g, None

        x = t.ones(1, requires_grad=True)
        F.apply(x, t.ones(1)).backward()
        return seen, x.grad

    both(program)

    class Wrong(facula.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * b

        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(RuntimeError, match="incorrect number of gradients"):
        Wrong.apply(facula.ones(1, requires_grad=True), facula.ones(1)).backward()


def test_anomaly_detection_names_the_forward_line():
    x = facula.tensor([0.0], requires_grad=True)
    with facula.autograd.detect_anomaly(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        y = (x / x).sum()  # the line at fault
        with pytest.raises(RuntimeError, match="DivBackward0' returned nan values"):
            y.backward()
    assert any("the line at fault" in str(w.message) for w in caught)


def test_jacobian_and_friends():
    def program(t):
        f = lambda x: (x**3).sum(0)  # noqa: E731
        x = t.tensor([[1.0, 2.0], [3.0, 4.0]])
        g = lambda x: (x**3).sum()  # noqa: E731
        A = t.autograd.functional
        return (
            A.jacobian(f, x),
            A.hessian(g, x),
            A.vjp(f, x, t.ones(2)),
            A.jvp(f, x, t.ones(2, 2)),
            A.hvp(g, x, t.ones(2, 2)),
        )

    both(program)


@pytest.mark.parametrize(
    "function",
    [
        lambda t, x: t.sin(x) * x.exp(), lambda t, x: t.softmax(x, -1), lambda t, x: x.prod(),
        lambda t, x: t.logsumexp(x, 0), lambda t, x: x.cumprod(0), lambda t, x: x.norm(3),
        lambda t, x: t.nn.functional.gelu(x), lambda t, x: x.std(),
        lambda t, x: (x * x).sum() ** 0.5,
    ],
)  # fmt: skip
def test_gradcheck(function):
    x = facula.tensor([0.4, -0.2, 0.9], dtype=facula.float64, requires_grad=True)
    assert facula.autograd.gradcheck(lambda x: function(facula, x), (x,))
    assert facula.autograd.gradgradcheck(lambda x: function(facula, x), (x,))


def test_gradcheck_finds_a_wrong_derivative():
    class Wrong(facula.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 3

    x = facula.ones(2, dtype=facula.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        facula.autograd.gradcheck(Wrong.apply, (x,))
    assert not facula.autograd.gradcheck(Wrong.apply, (x,), raise_exception=False)


def test_repeated_steps_record_the_same_block():
    w = facula.ones(3, requires_grad=True)
    for _ in range(3):
        (w * 2).exp().sum().backward()
    before = len(_blocks)
    for _ in range(5):
        (w * 2).exp().sum().backward()
    assert len(_blocks) == before


def test_non_scalar_inputs_argument_and_materialize():
    def program(t):
        x = t.ones(2, requires_grad=True)
        y = t.ones(2, requires_grad=True)
        z = (x * y * 2).sum()
        z.backward(inputs=[x])
        grads = t.autograd.grad((x * 3).sum(), (x, y), allow_unused=True)
        zeros = t.autograd.grad((x * 3).sum(), (x, y), materialize_grads=True)
        return x.grad, y.grad, grads[1], zeros

    both(program)


@pytest.mark.parametrize(
    "line",
    [
        "x + 1", "1 - x", "2 * x", "2 / x", "x / y", "2**x", "x**y", "x.clamp(0)",
        "x.exp().add_(1)", "t.div(x, y, rounding_mode='floor')", "x.log1p()", "x.lerp(y, 0.5)",
        "x.lerp(y, y)", "t.where(x > 0, y, x)", "x.masked_fill(x > 0, 1)", "x.gather(0, i)",
        "x.masked_fill(x > 0, t.tensor(1.0))", "x.index_select(0, i)",
        "t.nn.functional.embedding(i, x.view(3, 1))", "t.nn.functional.layer_norm(x, (3,))",
        "t.nn.functional.nll_loss(x.view(1, 3), i)", "t.nn.functional.mse_loss(y, x)",
        "t.nn.functional.conv1d(y.view(1, 1, 3), x.view(1, 1, 3))",
        "t.nn.functional.batch_norm(x.view(3, 1), None, None, training=True)",
    ],
)  # fmt: skip
def test_names_and_places_of_operands(line):
    def program(t):
        x, y = t.ones(3, requires_grad=True), t.ones(3)
        node = eval(line, {"t": t, "x": x, "y": y, "i": t.tensor([0])}).grad_fn
        return [node.name(), [(type(n).__name__, i) for n, i in node.next_functions]]

    both(program)


def test_saved_outputs_hold_what_was_written_through_views():
    """Rows written one by one, as solvers of differential equations do, then saved and returned."""

    def program(t):
        class Rows(t.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                rows = t.empty(3, 2)
                for i in range(3):
                    rows[i] = x * (i + 1)
                ctx.save_for_backward(rows)
                return rows

            @staticmethod
            def backward(ctx, g):
                (rows,) = ctx.saved_tensors
                return (g * rows).sum(0)

        x = t.tensor([1.0, 2.0], requires_grad=True)
        rows = Rows.apply(x)
        rows.square().sum().backward()
        return [rows, x.grad]

    both(program)
