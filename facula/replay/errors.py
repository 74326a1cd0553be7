"""CaptureError, and the user's line it is about."""

from __future__ import annotations

import sys
from pathlib import Path

from facula.runtime.source import is_internal


class CaptureError(RuntimeError):
    """A function does something that a replay could not do again; the text says what to change."""

    __module__ = "facula"  # its public place, and what type() shows


def current_line() -> str:
    """``train.py:12``: the innermost line outside facula that is being executed."""
    frame = sys._getframe(1)
    while frame is not None:
        if not is_internal(frame.f_code.co_filename):
            return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
        frame = frame.f_back
    return "an unknown line"
