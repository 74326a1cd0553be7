"""Lines that make views."""

from __future__ import annotations

import math

import torch

from tests.programs.program import Line


def _some(g, ndim=0):
    return g.tensor(lambda t: t.dim() >= ndim)


def line(name, text, kind, names=True) -> Line:
    new = name if isinstance(name, tuple) else (name,)
    return Line(f"{', '.join(new)} = {text}", kind, new, names=names)


def factors(g, n: int) -> list[int]:
    """A random shape with n elements."""
    sizes = []
    while n > 1 and len(sizes) < 3:
        divisors = [d for d in range(1, n + 1) if n % d == 0]
        d = g.pick(divisors)
        sizes.append(d)
        n //= d
    return sizes + [n] if n > 1 or not sizes else sizes


def reshaped(g) -> Line | None:
    a = g.tensor()
    if a not in g.strided and not g.value(a).is_contiguous():
        return None
    function = g.pick(["view", "reshape", "reshape"])
    if a not in g.strided and function == "view":
        function = "reshape"
    size = factors(g, g.value(a).numel()) if g.value(a).numel() else [0]
    if g.chance(0.3) and size and math.prod(size):
        size[g.integer(0, len(size) - 1)] = -1
    if g.chance(0.03):
        size.append(g.pick([2, -1, -2]))
    name = g.name()
    if g.chance(0.2):
        return line(
            name,
            g.pick([f"{a}.flatten()", f"torch.flatten({a}, 1)", f"{a}.ravel()"]),
            "flatten",
            False,
        )
    return line(name, f"{a}.{function}({', '.join(map(str, size))})", function)


def permuted(g) -> Line | None:
    a = g.tensor()
    ndim, name = g.value(a).dim(), g.name()
    kind = g.integer(0, 4)
    if kind == 0:
        order = g.random.sample(range(ndim), ndim)
        return line(name, f"{a}.permute({order})", "permute")
    if kind == 1 and ndim <= 2:
        return line(name, f"{a}.t()", "t")
    if kind == 2:
        return (
            line(name, f"{a}.T", "T")
            if ndim == 2
            else line(name, f"{a}.movedim(0, -1)", "movedim", ndim > 1)
        )
    one, two = g.integer(-ndim, ndim), g.integer(-ndim, max(ndim - 1, 0))
    return line(name, f"{a}.transpose({one}, {two})", "transpose")


def expanded(g) -> Line | None:
    a = g.tensor(lambda t: t.dim() < 4)
    if a is None:
        return None
    shape = [g.pick([2, 3, -1]) if n == 1 else n for n in g.value(a).shape]
    shape = [g.pick([-1, n]) if n > 1 else n for n in shape]
    if g.chance(0.4):
        shape = [g.integer(1, 3), *shape]
    name = g.name()
    if g.chance(0.2):
        return line(
            name,
            f"torch.broadcast_to({a}, {tuple([abs(n) if n != -1 else 1 for n in shape])})",
            "broadcast_to",
        )
    return line(name, f"{a}.expand({', '.join(map(str, shape))})", "expand") if shape else None


def indexed(g) -> Line | None:
    a = _some(g)
    return line(g.name(), f"{a}[{basic_index(g, a)}]", "basic getitem", False)


def basic_index(g, a) -> str:
    """Integers, slices, None and Ellipsis."""
    shape = g.value(a).shape
    parts = []
    for n in shape[: g.integer(0 if not shape else 1, max(len(shape), 1))]:
        parts.append(_one_index(g, n))
    if g.chance(0.15):
        parts.insert(g.integer(0, len(parts)), "None")
    if g.chance(0.12):
        parts.insert(g.integer(0, len(parts)), "...")
    return ", ".join(parts) or g.pick(["...", "None"])


def _one_index(g, n) -> str:
    kind = g.integer(0, 5)
    if kind <= 1:
        return str(g.integer(-n, n - 1) if not g.chance(0.03) and n else n)
    if kind == 2:
        return ":"
    first = g.pick(["", str(g.integer(-n, n))])
    last = g.pick(["", str(g.integer(-n, n + 1))])
    return f"{first}:{last}" + (f":{g.integer(1, 3)}" if kind == 5 else "")


def narrowed(g) -> Line | None:
    a = _some(g, 1)
    if a is None:
        return None
    shape, name = g.value(a).shape, g.name()
    dim = g.integer(-len(shape), len(shape) - 1)
    n = shape[dim]
    kind = g.integer(0, 3)
    if kind == 0:
        start = g.integer(0, n)
        length = g.integer(0, n - start + (1 if g.chance(0.05) else 0))
        return line(name, f"{a}.narrow({dim}, {start}, {length})", "narrow")
    if kind == 1:
        return line(name, f"{a}.select({dim}, {g.integer(-n, max(n - 1, 0))})", "select")
    if kind == 2:
        size = g.integer(1, max(n, 1))
        return line(name, f"{a}.unfold({dim}, {size}, {g.integer(1, 2)})", "unfold")
    if len(shape) < 2:
        return None
    other = (dim + g.integer(1, len(shape) - 1)) % len(shape)
    return line(name, f"{a}.diagonal({g.integer(-1, 1)}, {dim}, {other})", "diagonal")


def squeezed(g) -> Line | None:
    a = g.tensor(lambda t: t.dim() < 5)
    if a is None:
        return None
    ndim, name = g.value(a).dim(), g.name()
    texts = [f"{a}.unsqueeze({g.integer(-ndim - 1, ndim)})", f"{a}.squeeze()"]
    if ndim:
        texts.append(f"{a}.squeeze({g.integer(-ndim, ndim - 1)})")
    return line(name, g.pick(texts), "squeeze")


def parts(g) -> Line | None:
    """Several views at once."""
    a = g.tensor(lambda t: t.dim() > 0 and 1 <= t.shape[0] <= 5)
    if a is None:
        return None
    n = g.value(a).shape[0]
    kind = g.integer(0, 3)
    if kind == 0:
        new = tuple([g.name() for _ in range(n)])
        return Line(f"{', '.join(new)}, = {a}.unbind(0)", "unbind", new, names=True)
    if kind == 1:
        size = g.integer(1, n)
        new = tuple([g.name() for _ in range(-(-n // size))])
        return Line(f"{', '.join(new)}, = {a}.split({size})", "split", new, names=True)
    if kind == 2:
        first = g.integer(0, n)
        new = (g.name(), g.name())
        return Line(
            f"{', '.join(new)} = torch.split({a}, [{first}, {n - first}])",
            "split sizes",
            new,
            names=True,
        )
    new = (g.name(),)
    return Line(f"{new[0]} = {a}.chunk({g.integer(1, 3)})[0]", "chunk", new, names=True)


def strided(g) -> Line | None:
    a = g.tensor(lambda t: t.dim() <= 3 and t.numel() > 0)
    if a is None or a not in g.strided or (g.value(a).requires_grad and g.value(a)._is_view()):
        return None
    room = g.value(a).untyped_storage().nbytes() // g.value(a).element_size()
    if not any(g.value(n).numel() == room for n in g.tensors if g.home.get(n) == g.home[a]):
        return None  # some results own more memory than they show
    rows, columns = g.integer(1, 3), g.integer(1, 3)
    stride = (g.pick([1, 2, columns]), 1)
    offset = g.integer(0, max(0, room - 1 - (rows - 1) * stride[0] - (columns - 1)))
    return line(
        g.name(), f"torch.as_strided({a}, ({rows}, {columns}), {stride}, {offset})", "as_strided"
    )


def complex_parts(g) -> Line | None:
    a = g.tensor(torch.is_complex)
    if a is None:
        return None
    if a not in g.strided:
        return None
    text = g.pick([f"{a}.real", f"{a}.imag", f"torch.view_as_real({a})"])
    return line(g.name(), text, "complex view", False)


def aliased(g) -> Line | None:
    """Detached and copied tensors."""
    a, name = g.tensor(), g.name()
    text = g.pick([
        f"{a}.detach()", f"{a}.data", f"{a}.clone()", f"{a}.detach().clone()", f"{a}.contiguous()",
        f"{a}.to({a}.dtype)", f"{a}.view_as({a})", f"{a}.expand_as({a})", f"{a}[:]",
        f"copy.deepcopy({a}.detach())",
    ])  # fmt: skip
    if ("view_as" in text or "contiguous" in text) and a not in g.strided:
        return None
    if "deepcopy" in text and g.value(a).numel() == 0:
        return None
    return line(name, text, "alias", False)


KINDS = [
    (4, reshaped), (4, permuted), (2, expanded), (6, indexed), (4, narrowed), (3, squeezed),
    (2, parts), (1, strided), (0.7, complex_parts), (5, aliased),
]  # fmt: skip
