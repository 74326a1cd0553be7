"""Window functions, and the short-time Fourier transform that uses them."""

from __future__ import annotations

import math

import numpy as np

from facula.autograd.modes import modes
from facula.autograd.tools import tools
from facula.base.dtypes import COMPLEX, FLOAT
from facula.graph.primitives.special_rare import i0
from facula.graph.spec import spec
from facula.operators.complex_numbers import view_as_real
from facula.operators.fourier import _c2c, _c2r, _r2c, _resized, made
from facula.operators.joining import cat
from facula.operators.movement import _view, transpose
from facula.operators.padding import pad
from facula.operators.slicing import narrow
from facula.operators.strided import _fold, unfold


def _window(length, periodic, dtype, requires_grad, formula, name):
    """Points of a symmetric window; a periodic one drops the last of one point more."""
    if dtype is not None and dtype.category != FLOAT:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    if length < 0:
        raise RuntimeError(
            f"{name} requires non-negative window_length, got window_length={length}"
        )
    if length <= 1:
        return made(np.ones(length), dtype, requires_grad)
    n = length + 1 if periodic else length
    return made(formula(np.arange(n, dtype=np.float64), n - 1)[:length], dtype, requires_grad)


def hann_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False,
    requires_grad=False, out=None,
):  # fmt: skip
    """``0.5 - 0.5 cos(2 pi n / (N - 1))``; periodic windows continue after their last point."""
    formula = lambda n, last: 0.5 - 0.5 * np.cos(2 * math.pi * n / last)  # noqa: E731
    return _window(window_length, periodic, dtype, requires_grad, formula, "hann_window")


def hamming_window(
    window_length, periodic=True, alpha=0.54, beta=0.46, *, dtype=None, layout=None, device=None,
    pin_memory=False, requires_grad=False, out=None,
):  # fmt: skip
    """``alpha - beta cos(2 pi n / (N - 1))``."""
    formula = lambda n, last: alpha - beta * np.cos(2 * math.pi * n / last)  # noqa: E731
    return _window(window_length, periodic, dtype, requires_grad, formula, "hamming_window")


def blackman_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False,
    requires_grad=False, out=None,
):  # fmt: skip
    """``0.42 - 0.5 cos(2 pi n / (N - 1)) + 0.08 cos(4 pi n / (N - 1))``."""

    def formula(n, last):
        angle = 2 * math.pi * n / last
        return 0.42 - 0.5 * np.cos(angle) + 0.08 * np.cos(2 * angle)

    return _window(window_length, periodic, dtype, requires_grad, formula, "blackman_window")


def bartlett_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False,
    requires_grad=False, out=None,
):  # fmt: skip
    """A triangle: 0 at the ends, 1 in the middle."""
    formula = lambda n, last: 1 - np.abs(2 * n / last - 1)  # noqa: E731
    return _window(window_length, periodic, dtype, requires_grad, formula, "bartlett_window")


def kaiser_window(
    window_length, periodic=True, beta=12.0, *, dtype=None, layout=None, device=None,
    pin_memory=False, requires_grad=False, out=None,
):  # fmt: skip
    """``I0(beta sqrt(1 - (2n / (N - 1) - 1)^2)) / I0(beta)``."""

    def formula(n, last):
        inside = np.sqrt(np.maximum(0.0, 1 - (2 * n / last - 1) ** 2))
        return i0(beta * inside) / i0(np.asarray([float(beta)]))[0]

    return _window(window_length, periodic, dtype, requires_grad, formula, "kaiser_window")


# Short-time Fourier transform -------------------------------------------------------------------


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


def _full_window(window, n_fft, win_length, to):
    """The window in the middle of n_fft points, or None where it is all ones."""
    if window is None and win_length == n_fft:
        return None
    if window is None:
        window = made(np.ones(win_length), to)
    left = (n_fft - win_length) // 2
    if left or n_fft != win_length:
        front = tools.zeros(spec((left,), _dtype(window)))
        window = _resized(cat([front, window], 0) if left else window, 0, n_fft)
    return window


def _check_frames(name, n_fft, hop_length, win_length, window):
    if n_fft <= 0:
        raise RuntimeError(f"{name}: expected n_fft > 0, but got n_fft={n_fft}")
    if hop_length <= 0:
        raise RuntimeError(f"{name}: expected hop_length > 0, but got hop_length={hop_length}")
    if not 0 < win_length <= n_fft:
        raise RuntimeError(
            f"{name}: expected 0 < win_length <= n_fft, but got win_length={win_length}"
        )
    if window is not None and _shape(window) != (win_length,):
        raise RuntimeError(
            f"{name}: expected a 1D window tensor of size equal to win_length={win_length}, but "
            f"got window with size {list(_shape(window))}"
        )


def stft(
    input, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect",
    normalized=False, onesided=None, return_complex=None, align_to_window=None,
):  # fmt: skip
    """Transforms of overlapping pieces of a signal: (..., frequencies, frames)."""
    is_complex = _dtype(input).category == COMPLEX
    hop_length = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    complex_window = window is not None and _dtype(window).category == COMPLEX
    if return_complex is None:
        return_complex = is_complex or complex_window
        if not return_complex:
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs, and will "
                "further require that return_complex=True in a future PyTorch release."
            )
    if len(_shape(input)) not in (1, 2):
        raise RuntimeError(
            f"stft: expected a 1D or 2D tensor, but got {len(_shape(input))}D tensor"
        )
    x = input if len(_shape(input)) == 2 else _view(input, (1, *_shape(input)))
    if center:
        x = pad(x, (n_fft // 2, n_fft // 2), mode=pad_mode)
    if not 0 < n_fft <= _shape(x)[-1]:
        raise RuntimeError(f"stft: expected 0 < n_fft < {_shape(x)[-1]}, but got n_fft={n_fft}")
    _check_frames("stft", n_fft, hop_length, win_length, window)
    frames = unfold(x, -1, n_fft, hop_length)
    full = _full_window(window, n_fft, win_length, _dtype(input).to_real())
    if full is not None:
        frames = frames * full
    onesided = not (is_complex or complex_window) if onesided is None else onesided
    scale = "sqrt" if normalized else "none"
    if _dtype(frames).category == COMPLEX:
        out = _c2c(frames, (2,), scale, True)
    else:
        out = _r2c(frames, (2,), scale, bool(onesided))
    out = transpose(out, 1, 2)
    if len(_shape(input)) == 1:
        out = _view(out, _shape(out)[1:])
    return out if return_complex else view_as_real(out)


def istft(
    input, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False,
    onesided=None, length=None, return_complex=False,
):  # fmt: skip
    """The signal whose ``stft`` the input is: frames added up and divided by their windows."""
    hop_length = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    if _dtype(input).category != COMPLEX:
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    _check_frames("istft", n_fft, hop_length, win_length, window)
    real = _dtype(input).to_real()
    x = input if len(_shape(input)) == 3 else _view(input, (1, *_shape(input)))
    onesided = _shape(x)[1] != n_fft if onesided is None else onesided
    if _shape(x)[1] != (n_fft // 2 + 1 if onesided else n_fft):
        raise RuntimeError(
            "istft: expected the frequency dimension (3rd to the last) of the input tensor to "
            f"match n_fft={n_fft} for onesided={onesided}, but got {_shape(x)[1]}"
        )
    x = transpose(x, 1, 2)
    scale = "sqrt" if normalized else "n"
    if return_complex:
        frames = _c2c(x, (2,), scale, False)
    else:
        frames = _c2r(_resized(x, 2, n_fft // 2 + 1), (2,), scale, n_fft)
    full = _full_window(window, n_fft, win_length, real)
    if full is None:
        full = made(np.ones(n_fft), real)
    out = _overlap_added(frames * full, full * full, hop_length)
    start = n_fft // 2 if center else 0
    end = _shape(out)[-1] - start if length is None else start + length
    out = _resized(narrow(out, -1, start, min(end, _shape(out)[-1]) - start), 1, end - start)
    return out if len(_shape(input)) == 3 else _view(out, _shape(out)[1:])


def _overlap_added(frames, squares, hop):
    """Sum of the frames at their places, divided by the sum of the squared windows there."""
    batch, count, n = _shape(frames)
    size = n + hop * (count - 1)
    total = _fold(frames, (batch, size), 1, n, hop)
    weights = _fold(_repeated(squares, count), (1, size), 1, n, hop)
    if modes.trace is None:
        inner = np.abs(np.asarray(weights.detach()._buffer()))[0, n // 2 : size - n // 2]
        if inner.size and inner.min() < 1e-11:
            raise RuntimeError("istft: window overlap add min: 1")
    weights = weights + (weights == 0)
    return total / weights


def _repeated(x, count):
    return _view(x, (1, 1, *_shape(x))).expand(1, count, _shape(x)[0])


NAMESPACES = {
    "torch": [
        "hann_window", "hamming_window", "blackman_window", "bartlett_window", "kaiser_window",
        "stft", "istft",
    ],
    "method": ["stft", "istft"],
}  # fmt: skip
