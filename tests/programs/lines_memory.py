"""Lines that write memory in place, through tensors, views and NumPy arrays."""

from __future__ import annotations

import torch

from tests.programs.lines_math import advanced_index, partner, real
from tests.programs.lines_views import basic_index
from tests.programs.program import Line


def separate(t) -> bool:
    """Whether no two elements share memory (expanded tensors are refused by both libraries)."""
    if expanded(t):
        return True
    places = torch.zeros(1, dtype=torch.int64)
    for n, s in zip(t.shape, t.stride(), strict=True):
        places = (places[:, None] + torch.arange(n) * s).reshape(-1)
    return len(places.unique()) == len(places)


def target(g, wanted=None, whole=False, leaf=False) -> str | None:
    """A tensor to write into: seldom one that must not be written."""

    def fits(t):
        if not separate(t):
            return False
        if t.is_leaf and t.requires_grad and not (leaf or g.chance(0.05)):
            return False
        return wanted is None or wanted(t)

    a = g.tensor(fits)
    if a is not None and g.home[a] in g.foreign:
        return None
    if a is not None and graph(g) and g.home[a] in g.unwatched:
        return None  # PyTorch does not notice that saved memory changes
    if a is not None and expanded(g.value(a)) and (whole or a not in g.strided):
        return None  # some gradients are expanded in PyTorch
    return a


def expanded(t) -> bool:
    return any(n > 1 and s == 0 for n, s in zip(t.shape, t.stride(), strict=True))


def line(a, text, kind, inexact=False, new=()) -> Line:
    return Line(text, kind, new=new, writes=(a,), inexact=inexact)


def apart(g, a, b) -> bool:
    """Whether writing ``a`` leaves ``b`` alone: what a loop does otherwise depends on its order."""
    return a == b or g.home.get(a) != g.home.get(b)


def source(g, a, exact=False) -> str | None:
    """A tensor or number that may be written into ``a`` by arithmetic."""
    own = g.value(a).dtype
    if g.chance(0.4):
        return g.number(own)
    b = partner(g, a)
    if b is None:
        return None
    t = g.value(b)
    discrete = not (own.is_floating_point or own.is_complex)
    if (exact or discrete) and g.noise(b):
        return None
    if not apart(g, a, b) or (t.requires_grad and own.is_complex and not t.is_complex()):
        return None
    if t.shape != g.value(a).shape and t.dim() > g.value(a).dim() and not g.chance(0.05):
        return None
    return b


def arithmetic(g) -> Line | None:
    a = target(g)
    b = a and source(g, a)
    if b is None:
        return None
    complex_ = g.value(a).is_complex()
    form = g.integer(0, 6)
    if form == 0:
        return line(a, f"{a} += {b}", "iadd")
    if form == 1:
        return line(a, f"{a}.mul_({b})", "mul_", complex_)
    if form == 2:
        return line(a, f"{a}.sub_({b})", "sub_")
    if form == 3:
        return line(a, f"{a} *= {b}", "imul", complex_)
    if form == 4:
        return line(a, f"{a}.add_({b}, alpha={g.pick(['2', '-1'])})", "add_ alpha", True)
    if form == 5:
        divisor = g.pick(["2", "4.0", "-2"]) if g.chance(0.7) else f"({b} * 0 + 2)"
        return line(a, f"{a}.div_({divisor})", "div_", complex_)
    return line(a, f"{a}.add_({b})", "add_")


def filled(g) -> Line | None:
    a = target(g, whole=True)
    if a is None:
        return None
    t = g.value(a)
    text = g.pick(
        [f"{a}.zero_()", f"{a}.fill_({g.number(t.dtype)})", f"{a}.copy_({g.number(t.dtype)})"]
    )
    if "copy_" in text:
        b = partner(g, a)
        if (
            b is None
            or not apart(g, a, b)
            or not _may_convert(g, b, t.dtype)
            or g.value(b).dim() > t.dim()
        ):
            return None
        text = f"{a}.copy_({b})"
    return line(a, text, text.split(".")[1].split("(")[0])


def _may_convert(g, b, dtype) -> bool:
    """Whether the conversion of ``b`` is defined and does not magnify rounding."""
    value = g.value(b)
    if dtype.is_complex:
        return value.is_complex() or not value.requires_grad
    if value.requires_grad and not dtype.is_floating_point:
        return False  # PyTorch gives the integers a gradient function
    if value.is_complex():
        return False
    if dtype.is_floating_point:
        return True
    if g.noise(b):
        return False
    return dtype != torch.uint8 or value.dtype == torch.bool or not bool((value < 0).any())


def functions(g) -> Line | None:
    """In-place functions of one tensor."""
    kind = g.integer(0, 4)
    if kind <= 1:
        a = target(g, lambda t: t.is_floating_point())
        name = g.pick(["sin_", "tanh_", "sigmoid_", "cos_", "atan_"])
        return a and line(a, f"{a}.{name}()", name, True)
    if kind == 2:
        a = target(g, real)
        if a is None:
            return None
        low = g.number(g.value(a).dtype)
        return line(
            a,
            g.pick([f"{a}.clamp_({low}, 3)", f"{a}.clamp_(min={low})", f"{a}.clamp_max_(2)"]),
            "clamp_",
        )
    if kind == 3:
        a = target(g, real)
        if a is None or g.noise(a):
            return None
        return line(
            a,
            g.pick(
                [
                    f"{a}.neg_()",
                    f"{a}.abs_()",
                    f"F.relu({a}, inplace=True)",
                    f"{a}.floor_()",
                    f"{a}.relu_()",
                ]
            ),
            "exact in place",
        )
    a = target(g, lambda t: t.is_floating_point())
    text = g.pick(
        [
            "pow_(2)",
            "square_()",
            "lerp_({b}, 0.5)",
            "addcmul_({b}, {b}, value=0.5)",
            "cumsum_(0)",
            "exp_()",
        ]
    )
    if a is None or (
        text == "exp_()" and float(g.value(a).detach().max() if g.value(a).numel() else 0) > 4
    ):
        return None
    own = g.value(a)
    b = g.tensor(lambda t: t.shape == own.shape and t.dtype == own.dtype)
    if not apart(g, a, b):
        return None
    return line(a, f"{a}.{text.format(b=b)}", text.split("(")[0], True)


def item_set(g) -> Line | None:
    """``a[index] = value`` with basic and advanced indices."""
    a = target(g, lambda t: t.numel() > 0, whole=True)
    if a is None:
        return None
    t = g.value(a)
    wide = t.dim() > 0 and g.chance(0.4)
    index = unique_index(g, a) if wide else basic_index(g, a)
    value = g.number(t.dtype)
    if g.chance(0.5):
        try:
            shape = eval(f"_[{index}]", {**g.env, "_": t}).shape
        except Exception:
            shape = ()
        n = len(shape)
        own = t.dtype

        def fits(x):
            lead = n - x.dim()
            return (
                lead >= 0
                and (x.dtype == own or not wide)
                and all(m in (1, k) for m, k in zip(x.shape, shape[lead:], strict=True))
            )

        b = g.tensor(fits)
        if b is None or not apart(g, a, b) or b == a or not _may_convert(g, b, own):
            return None
        value = b
    kind = "advanced setitem" if wide else "setitem"
    if g.chance(0.2):
        op = g.pick(["+=", "*=", "-="])
        if op != "*=" and t.dtype == torch.bool:
            return None
        return line(a, f"{a}[{index}] {op} {value}", f"item {op}")
    return line(a, f"{a}[{index}] = {value}", kind)


def unique_index(g, a) -> str:
    """An advanced index that names no element twice."""
    t = g.value(a)
    for _ in range(5):
        index = advanced_index(g, a)
        try:
            places = eval(f"_[{index}]", {**g.env, "_": torch.arange(t.numel()).view(t.shape)})
        except Exception:
            return f"[{t.shape[0]}]"  # one element, so that nothing is written before the error
        if len(places.unique()) == places.numel():
            return index
    return "[0]"


def scattered(g) -> Line | None:
    a = target(g, lambda t: t.dim() > 0 and t.shape[0] > 0, whole=True)
    if a is None:
        return None
    t = g.value(a)
    value = g.number(t.dtype)
    kind = g.integer(0, 5)
    n = t.shape[0]
    places = g.random.sample(range(n), g.integer(1, n))
    mask = g.tensor(lambda x: x.dtype == torch.bool and x.shape == t.shape, exact=True)
    if kind == 0 and mask:
        return line(a, f"{a}.masked_fill_({mask}, {value})", "masked_fill_")
    if kind == 1:
        return line(a, f"{a}.index_fill_(0, torch.tensor({places}), {value})", "index_fill_")
    if kind == 2:
        text = f"{a}.index_add_(0, torch.tensor({places}), {a}.detach().clone()[:{len(places)}])"
        return line(a, text, "index_add_", True)
    if kind == 3:
        accumulate = g.pick(["", ", accumulate=True"])
        text = f"{a}.index_put_((torch.tensor({places}),), {a}.detach().clone()[0]{accumulate})"
        return line(a, text, "index_put_", bool(accumulate))
    if kind == 4:
        index = f"torch.tensor({places}).view({', '.join(['-1'] + ['1'] * (t.dim() - 1))})"
        return line(a, f"{a}.scatter_(0, {index}, {value})", "scatter_")
    text = f"{a}.index_copy_(0, torch.tensor({places}), {a}.detach().clone()[:{len(places)}])"
    return line(a, text, "index_copy_")


def turned(g) -> Line | None:
    """In-place changes of shape."""
    a = g.tensor(lambda t: 0 < t.dim() < 4 and not (t.is_leaf and t.requires_grad))
    if a is None or not g.alone(a):
        return None
    g.strided.discard(a)
    ndim = g.value(a).dim()
    texts = [
        f"{a}.transpose_(0, {ndim - 1})",
        f"{a}.unsqueeze_({g.integer(0, ndim)})",
        f"{a}.squeeze_()",
    ]
    if ndim == 2:
        texts.append(f"{a}.t_()")
    text = g.pick(texts)
    return Line(text, text.split(".")[1].split("(")[0])


def to_numpy(g) -> Line | None:
    a = g.tensor(
        lambda t: (
            t.dtype != torch.bfloat16
            and not t.is_conj()
            and (not t.requires_grad or g.chance(0.05))
        )
    )
    if a is None or a not in g.strided:
        return None
    name = g.name()
    text = f"{a}.detach().numpy()" if g.chance(0.4) else f"{a}.numpy()"
    return Line(f"{name} = {text}", "numpy()", (name,))


def from_numpy(g) -> Line | None:
    name, array = g.name(), g.name()
    if g.arrays and g.chance(0.5):
        n = g.pick(g.arrays)
        if any(s < 0 for s in g.env[n].strides):
            return None
        function = g.pick(["torch.from_numpy", "torch.as_tensor", "torch.tensor"])
        return Line(f"{name} = {function}({n})", function, (name,))
    shape = [n for n in g.shape() if n][:3]
    dtype = g.pick(["float32", "float64", "int64", "int32", "uint8", "bool"])
    text = f"{array} = np.array({g.literal(dtype, tuple(shape))}, dtype='{dtype}')"
    extra = ""
    if len(shape) > 1:
        extra = g.pick(["", "", ".T", "[::2]", "[:, 1:]"])
    return Line(f"{text}; {name} = torch.from_numpy({array}{extra})", "from_numpy", (array, name))


def numpy_write(g) -> Line | None:
    """NumPy writes into memory that a tensor may share."""
    if not g.arrays:
        return None
    n = g.pick(g.arrays)
    array = g.env[n]
    if not array.flags.writeable or array.size == 0 or graph(g):
        return None
    value = g.integer(0, 4) if array.dtype.kind in "ub" else g.integer(-3, 4)
    texts = [f"{n}[...] = {value}"]
    if array.ndim:
        texts += [f"{n}[0] = {value}", f"{n}[-1:] = {value}"]
    if array.dtype.kind != "b":
        texts += [f"{n} += {value}", f"{n}[...] *= 2"] if array.dtype.kind != "u" else [f"{n} += 1"]
    return Line(g.pick(texts), "numpy write", writes=())


def graph(g) -> bool:
    """Whether a gradient graph exists: a write that autograd does not see would change it."""
    return any(g.value(n).grad_fn is not None for n in g.tensors)


def data_set(g) -> Line | None:
    """``a.data`` given another memory, or written."""
    a = target(g, lambda t: t.is_leaf and t.dtype in (torch.float32, torch.float64), True, True)
    if a is None:
        return None
    t = g.value(a)
    if graph(g):
        return None
    b = g.tensor(lambda x: x.shape == t.shape and x.dtype == t.dtype)
    if not apart(g, a, b):
        return None
    text = g.pick(
        [
            f"{a}.data.mul_(0.5)",
            f"{a}.data.copy_({b})",
            f"{a}.data[...] = 1.5",
            f"{a}.data = {b}.detach().clone()",
        ]
    )
    if "clone" in text and not (g.value(b).is_contiguous() and g.alone(a)):
        return None
    return Line(text, "data", writes=(a,))


def quiet(g) -> Line | None:
    """A write within no_grad, also into leaves."""
    a = target(g, lambda t: t.is_floating_point() or t.is_complex(), leaf=True)
    if a is None:
        return None
    complex_ = g.value(a).is_complex()
    text = g.pick(
        [
            f"{a}.mul_(0.5)",
            f"{a} -= 0.25",
            f"{a}[...] = 0.5",
            f"{a}.add_(1)",
            f"{a}.zero_()",
            f"{a}.copy_({a}.flip(0) if {a}.dim() else {a} + 1)",
        ]
    )
    mode = g.pick(["no_grad", "no_grad", "inference_mode"] if False else ["no_grad"])
    return Line(f"with torch.{mode}():\n    {text}", "no_grad write", writes=(a,), inexact=complex_)


def deleted(g) -> Line | None:
    """A variable is dropped: values nobody sees are never computed."""
    if len(g.tensors) < 4:
        return None
    a = g.pick(g.tensors)
    return Drop(f"del {a}", "del", a)


class Drop(Line):
    """A deletion; the generator forgets the variable when the line has run."""

    def __init__(self, text, kind, name):
        super().__init__(text, kind)
        self.dropped = name


KINDS = [
    (7, arithmetic), (4, filled), (4, functions), (7, item_set), (3, scattered), (1, turned),
    (1.5, to_numpy), (1.5, from_numpy), (3, numpy_write), (1.5, data_set), (2, quiet),
    (0.7, deleted),
]  # fmt: skip
