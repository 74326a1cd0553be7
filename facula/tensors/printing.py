"""Turns array values into the text PyTorch prints for a tensor.

Everything here is a pure function over NumPy arrays plus a few flags, so that the Tensor class
only has to collect its facts (dtype, grad_fn, device ...) and call `format_tensor`. A bfloat16
tensor arrives as a float32 array with the dtype name `"bfloat16"`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = [
    "PrintOptions",
    "format_sparse_coo",
    "format_tensor",
    "get_printoptions",
    "printoptions",
    "set_printoptions",
]


@dataclass(frozen=True)
class PrintOptions:
    """How tensors are printed; `sci_mode=None` lets each tensor decide for itself."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}
_current = PrintOptions()


def get_printoptions() -> PrintOptions:
    """Return the options that printing uses now."""
    return _current


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed: digits, summarising, line width and scientific notation.

    `profile` is "default", "short" or "full" and is applied before the other arguments. As in
    PyTorch, every call that does not give `sci_mode` returns that choice to automatic.

    >>> import facula as torch
    >>> torch.set_printoptions(precision=2)
    >>> torch.tensor([1 / 3])
    tensor([0.33])
    >>> torch.set_printoptions(profile="default")
    """
    global _current
    options = _current
    if profile is not None:
        options = _PROFILES.get(profile, options)
    given: dict[str, Any] = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    options = replace(
        options, **{name: value for name, value in given.items() if value is not None}
    )
    _current = replace(options, sci_mode=sci_mode)


@contextlib.contextmanager
def printoptions(**changes: object) -> Iterator[None]:
    """Use the given print options inside a `with` block and restore the old ones after it."""
    global _current
    before = _current
    set_printoptions(**changes)  # type: ignore[arg-type]
    try:
        yield
    finally:
        _current = before


class _NumberStyle:
    """One notation for all the real numbers of a tensor: plain, `1.`, fixed or scientific."""

    def __init__(self, values: np.ndarray, options: PrintOptions) -> None:
        self._digits = options.precision
        self._floating = values.dtype.kind == "f"
        if self._floating:
            self.width = self._choose_float_style(values, options)
        else:
            self.width = max((len(str(value)) for value in values.ravel().tolist()), default=1)

    def _choose_float_style(self, values: np.ndarray, options: PrintOptions) -> int:
        """Pick the notation and return the column width; zeros, nan and inf have no say."""
        wide = values.astype(np.float64).ravel()
        wide = wide[np.isfinite(wide) & (wide != 0)]
        self._whole = bool(np.all(wide == np.ceil(wide)))
        self._scientific = False
        if wide.size == 0:
            # Nothing to choose by: zeros print as `0.` even when scientific notation is forced.
            return 1
        smallest, largest = float(np.abs(wide).min()), float(np.abs(wide).max())
        automatic = largest / smallest > 1000.0 or largest > 1.0e8
        automatic = automatic or (not self._whole and smallest < 1.0e-4)
        self._scientific = automatic if options.sci_mode is None else options.sci_mode
        return max(len(self._text(value)) for value in wide.tolist())

    def _text(self, value: float) -> str:
        if not self._floating:
            return str(value)
        if self._scientific:
            return f"{value:.{self._digits}e}"
        if self._whole:
            return f"{value:.0f}" + ("." if math.isfinite(value) else "")
        return f"{value:.{self._digits}f}"

    def __call__(self, value: float) -> str:
        return self._text(value).rjust(self.width)


class _ElementStyle:
    """Formats one element of a tensor: a real number, or a complex one as two aligned halves."""

    def __init__(self, values: np.ndarray, options: PrintOptions) -> None:
        if values.dtype.kind == "c":
            self._real = _NumberStyle(values.real, options)
            self._imag: _NumberStyle | None = _NumberStyle(values.imag, options)
            self.column = self._real.width + self._imag.width + 3
        else:
            self._real = _NumberStyle(values, options)
            self._imag = None
            self.column = self._real.width + 2

    def __call__(self, value: complex) -> str:
        if self._imag is None:
            return self._real(value)  # type: ignore[arg-type]
        imag = self._imag(value.imag).lstrip() + "j"
        return self._real(value.real) + ("" if imag[0] == "-" else "+") + imag


def _edges(values: np.ndarray, edgeitems: int) -> np.ndarray:
    """Keep only the elements that a summary shows: the first and last `edgeitems` of each axis."""
    for axis, length in enumerate(values.shape):
        if length > 2 * edgeitems:
            kept = [*range(edgeitems), *range(length - edgeitems, length)]
            values = np.take(values, kept, axis=axis)
    return values


def _format_row(
    row: np.ndarray,
    indent: int,
    style: Callable[[complex], str],
    column: int,
    options: PrintOptions,
    summarize: bool,
) -> str:
    """Format the innermost axis, broken into lines that fit the line width."""
    edge = options.edgeitems
    if summarize and edge == 0:
        words = ["..."]
    elif summarize and len(row) > 2 * edge:
        head = [style(value) for value in row[:edge].tolist()]
        tail = [style(value) for value in row[-edge:].tolist()]
        words = [*head, " ...", *tail]
    else:
        words = [style(value) for value in row.tolist()]
    per_line = max(1, math.floor((options.linewidth - indent) / column))
    lines = [", ".join(words[at : at + per_line]) for at in range(0, len(words), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines or [""]) + "]"


def _format_axes(
    values: np.ndarray, indent: int, style: _ElementStyle, options: PrintOptions, summarize: bool
) -> str:
    """Format the axes from the outside in, one bracket pair per axis."""
    if values.ndim == 0:
        return style(values.item())
    if values.ndim == 1:
        return _format_row(values, indent, style, style.column, options, summarize)
    edge = options.edgeitems
    if summarize and edge == 0:
        return "[...]"
    if summarize and len(values) > 2 * edge:
        shown: Sequence[int | None] = [*range(edge), None, *range(len(values) - edge, len(values))]
    else:
        shown = range(len(values))
    parts = [
        "..." if at is None else _format_axes(values[at], indent + 1, style, options, summarize)
        for at in shown
    ]
    return "[" + ("," + "\n" * (values.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def format_values(array: np.ndarray, indent: int, options: PrintOptions) -> str:
    """Format only the bracketed numbers; `indent` is the column where the first bracket stands."""
    if array.size == 0:
        return "[]"
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    summarize = array.size > options.threshold
    style = _ElementStyle(_edges(array, options.edgeitems) if summarize else array, options)
    return _format_axes(array, indent, style, options, summarize)


def _append_facts(
    text: str, facts: Sequence[str], indent: int, options: PrintOptions, on_new_line: bool = False
) -> str:
    """Add `, fact` for each fact and the closing parenthesis, breaking lines before the margin."""
    pieces = [text]
    column = len(text) - text.rfind("\n") + 1
    for fact in facts:
        if on_new_line or column + len(fact) + 2 > options.linewidth:
            pieces.append(",\n" + " " * indent + fact)
            column = indent + len(fact)
            on_new_line = False
        else:
            pieces.append(", " + fact)
            column += len(fact) + 2
    return "".join(pieces) + ")"


def _gradient_facts(grad_fn_name: str | None, requires_grad: bool) -> list[str]:
    if grad_fn_name is not None:
        return [f"grad_fn=<{grad_fn_name}>"]
    return ["requires_grad=True"] if requires_grad else []


def _dtype_is_shown(dtype_name: str, default_dtype: str) -> bool:
    default_complex = "complex128" if default_dtype == "float64" else "complex64"
    return dtype_name not in (default_dtype, default_complex, "int64", "bool")


def format_tensor(
    array: np.ndarray | None,
    dtype_name: str,
    *,
    shape: Sequence[int] | None = None,
    default_dtype: str = "float32",
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    device: str | None = None,
    class_name: str = "tensor",
    options: PrintOptions | None = None,
) -> str:
    """Return the text PyTorch prints for a dense tensor.

    `array` holds the values (bfloat16 as float32); `None` stands for a tensor without values
    (device "meta"), whose `shape` must then be given. `device` is given only when it is to be
    shown. `class_name` is "tensor" for plain tensors and parameters, the class's name otherwise.
    """
    options = _current if options is None else options
    prefix = f"{class_name}("
    shape = tuple(shape) if array is None else array.shape  # type: ignore[arg-type]
    facts = [] if device is None else [f"device='{device}'"]
    if array is None:
        body = "..."
        facts.append(f"size={shape}")
        shown = dtype_name != default_dtype
    elif array.size == 0:
        body = "[]"
        if array.ndim != 1:
            facts.append(f"size={shape}")
        shown = dtype_name != default_dtype
    else:
        body = format_values(array, len(prefix), options)
        if options.edgeitems == 0:
            facts.append(f"size={shape}")
        shown = _dtype_is_shown(dtype_name, default_dtype)
    if shown:
        facts.append(f"dtype=torch.{dtype_name}")
    facts += _gradient_facts(grad_fn_name, requires_grad)
    return _append_facts(prefix + body, facts, len(prefix), options)


def format_sparse_coo(
    indices: np.ndarray,
    values: np.ndarray,
    size: Sequence[int],
    dtype_name: str,
    *,
    default_dtype: str = "float32",
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    device: str | None = None,
    class_name: str = "tensor",
    options: PrintOptions | None = None,
) -> str:
    """Return the text PyTorch prints for a sparse tensor in coordinate form."""
    options = _current if options is None else options
    prefix = f"{class_name}("
    indent = len(prefix)
    facts = [] if device is None else [f"device='{device}'"]
    facts += [f"size={tuple(size)}", f"nnz={indices.shape[1]}"]
    if _dtype_is_shown(dtype_name, default_dtype):
        facts.append(f"dtype=torch.{dtype_name}")
    facts.append("layout=torch.sparse_coo")
    facts += _gradient_facts(grad_fn_name, requires_grad)
    parts = []
    for name, array in (("indices", indices), ("values", values)):
        opening = f"{name}=tensor("
        text = opening + format_values(array, indent + len(opening), options)
        parts.append(text + (f", size={array.shape}" if array.size == 0 else "") + ")")
    body = prefix + (",\n" + " " * indent).join(parts)
    return _append_facts(body, facts, indent, options, on_new_line=True)
