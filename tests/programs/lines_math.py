"""Lines that make new values: creation, arithmetic, reductions, indexing functions, casts."""

from __future__ import annotations

import torch

from tests.programs.program import Line

SMOOTH = (
    "torch.sin", "torch.cos", "torch.tanh", "torch.sigmoid", "torch.atan", "F.gelu", "F.softplus",
    "torch.erf", "F.silu", "F.elu", "torch.asinh", "F.logsigmoid", "torch.expm1",
)  # fmt: skip
EXACT = ("torch.neg", "torch.abs", "torch.square", "F.relu", "torch.clone", "F.leaky_relu")
STEPS = ("torch.floor", "torch.ceil", "torch.trunc", "torch.round", "torch.sign", "torch.frac")
TESTS = ("torch.isnan", "torch.isfinite", "torch.isinf", "torch.logical_not", "torch.signbit")


def real(t) -> bool:
    return not t.is_complex()


def floating(t) -> bool:
    return t.is_floating_point()


def plain(t) -> bool:
    """Floats of at least single precision."""
    return t.dtype in (torch.float32, torch.float64)


def create(g) -> Line:
    """A leaf made from literals or by a factory function."""
    name, dtype, shape = g.name(), g.dtype(), g.shape()
    grad = ""
    if ("float" in dtype or "complex" in dtype) and g.chance(0.45):
        grad = ", requires_grad=True"
    kind = g.integer(0, 9)
    size = repr(shape)
    if kind <= 5:
        text = f"{name} = torch.tensor({g.literal(dtype, shape)}, dtype=torch.{dtype}{grad})"
        if 0 in shape:
            text = f"{name} = torch.zeros({size}, dtype=torch.{dtype}{grad})"
    elif kind == 6:
        text = f"{name} = torch.{g.pick(['zeros', 'ones'])}({size}, dtype=torch.{dtype}{grad})"
    elif kind == 7:
        text = f"{name} = torch.full({size}, {g.number()}{grad})"
    elif kind == 8:
        step = g.pick(["", ", dtype=torch.float32", ", dtype=torch.float64"])
        text = f"{name} = torch.arange({g.integer(1, 12)}{step})"
    else:
        what = g.pick([f"rand({size})", f"randint(-3, 6, {size})", f"randperm({g.integer(1, 6)})"])
        text = f"torch.manual_seed({g.integer(0, 99)}); {name} = torch.{what}"
    return Line(text, "create", (name,))


def like(g) -> Line | None:
    a = g.tensor()
    name = g.name()
    make = g.pick(["zeros_like", "ones_like", "full_like"])
    extra = f", {g.number(g.value(a).dtype)}" if make == "full_like" else ""
    if g.chance(0.3):
        return Line(f"{name} = {a}.new_ones({g.shape()})", "like", (name,))
    return Line(f"{name} = torch.{make}({a}{extra})", "like", (name,))


def unary(g) -> Line | None:
    name = g.name()
    kind = g.integer(0, 9)
    if kind <= 3:
        a = g.tensor(real)
        return a and Line(
            f"{name} = {g.pick(SMOOTH)}({a})", "smooth", (name,), inexact=True, names=True
        )
    if kind <= 6:
        function = g.pick(EXACT)
        a = g.tensor()
        rounded = function == "F.leaky_relu" or g.value(a).is_complex()
        return Line(
            f"{name} = {function}({a})", "exact unary", (name,), inexact=rounded, names=True
        )
    if kind == 7:
        a = g.tensor(real, exact=True)
        return a and Line(f"{name} = {g.pick(STEPS)}({a})", "steps", (name,), names=True)
    if kind == 8:
        a = g.tensor(exact=True)
        return a and Line(f"{name} = {g.pick(TESTS)}({a})", "tests", (name,))
    a = g.tensor(real)
    texts = [
        f"torch.sqrt({a}.abs() + 1)", f"torch.log({a}.abs() + 0.5)", f"torch.exp({a}.clamp(max=3))",
        f"torch.reciprocal({a}.abs() + 1)", f"torch.rsqrt({a}.abs() + 1)",
        f"torch.log1p({a}.abs())", f"torch.acos(torch.sin({a}) * 0.5)", f"{a}.cosh().log()",
    ]  # fmt: skip
    return a and Line(f"{name} = {g.pick(texts)}", "guarded unary", (name,), inexact=True)


def partner(g, a: str) -> str | None:
    """A tensor that probably broadcasts with ``a``."""
    shape = g.value(a).shape

    def fits(t):
        return all(m == n or 1 in (m, n) for m, n in zip(t.shape[::-1], shape[::-1], strict=False))

    return g.tensor(fits if not g.chance(0.04) else None)


def binary(g) -> Line | None:
    a, name = g.tensor(), g.name()
    kind = g.random.random()
    scalar = kind < 0.35
    b = g.number() if scalar else partner(g, a)
    if b is None:
        return None
    if scalar and "j" in b and g.value(a).dtype in (torch.float16, torch.bfloat16):
        return None  # complex32
    op = g.pick(["+", "-", "*", "+", "-", "*", "/"])
    complex_ = g.value(a).is_complex() or (g.value(b).is_complex() if not scalar else "j" in b)
    inexact = complex_ and op in "*/"
    if op == "/":
        a_text, b_text = (
            (a, f"({b}.abs() + 1)") if not scalar else (a, g.pick(["2", "4.0", "0.5", "3", "-8"]))
        )
        return Line(f"{name} = {a_text} / {b_text}", "div", (name,), inexact=inexact, names=True)
    if scalar and g.chance(0.4):
        a, b = b, a
    if op in "+-" and g.chance(0.12) and not scalar:
        function = "add" if op == "+" else "sub"
        alpha = g.pick(["2", "0.5", "-1", "1"])
        text = f"{name} = torch.{function}({a}, {b}, alpha={alpha})"
        return Line(text, "alpha", (name,), inexact=True, names=True)
    return Line(f"{name} = {a} {op} {b}", f"binary {op}", (name,), inexact=inexact, names=True)


def binary_rare(g) -> Line | None:
    name = g.name()
    kind = g.integer(0, 5)
    a = g.tensor(real, exact=True)
    b = a and partner(g, a)
    if b is None or g.noise(b):
        return None
    if kind == 0:
        if g.value(b).dtype == torch.bool or g.value(b).is_complex():
            return None
        op = g.pick(["//", "%"])
        divisor = g.pick(["2", "3", "0.5", "-2"]) if g.chance(0.6) else f"({b}.abs() + 1)"
        return Line(f"{name} = {a} {op} {divisor}", "floor division", (name,))
    if kind == 1:
        op = g.pick(["<", "<=", ">", ">=", "==", "!="])
        other = g.number() if g.chance(0.4) else b
        return Line(f"{name} = {a} {op} {other}", "comparison", (name,))
    if kind == 2:
        function = g.pick(
            ["maximum", "minimum", "fmod", "logical_and", "logical_or", "logical_xor", "atan2"]
        )
        if function == "fmod":
            if g.value(b).is_complex():
                return None
            b = f"({b}.abs() + 1)"
        return Line(
            f"{name} = torch.{function}({a}, {b})", function, (name,), inexact=function == "atan2"
        )
    if kind == 3:
        op = g.pick(["&", "|", "^"])
        return Line(f"{name} = {a} {op} {b}", "bitwise", (name,))
    if kind == 4:
        exponent = g.pick(["2", "3", "0", "1", "2.0", "0.5", "-1"])
        base = f"({a}.abs() + 1)" if exponent in ("0.5", "-1") else a
        return Line(f"{name} = {base} ** {exponent}", "pow", (name,), inexact=True, names=True)
    condition = g.tensor(lambda t: t.dtype == torch.bool, exact=True)
    if condition is None:
        return None
    other = g.number() if g.chance(0.3) else b
    return Line(f"{name} = torch.where({condition}, {a}, {other})", "where", (name,))


def dims_of(g, a, several=False) -> str:
    """A dim argument for a tensor, now and then a wrong one."""
    ndim = g.value(a).dim()
    if g.chance(0.03):
        return str(g.pick([ndim, -ndim - 1, 7]))
    if several and ndim > 1 and g.chance(0.3):
        return repr(tuple(g.random.sample(range(ndim), g.integer(1, ndim))))
    return str(g.integer(-max(ndim, 1), max(ndim, 1) - 1))


def distinct(a: str) -> str:
    """The tensor with different values, so that which one is the largest is defined."""
    return f"({a} + torch.arange({a}.numel()).view({a}.shape) * 32)"


def reduction(g) -> Line | None:
    name = g.name()
    kind = g.integer(0, 6)
    if kind <= 2:
        a = g.tensor(lambda t: t.numel() > 0)
        if a is None:
            return None
        function = g.pick(["sum", "sum", "mean", "prod"])
        several = function != "prod"
        text = _reduced(g, a, function, several)
        return Line(f"{name} = {text}", function, (name,), inexact=True, names=True)
    if kind == 3:
        a = g.tensor(lambda t: t.numel() > 0 and real(t), exact=True)
        if a is None:
            return None
        function = g.pick(
            ["amax", "amin", "max", "min", "argmax", "argmin", "all", "any", "count_nonzero"]
        )
        if function == "count_nonzero":
            return Line(f"{name} = torch.count_nonzero({a})", function, (name,))
        if function in ("max", "min"):
            i = g.name()
            dim = dims_of(g, a)
            return Line(
                f"{name}, {i} = torch.{function}({distinct(a)}, {dim})", function, (name, i)
            )
        if "arg" in function:
            return Line(
                f"{name} = torch.{function}({distinct(a)}, {dims_of(g, a)})", function, (name,)
            )
        return Line(
            f"{name} = {_reduced(g, a, function, 'a' == function[0] and function[1] == 'm')}",
            function,
            (name,),
        )
    if kind == 4:
        a = g.tensor(lambda t: plain(t) and t.numel() > 0)
        if a is None:
            return None
        text = g.pick(
            [f"torch.softmax({a}, -1)", f"F.log_softmax({a}, -1)", f"torch.logsumexp({a}, -1)"]
        )
        return Line(f"{name} = {text}", "softmax", (name,), inexact=True)
    if kind == 5:
        a = g.tensor(lambda t: t.numel() > 0)
        function = g.pick(["cumsum", "cumprod"])
        return a and Line(
            f"{name} = torch.{function}({a}, {dims_of(g, a)})", function, (name,), inexact=True
        )
    a = g.tensor(lambda t: real(t) and t.numel() > 0 and t.dim() > 0, exact=True)
    if a is None:
        return None
    if g.chance(0.5) or g.value(a).dtype == torch.bool:
        i = g.name()
        return Line(
            f"{name}, {i} = torch.sort({a}, dim={dims_of(g, a)}, stable=True)", "sort", (name, i)
        )
    return Line(f"{name} = torch.topk({distinct(a)}, 1, dim={dims_of(g, a)})[0]", "topk", (name,))


def _reduced(g, a, function, several) -> str:
    form = g.integer(0, 3)
    dtype = ", dtype=torch.float64" if function in ("sum", "mean") and g.chance(0.12) else ""
    if form == 0:
        return f"{a}.{function}({dtype[2:]})"
    keep = ", keepdim=True" if form == 1 else ""
    return f"{a}.{function}({dims_of(g, a, several)}{keep}{dtype})"


def product(g) -> Line | None:
    """Matrix products between tensors that fit, or nearly."""
    a = g.tensor(lambda t: t.dim() >= 1 and floating(t) and t.numel() > 0)
    if a is None:
        return None
    n = g.value(a).shape[-1]
    own = g.value(a).dtype

    def fits(t):
        inner = t.shape[-2] if t.dim() > 1 else t.shape[0] if t.dim() else -1
        return (
            (t.dtype == own or (t.numel() > 0 and g.chance(0.02)))
            and (inner == n or g.chance(0.02))
            and t.dim() <= 3
        )

    b = g.tensor(fits)
    name = g.name()
    if b is None:
        return (
            Line(f"{name} = {a} @ {a}.t()", "matmul", (name,), inexact=True)
            if g.value(a).dim() == 2
            else None
        )
    text = g.pick([f"{a} @ {b}", f"torch.matmul({a}, {b})"])
    return Line(f"{name} = {text}", "matmul", (name,), inexact=True)


def joined(g) -> Line | None:
    a = g.tensor(lambda t: t.dim() > 0)
    if a is None:
        return None
    shape = g.value(a).shape
    name = g.name()
    same = g.tensor(lambda t: t.shape == shape) if not g.chance(0.03) else g.tensor()
    if g.chance(0.3):
        return Line(
            f"{name} = torch.stack([{a}, {same}], {g.integer(0, len(shape))})",
            "stack",
            (name,),
            names=True,
        )
    b = (
        g.tensor(lambda t: t.dim() == len(shape) and t.shape[1:] == shape[1:])
        if g.chance(0.5)
        else same
    )
    return Line(f"{name} = torch.cat([{a}, {b}, {a}], 0)", "cat", (name,), names=True)


def gathered(g) -> Line | None:
    a = g.tensor(lambda t: t.dim() > 0 and t.shape[0] > 0)
    if a is None:
        return None
    n, name = g.value(a).shape[0], g.name()
    top = n - 1 if not g.chance(0.05) else n
    index = [g.integer(0, top) for _ in range(g.integer(1, 4))]
    kind = g.integer(0, 4)
    shape = tuple(g.value(a).shape)
    if kind == 0:
        return Line(
            f"{name} = torch.index_select({a}, 0, torch.tensor({index}))",
            "index_select",
            (name,),
            names=True,
        )
    if kind == 1:
        text = f"torch.gather({a}, 0, torch.randint(0, {n}, {shape}))"
        return Line(
            f"torch.manual_seed({g.integer(0, 9)}); {name} = {text}", "gather", (name,), names=True
        )
    if kind == 2:
        return Line(f"{name} = torch.take({a}, torch.tensor({index}))", "take", (name,))
    if kind == 3:
        places = torch.randperm(n).tolist()
        text = f"torch.index_add({a}, 0, torch.tensor({places}), {a})"
        return Line(f"{name} = {text}", "index_add", (name,), inexact=True)
    mask = g.tensor(lambda t: t.dtype == torch.bool and t.shape == shape, exact=True)
    if mask is None:
        return Line(f"{name} = torch.roll({a}, {g.integer(-2, 3)}, 0)", "roll", (name,))
    return Line(f"{name} = torch.masked_select({a}, {mask})", "masked_select", (name,))


def advanced(g) -> Line | None:
    """Advanced indexing, which copies."""
    a = g.tensor(lambda t: t.dim() > 0 and t.numel() > 0)
    if a is None:
        return None
    name = g.name()
    return Line(f"{name} = {a}[{advanced_index(g, a)}]", "advanced getitem", (name,))


def advanced_index(g, a) -> str:
    """An index with at least one list, tensor or mask."""
    shape = g.value(a).shape
    mask = g.tensor(
        lambda t: t.dtype == torch.bool and 0 < t.dim() and t.shape == shape[: t.dim()], exact=True
    )
    if mask is not None and g.chance(0.4):
        return mask
    if g.chance(0.15) and not g.tensors[a] and not g.value(a).is_complex():
        return f"{a} > {g.number(g.value(a).dtype)}"
    top = shape[0] - 1 if not g.chance(0.04) else shape[0]
    count = g.integer(1, 3)
    places = [g.integer(-shape[0], top) for _ in range(count)]
    first = f"torch.tensor({places})" if g.chance(0.5) else repr(places)
    if len(shape) == 1 or g.chance(0.5):
        return first
    rest = g.pick(
        [
            ":",
            "0",
            "None",
            "...",
            f"{[g.integer(0, shape[1] - 1) for _ in range(count)]}",
            "::2",
            "-1:",
        ]
    )
    parts = (
        [first, rest]
        if g.chance(0.7)
        else [rest, first.replace("-", "") if shape[1] > top else first]
    )
    return ", ".join(parts)


def cast(g) -> Line | None:
    name = g.name()
    dtype = g.dtype()
    a = g.tensor()
    if "float" not in dtype and "complex" not in dtype:
        a = g.tensor(real, exact=True)
    if a is None:
        return None
    if dtype == "uint8" and g.value(a).dtype != torch.bool and bool((g.value(a) < 0).any()):
        dtype = "int64"
    if g.value(a).is_complex() and "complex" not in dtype:
        dtype = "complex128"
    method = {"float32": "float", "float64": "double", "int64": "long", "bool": "bool"}.get(dtype)
    text = f"{a}.{method}()" if method and g.chance(0.5) else f"{a}.to(torch.{dtype})"
    return Line(f"{name} = {text}", "cast", (name,), inexact="float16" in dtype and g.noise(a) > 0)


def fused(g) -> Line | None:
    """Functions of several tensors of one shape."""
    a = g.tensor(plain)
    if a is None:
        return None
    shape, own, name = g.value(a).shape, g.value(a).dtype, g.name()
    b = g.tensor(lambda t: t.shape == shape and t.dtype == own)
    c = g.tensor(lambda t: t.shape == shape and t.dtype == own)
    texts = [
        f"torch.lerp({a}, {b}, {g.pick(['0.25', '0.75'])})",
        f"torch.addcmul({a}, {b}, {c}, value=0.5)",
        f"torch.addcdiv({a}, {b}, {c}.abs() + 1, value=2)", f"F.mse_loss({a}, {b})",
        f"F.l1_loss({a}, {c})", f"F.smooth_l1_loss({a}, {b}, reduction='sum')",
        f"torch.dist({a}, {b})", f"torch.std({a})", f"torch.var({a}, dim=0)", f"torch.norm({a})",
        f"F.normalize({a}, dim=-1)", f"torch.clamp({a}, -1, 1.5)", f"torch.clamp({a}, min={b})",
        f"torch.hypot({a}, {b} + 4)", f"torch.tril({a})", f"torch.triu({a}, 1)",
        f"torch.flip({a}, [0])", f"{a}.repeat(2, 1)", f"torch.outer({a}, {b})",
        f"torch.einsum('...i,...i->...', {a}, {b})", f"F.pad({a}, (1, 1))",
        f"torch.cdist({a}, {b})", f"F.dropout({a}, 0.0)", f"F.layer_norm({a}, {a}.shape[-1:])",
    ]  # fmt: skip
    return Line(f"{name} = {g.pick(texts)}", "fused", (name,), inexact=True)


def chunk_of_text(g) -> Line | None:
    """Numbers read in the middle of a program."""
    name = g.name()
    kind = g.integer(0, 4)
    if kind == 0:
        a = g.tensor(lambda t: t.numel() == 1 and real(t), exact=True)
        return a and Line(f"{name} = torch.tensor({a}.item()) + 1", "item", (name,))
    if kind == 1:
        a = g.tensor(
            lambda t: t.numel() > 0 and t.dtype in (torch.float32, torch.int64), exact=True
        )
        b = g.tensor()
        return a and Line(f"{name} = {b} + 1 if {a}.sum() > 0 else {b} - 1", "branch", (name,))
    if kind == 2:
        a = g.tensor(exact=True)
        return a and Line(
            f"{name} = torch.tensor({a}.tolist(), dtype={a}.dtype)", "tolist", (name,)
        )
    if kind == 3:
        a = g.tensor(lambda t: t.dim() > 0 and 0 < t.shape[0] and floating(t))
        return a and Line(f"{name} = sum(_ * 0.5 for _ in {a})", "iteration", (name,), inexact=True)
    a = g.tensor(lambda t: real(t), exact=True)
    return a and Line(f"{name} = torch.nonzero({a})", "nonzero", (name,))


KINDS = [
    (3, create), (1, like), (5, unary), (9, binary), (4, binary_rare), (4, reduction), (2, product),
    (2, joined), (2, gathered), (3, advanced), (3, cast), (3, fused), (2, chunk_of_text),
]  # fmt: skip
