"""Which structured kernel serves which primitive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula.base import dtypes
from facula.engines.native.kernel import Lowered, Piece, given, result
from facula.engines.native.structured import (
    along,
    attention,
    attention_grad,
    extremes,
    gathers,
    max_pool_grad,
    moves,
    recurrent,
    recurrent_grad,
    scans,
    scatters,
    selection,
    sorting,
    window_sums,
    windows,
)  # fmt: skip

Make = Callable[..., Any]


def _one_kernel(make: Make) -> Make:
    """A lowering of a primitive with one operand that is one kernel."""

    def lowered(params, specs, out) -> Lowered | None:
        kernel = make(params, specs[0])
        if kernel is None:
            return None
        return Lowered([Piece(kernel, (given(0), result()), (1,))])

    return lowered


_PLAIN: dict[str, Make] = {
    "add_runs": along.add_runs,
    "argmax": _one_kernel(extremes.place_of_extreme("argmax")),
    "argmin": _one_kernel(extremes.place_of_extreme("argmin")),
    "argsort": sorting.argsort,
    "bitcast": moves.bitcast,
    "concat": moves.concat,
    "cumargmax": _one_kernel(scans.running_place("cumargmax")),
    "cumargmin": _one_kernel(scans.running_place("cumargmin")),
    "cumprod": _one_kernel(scans.scan("cumprod")),
    "cumsum": _one_kernel(scans.scan("cumsum")),
    "first_of_order": selection.first_of_order,
    "gather": gathers.gather,
    "index": gathers.index,
    "index_along": along.index_along,
    "index_runs": along.index_runs,
    "logcumsumexp": _one_kernel(scans.scan("logcumsumexp")),
    "pad": moves.pad,
    "recurrence": recurrent.recurrence,
    "recurrence_grad": recurrent_grad.recurrence_grad,
    "searchsorted": sorting.searchsorted,
    "window": moves.window,
    "window_argmax": _one_kernel(windows.window_argmax),
    "window_max": _one_kernel(windows.window_max),
    "window_spread": _one_kernel(windows.window_spread),
    "window_sum": _one_kernel(windows.window_sum),
    "window_sum_into": window_sums.window_sum_into,
}
# These start from operand 0, which the caller may know to be zeros.
_UPDATES: dict[str, Make] = {
    "index_put": scatters.index_put,
    "index_put_along": along.index_put_along,
    "scatter": scatters.scatter,
    "slice_update": moves.slice_update,
    "window_update": moves.window_update,
}
_MOVES_ANYTHING = frozenset(
    (
        "bitcast",
        "concat",
        "gather",
        "index",
        "index_along",
        "pad",
        "slice_update",
        "window",
        "window_update",
    )
)


def lower(
    name: str, params: dict, operands, out, zeros: bool = False, in_place: bool = False
) -> Lowered | None:
    """The pieces that compute a primitive.

    Of updates (scatter, index_put, slice_update, window_update ...), which start from operand 0:
    ``zeros`` says that it is all zeros, ``in_place`` that the result's memory holds it already;
    in both cases it is not among the operands of the pieces. ``STATUS`` is not among the writes.
    """
    specs = list(operands)
    if any(s.dtype.is_complex for s in specs) and name not in _MOVES_ANYTHING:
        return None
    if name in _PLAIN:
        return _PLAIN[name](params, specs, out)
    if name in _UPDATES:
        lowered = _UPDATES[name](params, specs, out, zeros)
        if lowered is not None and in_place:
            del lowered.pieces[0]  # the copy of operand 0
        return lowered
    return None


def lower_attention(name: str, params: dict, views, own: dtypes.dtype) -> Lowered | None:
    """Attention or its gradient; operands lie as ``views`` say."""
    make = attention.forward if name == "attention" else attention_grad.backward
    return make(params, views, own)


def lower_max_pool_grad(params: dict, x, g, relu: bool) -> Lowered | None:
    """scatter(zeros, argmax of the windows of x, g) in one pass; operands are x and g.

    ``relu``: x is the result of a relu whose gradient is taken too: 0 where x is not positive.
    """
    if x.dtype is not g.dtype or x.dtype.category != dtypes.FLOAT:
        return None
    return max_pool_grad.max_pool_grad(params, x, relu)
