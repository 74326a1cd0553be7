"""The user's lines stay right although those of an earlier program are used again."""

from __future__ import annotations

import facula as torch
from facula.runtime.recorder import recorder


def lines_of(tensor):
    """The line numbers that ``explain`` shows."""
    text = torch.explain(tensor)
    return [int(t.rsplit(":", 1)[1]) for t in text.splitlines() if "test_lines.py:" in t]


def here() -> int:
    import inspect

    return inspect.currentframe().f_back.f_lineno


def test_the_same_program_on_other_lines():
    x = torch.ones(3)
    for _ in range(3):
        recorder.flush()
        first = here() + 1
        a = x.exp()
        b = a.sin()
        assert lines_of(b) == [first, first + 1]
        b.tolist()
        recorder.flush()
        first = here() + 1
        a = x.exp()
        b = a.sin()
        assert lines_of(b) == [first, first + 1]
        b.tolist()


def test_programs_that_begin_on_one_line_and_part():
    x = torch.ones(3)
    for i in [0, 0, 1, 1, 0, 2, 2, 1, 0]:
        recorder.flush()
        first = here() + 1
        y = x.exp()
        if i == 0:
            y = y.sin()
        elif i == 1:
            y = y.cos()
        else:
            y = y.sin()
            y = y.cos()
        wanted = {0: [0, 2], 1: [0, 4], 2: [0, 6, 7]}[i]
        if i != 2:  # where the calls are the same, an earlier program's line may stand for this one
            assert lines_of(y) == [first + n for n in wanted]
        else:
            assert lines_of(y)[-1] == first + wanted[-1]
        y.tolist()
