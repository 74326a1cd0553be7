"""torch.fft, windows and the short-time transform against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import facula
from tests.operators.compare import check, reference

RNG = np.random.default_rng(6)


def normal(*shape, dtype=np.float64):
    x = RNG.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * RNG.normal(size=shape)
    return x.astype(dtype)


REAL, COMPLEX = normal(3, 5), normal(3, 5, dtype=np.complex128)
NORMS = [None, "backward", "ortho", "forward"]
CASES = {
    "fft": (lambda t, x: t.fft.fft(x), REAL),
    "fft_complex": (lambda t, x: t.fft.fft(x), COMPLEX),
    "fft_longer": (lambda t, x: t.fft.fft(x, n=8, dim=0), COMPLEX),
    "fft_shorter": (lambda t, x: t.fft.fft(x, n=2), REAL),
    "ifft": (lambda t, x: t.fft.ifft(x), COMPLEX),
    "ifft_real": (lambda t, x: t.fft.ifft(x), REAL),
    "rfft": (lambda t, x: t.fft.rfft(x), REAL),
    "rfft_even": (lambda t, x: t.fft.rfft(x, n=6), REAL),
    "irfft": (lambda t, x: t.fft.irfft(x), COMPLEX),
    "irfft_odd": (lambda t, x: t.fft.irfft(x, n=7), COMPLEX),
    "irfft_cut": (lambda t, x: t.fft.irfft(x, n=4), COMPLEX),
    "irfft_real": (lambda t, x: t.fft.irfft(x), REAL),
    "hfft": (lambda t, x: t.fft.hfft(x), COMPLEX),
    "ihfft": (lambda t, x: t.fft.ihfft(x), REAL),
    "fft2": (lambda t, x: t.fft.fft2(x), normal(2, 3, 4, dtype=np.complex128)),
    "ifft2": (lambda t, x: t.fft.ifft2(x, s=(2, 6)), normal(2, 3, 4)),
    "rfft2": (lambda t, x: t.fft.rfft2(x), normal(2, 3, 4)),
    "irfft2": (lambda t, x: t.fft.irfft2(x), normal(2, 3, 4, dtype=np.complex128)),
    "fftn": (lambda t, x: t.fft.fftn(x), normal(2, 3, 4)),
    "ifftn": (lambda t, x: t.fft.ifftn(x, dim=(0, 2)), normal(2, 3, 4)),
    "rfftn": (lambda t, x: t.fft.rfftn(x, s=(4, 5)), normal(2, 3, 4)),
    "irfftn": (
        lambda t, x: t.fft.irfftn(x, s=(-1, 5), dim=(0, 2)),
        normal(2, 3, 4, dtype=np.complex128),
    ),
    "hfftn": (lambda t, x: t.fft.hfftn(x), normal(2, 3, dtype=np.complex128)),
    "ihfft2": (lambda t, x: t.fft.ihfft2(x), normal(2, 3)),
    "fftshift": (lambda t, x: t.fft.fftshift(x), REAL),
    "ifftshift": (lambda t, x: t.fft.ifftshift(x, dim=1), REAL),
}
FREE_NAMES = {"ihfft2", "hfftn", "rfftn"}


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    function, *inputs = CASES[name]
    check(function, *inputs, second=True, names=name not in FREE_NAMES)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    "name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fftn", "irfftn"]
)
def test_norms(name, norm):
    x = REAL if name in ("rfft", "ihfft") else COMPLEX
    check(lambda t, x: getattr(t.fft, name)(x, norm=norm), x, names=False)


def test_float32_and_integers():
    check(lambda t, x: t.fft.fft(x), REAL.astype(np.float32))
    check(lambda t, x: t.fft.rfft(x), np.arange(6), grad=False)
    check(lambda t, x: t.fft.irfft(x), COMPLEX.astype(np.complex64), tolerance=1e-4)


def test_frequencies():
    for n in (5, 8):
        check(lambda t, n=n: t.fft.fftfreq(n, 0.1), grad=False)
        check(lambda t, n=n: t.fft.rfftfreq(n, 2, dtype=t.float64), grad=False)


FAILING = {
    "norm": lambda t: t.fft.fft(t.ones(3), norm="x"),
    "points": lambda t: t.fft.fft(t.ones(3), n=0),
    "complex_rfft": lambda t: t.fft.rfft(t.ones(3, dtype=t.complex64)),
    "half": lambda t: t.fft.fft(t.ones(3, dtype=t.float16)),
    "dim": lambda t: t.fft.fft(t.ones(3), dim=2),
    "twice": lambda t: t.fft.fftn(t.ones(3, 3), dim=(0, 0)),
    "lengths": lambda t: t.fft.fftn(t.ones(3, 3), s=(2,), dim=(0, 1)),
    "stft_flag": lambda t: t.stft(t.ones(20), 4),
    "istft_real": lambda t: t.istft(t.ones(3, 5, 2), 4),
}


@pytest.mark.parametrize("name", FAILING)
def test_errors(name):
    torch = reference()
    with pytest.raises(Exception) as theirs:
        FAILING[name](torch)
    with pytest.raises(Exception) as ours:
        FAILING[name](facula)
    assert type(ours.value) is type(theirs.value)


@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "bartlett", "kaiser"])
@pytest.mark.parametrize("periodic", [True, False])
def test_windows(name, periodic):
    for n in (0, 1, 2, 7, 16):
        check(lambda t, n=n: getattr(t, f"{name}_window")(n, periodic), grad=False, tolerance=1e-6)
        check(
            lambda t, n=n: getattr(t, f"{name}_window")(n, periodic, dtype=t.float64),
            grad=False,
            tolerance=1e-12,
        )


SIGNAL = normal(2, 40)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hop_length": 3},
        {"center": False, "onesided": False},
        {"normalized": True, "pad_mode": "constant"},
        {"win_length": 6, "pad_mode": "circular"},
    ],
)
def test_stft(options):
    window = np.hanning(options.get("win_length", 9))[1:] if "win_length" not in options else None
    if window is not None:
        check(
            lambda t, x, w: t.stft(x, 8, window=w, return_complex=True, **options),
            SIGNAL,
            window,
            names=False,
        )
    check(lambda t, x: t.stft(x[0], 8, return_complex=True, **options), SIGNAL, names=False)
    check(lambda t, x: t.stft(x, 8, return_complex=False, **options), SIGNAL, names=False)


def test_istft():
    def there_and_back(t, x):
        window = t.hann_window(8, dtype=x.dtype)
        return t.istft(
            t.stft(x, 8, window=window, return_complex=True), 8, window=window, length=40
        )

    check(there_and_back, SIGNAL, names=False)
    check(lambda t, x: t.istft(t.stft(x, 8, return_complex=True), 8), SIGNAL, names=False)
