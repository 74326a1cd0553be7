"""Which structured kernel serves which primitive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula.base import dtypes
from facula.engines.native.kernel import Lowered, Piece, given, result
from facula.engines.native.structured import gathers, max_pool_grad, scatters, windows

Make = Callable[..., Any]


def _one_kernel(make: Make) -> Make:
    """A lowering of a primitive with one operand that is one kernel."""

    def lowered(params, specs, out) -> Lowered | None:
        kernel = make(params, specs[0])
        return kernel and Lowered([Piece(kernel, (given(0), result()), (1,))])

    return lowered


_PLAIN: dict[str, Make] = {
    "gather": gathers.gather,
    "index": gathers.index,
    "window_argmax": _one_kernel(windows.window_argmax),
    "window_max": _one_kernel(windows.window_max),
    "window_spread": _one_kernel(windows.window_spread),
    "window_sum": _one_kernel(windows.window_sum),
}
# These start from operand 0, which the caller may know to be zeros.
_UPDATES: dict[str, Make] = {
    "index_put": scatters.index_put,
    "scatter": scatters.scatter,
}
_MOVES_ANYTHING = frozenset(("gather", "index"))


def lower(name: str, params: dict, operands, out, zeros: bool = False) -> Lowered | None:
    """The pieces that compute a primitive; ``zeros``: operand 0 is all zeros and is not read.

    Operands that are only written through (``STATUS``) are not among ``Piece.writes``.
    """
    specs = list(operands)
    if any(s.dtype.is_complex for s in specs) and name not in _MOVES_ANYTHING:
        return None
    if name in _PLAIN:
        return _PLAIN[name](params, specs, out)
    if name in _UPDATES:
        return _UPDATES[name](params, specs, out, zeros)
    return None


def lower_max_pool_grad(params: dict, x, g, relu: bool) -> Lowered | None:
    """scatter(zeros, argmax of the windows of x, g) in one pass; operands are x and g.

    ``relu``: x is the result of a relu whose gradient is taken too: 0 where x is not positive.
    """
    if x.dtype is not g.dtype or x.dtype.category != dtypes.FLOAT:
        return None
    kernel = max_pool_grad.max_pool_grad(params, x, relu)
    return kernel and Lowered([Piece(kernel, (given(0), given(1), result()), (2,))])
