"""Lines about gradients: leaves, backward, grad, hooks, no_grad."""

from __future__ import annotations

from tests.programs.program import Line


def differentiable(t) -> bool:
    return t.requires_grad and t.numel() > 0


def require(g) -> Line | None:
    a = g.tensor(
        lambda t: t.is_leaf and (t.is_floating_point() or t.is_complex() or g.chance(0.02))
    )
    if a is None or not g.alone(a) or g.value(a).numel() == 0:
        return None  # PyTorch makes leaves of views that exist already
    return Line(f"{a}.requires_grad_()", "requires_grad_")


def _scalar(g, a) -> str:
    """A real scalar made of a tensor."""
    t = g.value(a)
    if t.is_complex():
        return f"{a}.abs().sum()" if g.chance(0.3) else f"torch.view_as_real({a}).sum()"
    if t.dim() == 0 and g.chance(0.5):
        return a
    return g.pick(
        [
            f"{a}.sum()",
            f"({a} * {a}).sum()",
            f"{a}.mean()",
            f"({a} * 0.5).sum()",
            f"(2 * {a} + 1).mean()",
        ]
    )


def backward(g) -> Line | None:
    a = g.tensor(differentiable)
    if a is None:
        return None
    root = _scalar(g, a)
    b = g.tensor(differentiable)
    if g.chance(0.3) and not g.value(b).is_complex():
        root = f"({root} + {b}.sum())"
    options = g.pick(["", "", "retain_graph=True"])
    if g.chance(0.15):
        root, options = a, f"torch.ones_like({a})"
    return Line(f"{root}.backward({options})", "backward")


def twice(g) -> Line | None:
    """Gradients accumulate."""
    a = g.tensor(differentiable)
    if a is None:
        return None
    root = _scalar(g, a)
    first = f"{root}.backward(retain_graph=True)"
    return Line(f"{first}\n{root}.backward()", "backward twice")


def gradient(g) -> Line | None:
    """torch.autograd.grad, also of intermediate results, also of second order."""
    a = g.tensor(differentiable)
    if a is None:
        return None
    x = g.tensor(lambda t: t.requires_grad)
    name = g.name()
    unused = g.pick(["", ", allow_unused=True", ", materialize_grads=True"])
    create = g.pick([", create_graph=True", ", retain_graph=True", ", retain_graph=True", ""])
    text = f"{name}, = torch.autograd.grad({_scalar(g, a)}, [{x}]{create}{unused})"
    return Line(text, "autograd.grad", (name,), inexact=True)


def second(g) -> Line | None:
    a = g.tensor(differentiable)
    x = g.tensor(lambda t: t.is_leaf and t.requires_grad)
    if a is None or x is None or g.value(x).is_complex():
        return None
    root = _scalar(g, a)
    inner = f"torch.autograd.grad({root}, [{x}], create_graph=True)[0]"
    return Line(f"(({inner}) ** 2).sum().backward(retain_graph=True)", "second order")


def reset(g) -> Line | None:
    a = g.tensor(lambda t: t.is_leaf and t.grad is not None)
    if a is None:
        return None
    text = g.pick(
        [
            f"{a}.grad = None",
            f"{a}.grad.zero_()",
            f"{a}.grad.mul_(0.5)",
            f"{a}.grad = torch.ones_like({a})",
        ]
    )
    return Line(text, "grad set")


def step(g) -> Line | None:
    """Gradient descent."""
    a = g.tensor(lambda t: t.is_leaf and t.requires_grad and t.grad is not None)
    if a is None:
        return None
    text = g.pick([f"{a} -= 0.125 * {a}.grad", f"{a}.sub_({a}.grad, alpha=0.25)"])
    return Line(f"with torch.no_grad():\n    {text}", "step", writes=(a,), inexact=True)


def read_grad(g) -> Line | None:
    a = g.tensor(lambda t: t.is_leaf and t.grad is not None)
    name = g.name()
    return a and Line(
        f"{name} = {a}.grad{g.pick(['', ' * 2', '.clone()'])}", "read grad", (name,), inexact=True
    )


def hook(g) -> Line | None:
    a = g.tensor(lambda t: t.requires_grad)
    if a is None:
        return None
    function = g.pick(["lambda g: g * 2", "lambda g: None", "lambda g: g.clamp(-1, 1)"])
    return Line(f"_ = {a}.register_hook({function})", "hook")


def keep(g) -> Line | None:
    a = g.tensor(lambda t: t.requires_grad or g.chance(0.05))
    return a and Line(f"{a}.retain_grad()", "retain_grad")


def leave(g) -> Line | None:
    # Some results (of einsum, say) are views inside PyTorch, which it refuses to detach in place.
    a = g.tensor(lambda t: t.requires_grad and not t.is_leaf and not t._is_view())
    if a is None or not g.alone(a):
        return None
    return Line(f"{a}.detach_()", "detach_")


def without(g) -> Line | None:
    """New values and views made within no_grad."""
    a, name = g.tensor(), g.name()
    t = g.value(a)
    texts = [f"{a} * 2", f"{a} + 1", f"{a}.clone()", f"{a}.detach()"]
    if t.dim() and t.shape[0]:
        texts += [f"{a}[0]", f"{a}[:1]", f"{a}.unsqueeze(0)"]
    if t.dim() == 2:
        texts.append(f"{a}.t()")
    mode = g.pick(["no_grad()", "no_grad()", "set_grad_enabled(False)"])
    return Line(f"with torch.{mode}:\n    {name} = {g.pick(texts)}", "no_grad", (name,))


KINDS = [
    (1.5, require), (2, backward), (0.5, twice), (1, gradient), (0.6, second), (0.7, reset),
    (1, step), (0.7, read_grad), (0.7, hook), (0.7, keep), (0.3, leave), (1.5, without),
]  # fmt: skip
