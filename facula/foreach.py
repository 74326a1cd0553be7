"""``torch._foreach_*``: one operation on each tensor of a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from facula import operators as ops
from facula.tensors import Tensor

_UNARY = (
    "abs", "neg", "sqrt", "exp", "log", "reciprocal", "sign", "sigmoid", "tanh", "floor", "ceil",
    "round", "sin", "cos", "rsqrt", "erf", "trunc",
)  # fmt: skip
_BINARY = {
    "add": "add", "sub": "sub", "mul": "mul", "div": "div", "pow": "pow", "maximum": "clamp_min",
    "minimum": "clamp_max", "clamp_min": "clamp_min", "clamp_max": "clamp_max",
}  # fmt: skip
_TERNARY = ("lerp", "addcmul", "addcdiv")


def _spread(value: Any, count: int) -> Sequence[Any]:
    """One value for each tensor: a list as it is, anything else repeated."""
    if isinstance(value, (list, tuple)):
        if len(value) != count:
            raise RuntimeError(
                f"Tensor lists must have the same number of tensors, got {count} and {len(value)}"
            )
        return value
    return [value] * count


def _apply(name: str, tensors: Sequence[Tensor], others: tuple, kwargs: dict) -> list[Tensor]:
    function: Callable[..., Tensor] = getattr(ops, name)
    columns = [_spread(other, len(tensors)) for other in others]
    return [function(t, *values, **kwargs) for t, *values in zip(tensors, *columns, strict=True)]


def _scaled(name: str, tensors: Sequence[Tensor], others: tuple, kwargs: dict) -> list[Tensor]:
    """addcmul and addcdiv: the last argument scales, one number or one for each tensor."""
    if name not in ("addcmul", "addcdiv"):
        return _apply(name, tensors, others, kwargs)
    first, second, *rest = others
    values = _spread(rest[0] if rest else kwargs.get("value", 1), len(tensors))
    function = getattr(ops, name)
    rows = zip(tensors, first, second, values, strict=True)
    return [function(t, a, b, value=v) for t, a, b, v in rows]


def _make(name: str, run: Callable[..., list[Tensor]]) -> None:
    def outside(self: Sequence[Tensor], *others: Any, **kwargs: Any) -> list[Tensor]:
        return run(name_of, self, others, kwargs)

    def inside(self: Sequence[Tensor], *others: Any, **kwargs: Any) -> Sequence[Tensor]:
        for tensor, result in zip(self, run(name_of, self, others, kwargs), strict=True):
            tensor.copy_(result)
        return self

    name_of = _BINARY.get(name, name)
    outside.__name__, inside.__name__ = f"_foreach_{name}", f"_foreach_{name}_"
    outside.__doc__ = f"``{name}`` of each tensor of a list."
    inside.__doc__ = f"``{name}`` of each tensor of a list, in place."
    globals()[outside.__name__], globals()[inside.__name__] = outside, inside


for _name in (*_UNARY, *_BINARY):
    _make(_name, _apply)
for _name in _TERNARY:
    _make(_name, _scaled)


def _foreach_copy_(self: Sequence[Tensor], src: Sequence[Tensor], non_blocking: bool = False):
    """Copy each tensor of a list into that of another."""
    for tensor, source in zip(self, src, strict=True):
        tensor.copy_(source)
    return self


def _foreach_zero_(self: Sequence[Tensor]) -> None:
    """Set each tensor of a list to zero."""
    for tensor in self:
        tensor.zero_()


def _foreach_norm(self: Sequence[Tensor], ord: float = 2, dtype: Any = None) -> list[Tensor]:
    """The norm of each tensor of a list."""
    return [ops.norm(t, ord, dtype=dtype) for t in self]
