"""``assert_close``: tensors, numbers, and lists and dicts of them, equal within tolerances."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from facula import tensors
from facula.base import dtypes
from facula.base.dtypes import dtype
from facula.tensors import Tensor

_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


class _Options:
    """The arguments that stay the same all the way down."""

    def __init__(self, rtol, atol, equal_nan, checks, allow_subclasses, msg):
        if (rtol is None) != (atol is None):
            missing = "atol" if atol is None else "rtol"
            raise ValueError(
                f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}."
            )
        self.rtol, self.atol = rtol, atol
        self.equal_nan = equal_nan
        self.checks = checks
        self.allow_subclasses = allow_subclasses
        self.msg = msg

    def tolerances(self, *kinds: dtype) -> tuple[float, float]:
        if self.rtol is not None:
            return self.rtol, self.atol
        pairs = [_TOLERANCES.get(kind.name, (0.0, 0.0)) for kind in kinds]
        return max(p[0] for p in pairs), max(p[1] for p in pairs)

    def fail(self, message: str, where: tuple) -> None:
        if where:
            message += "\n\nThe failure occurred for item " + "".join(f"[{w!r}]" for w in where)
        if self.msg is not None:
            message = self.msg(message) if callable(self.msg) else self.msg
        raise AssertionError(message)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """AssertionError unless ``|actual - expected| <= atol + rtol * |expected|`` everywhere.

    Default tolerances depend on the dtype (float32: 1.3e-6 relative, 1e-5 absolute). Shapes,
    dtypes, and the structure of lists and dicts have to agree too.

    >>> import facula as torch
    >>> torch.testing.assert_close(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    """
    checks = (check_dtype, check_stride)
    options = _Options(rtol, atol, equal_nan, checks, allow_subclasses, msg)
    _compare(actual, expected, options, ())


_OLDER_TOLERANCES = {"float16": (1e-3, 1e-3), "float32": (1e-4, 1e-5), "float64": (1e-5, 1e-8)}


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """The older, wider :func:`assert_close`: NaNs are equal, dtypes may differ; deprecated."""
    warnings.warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a "
        "future release. Please use `torch.testing.assert_close()` instead.",
        FutureWarning,
        stacklevel=2,
    )
    if not isinstance(actual, Tensor):
        actual = tensors.tensor(actual)
    if not isinstance(expected, Tensor):
        expected = tensors.tensor(expected, dtype=actual.dtype)
    if rtol is None and atol is None:
        pairs = [_OLDER_TOLERANCES.get(x.dtype.name, (0.0, 0.0)) for x in (actual, expected)]
        rtol, atol = (max(both) for both in zip(*pairs, strict=True))
    options = _Options(rtol, atol, equal_nan, (False, False), True, msg or None)
    _compare(actual, expected, options, ())


def _compare(actual: Any, expected: Any, options: _Options, where: tuple) -> None:
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if set(actual) != set(expected):
            missing = [k for k in expected if k not in actual]
            extra = [k for k in actual if k not in expected]
            options.fail(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {missing}\n"
                f"Additional keys in the actual mapping: {extra}",
                where,
            )
        for key in actual:
            _compare(actual[key], expected[key], options, (*where, key))
    elif _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            options.fail(
                f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", where
            )
        for i, (a, b) in enumerate(zip(actual, expected, strict=True)):
            _compare(a, b, options, (*where, i))
    elif actual is None or expected is None:
        if actual is not expected:
            options.fail(f"None mismatch: {actual} is not {expected}", where)
    else:
        _compare_values(actual, expected, options, where)


def _is_sequence(x: Any) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, (str, bytes))


def _compare_values(actual: Any, expected: Any, options: _Options, where: tuple) -> None:
    numbers = (bool, int, float, complex)
    if isinstance(actual, numbers) and isinstance(expected, numbers):
        _compare_numbers(actual, expected, options, where)
        return
    known = (Tensor, np.ndarray, np.generic)
    tensor_like = isinstance(actual, known) and isinstance(expected, known)
    related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    if not tensor_like or not related:
        raise TypeError(
            f"No comparison pair was able to handle inputs of type {type(actual)} and "
            f"{type(expected)}."
        )
    _compare_tensors(_tensor(actual), _tensor(expected), options, where)


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else tensors.as_tensor(x)


def _compare_numbers(actual: Any, expected: Any, options: _Options, where: tuple) -> None:
    if options.checks[0] and type(actual) is not type(expected):
        options.fail(f"The (d)types do not match: {type(actual)} != {type(expected)}.", where)
    kinds = [dtypes.python_scalar_dtype(x) for x in (actual, expected)]
    kinds = [_WIDE.get(k.category, k) for k in kinds]
    rtol, atol = options.tolerances(*kinds)
    difference = abs(complex(actual) - complex(expected))
    same = actual == expected or (options.equal_nan and actual != actual and expected != expected)
    if same or difference <= atol + rtol * abs(expected):
        return
    if rtol == 0 and atol == 0:
        options.fail(f"Scalars are not equal!\n\n{_scalar_text(actual, expected, None)}", where)
    options.fail(f"Scalars are not close!\n\n{_scalar_text(actual, expected, (rtol, atol))}", where)


_WIDE = {dtypes.FLOAT: dtypes.float64, dtypes.COMPLEX: dtypes.complex128}


def _scalar_text(actual: Any, expected: Any, tolerances: tuple[float, float] | None) -> str:
    absolute = abs(actual - expected)
    relative = absolute / abs(expected) if expected else float("inf")
    allowed = ["", ""]
    if tolerances:
        allowed = [f" (up to {tolerances[1]} allowed)", f" (up to {tolerances[0]} allowed)"]
    return (
        f"Expected {expected} but got {actual}.\n"
        f"Absolute difference: {absolute}{allowed[0]}\nRelative difference: {relative}{allowed[1]}"
    )


def _compare_tensors(actual: Tensor, expected: Tensor, options: _Options, where: tuple) -> None:
    if not options.allow_subclasses and type(actual) is not type(expected):
        raise TypeError(f"allow_subclasses is False, but got {type(actual)} and {type(expected)}")
    facts: list[tuple[str, Any, Any]] = [("shape", actual.shape, expected.shape)]
    facts.append(("layout", actual.layout, expected.layout))
    if options.checks[0]:
        facts.append(("dtype", actual.dtype, expected.dtype))
    for name, a, b in facts:
        if a != b:
            options.fail(f"The values for attribute '{name}' do not match: {a} != {b}.", where)
    if options.checks[1] and actual.stride() != expected.stride():
        options.fail(
            f"The values for attribute 'stride()' do not match: {actual.stride()} != "
            f"{expected.stride()}.",
            where,
        )
    rtol, atol = options.tolerances(actual.dtype, expected.dtype)
    if actual.is_sparse:
        actual, expected = actual.to_dense(), expected.to_dense()
    a, b = (np.asarray(x.detach()._buffer()) for x in (actual, expected))
    message = _difference(a, b, rtol, atol, options.equal_nan)
    if message:
        options.fail(message, where)


def _distance(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|a - b| and |b|; whole numbers exactly, others in their own precision."""
    if np.result_type(a, b).kind in "biu":
        a, b = a.astype(object) * 1, b.astype(object) * 1
        return abs(a - b).astype(np.int64), np.asarray(abs(b), object).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.abs(a - b), np.abs(b)


def _difference(a: np.ndarray, b: np.ndarray, rtol: float, atol: float, equal_nan: bool):
    """None, or the text that says how far apart two arrays are."""
    if a.ndim == 0:  # object arithmetic turns 0-d arrays into numbers
        wide, magnitude = (np.asarray(x).reshape(()) for x in _distance(a[None], b[None]))
    else:
        wide, magnitude = _distance(a, b)
    with np.errstate(invalid="ignore", over="ignore"):
        allowed = atol + rtol * magnitude.astype(np.float64)
        close = (a == b) | (np.isfinite(magnitude) & (wide.astype(np.float64) <= allowed))
    if equal_nan and a.dtype.kind in "fc":
        close |= np.isnan(a) & np.isnan(b)
    if close.all():
        return None
    exact = rtol == 0 and atol == 0
    if a.ndim == 0:
        kind = "equal" if exact else "close"
        text = _scalar_text(a.item(), b.item(), None if exact else (rtol, atol))
        return f"Scalars are not {kind}!\n\n{text}"
    return _array_text(close, wide, magnitude, rtol, atol, exact)


def _array_text(close, wide, magnitude, rtol, atol, exact) -> str:
    bad, total = int((~close).sum()), close.size
    lines = [
        f"Tensor-likes are not {'equal' if exact else 'close'}!",
        "",
        f"Mismatched elements: {bad} / {total} ({bad / total:.1%})",
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        single = wide.dtype.kind == "i"  # PyTorch divides whole numbers in float32
        relative = (wide.astype(np.float32) if single else wide) / (
            magnitude.astype(np.float32) if single else magnitude
        )
    for name, values, limit in (("absolute", wide, atol), ("relative", relative, rtol)):
        values = np.where(close, values.dtype.type(0), values)
        missing = np.isnan(values)
        flat = int(missing.argmax()) if missing.any() else int(values.argmax())
        index = tuple(int(i) for i in np.unravel_index(flat, values.shape))
        allowed = "" if exact else f" (up to {limit} allowed)"
        value = values[index].item()
        lines.append(f"Greatest {name} difference: {value} at index {index}{allowed}")
    return "\n".join(lines)
