"""Where in the user's code an operation was recorded."""

from __future__ import annotations

import os
import sys
from types import FrameType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


class _Internal(dict):
    """file name -> whether it belongs to facula; each name is examined once."""

    def __missing__(self, filename: str) -> bool:
        inside = self[filename] = filename.startswith((_PACKAGE, "<frozen"))
        return inside


_internal = _Internal()
is_internal = _internal.__getitem__  # whether code of a file belongs to facula


def user_line():
    """(code object, instruction index) of the innermost frame outside facula; cheap to take."""
    try:
        frame = sys._getframe(3)  # this function, the recorder and the operator are facula's
    except ValueError:  # called from C without a frame below, at exit for example
        return None
    while frame is not None:
        code = frame.f_code
        if not _internal[code.co_filename]:
            return code, frame.f_lasti
        frame = frame.f_back
    return None


def user_stack(most: int = 16) -> list[str]:
    """``train.py(12): step`` for the frames outside facula that are active, innermost first."""
    found: list[str] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and len(found) < most:
        code = frame.f_code
        if not _internal[code.co_filename]:
            found.append(f"{os.path.basename(code.co_filename)}({frame.f_lineno}): {code.co_name}")
        frame = frame.f_back
    return found


class Lines:
    """Lines of recorded programs, by the place where a program began."""

    __slots__ = ("_found",)
    _limit = 64

    def __init__(self):
        self._found: dict[tuple[int, int], tuple[list, list]] = {}

    def get(self, place):
        """(calls, lines) of the last program that began at ``place``; None if there was none."""
        return None if place is None else self._found.get((id(place[0]), place[1]))

    def put(self, calls: list, lines: list) -> None:
        """Keep what a program called, and where; neither list may be changed from then on."""
        if lines[0] is None:
            return
        if len(self._found) >= self._limit:
            self._found.clear()
        code, index = lines[0]  # the code object stays alive in ``lines``, so its id stays its own
        self._found[id(code), index] = calls, lines


class Line:
    """``train.py:12`` for what :func:`user_line` returned; put into words only when printed.

    Every call of a new program has one, and hardly any is ever read.
    """

    __slots__ = ("place",)

    def __init__(self, place):
        self.place = place

    def __str__(self) -> str:
        code, lasti = self.place
        number = code.co_firstlineno
        for start, end, line in code.co_lines():
            if start <= lasti < end and line is not None:
                number = line
        return f"{os.path.basename(code.co_filename)}:{number}"
