"""Raw 32-bit draws of the default generator for many samples at once."""

from __future__ import annotations

import numpy as np

from facula.runtime.generator import default_stream

__all__ = ["raw_draws"]


def raw_draws(samples: int, each: int) -> np.ndarray:
    """Returns (samples, each) draws as scalar operations would make them, one after another.

    A float32 uniform is the low 24 bits of one, an integer below n its remainder modulo n. The
    generator moves exactly as those operations would move it. The array must not be written to.
    """
    return default_stream().draw32(samples * each).reshape(samples, each)
