"""Durations and tables as text."""

from __future__ import annotations

from collections.abc import Sequence


def seconds(value: float | None) -> str:
    """A duration with three digits and a fitting unit; nothing for None.

    >>> seconds(0.00123), seconds(96.0), seconds(0.00008567)
    ('1.23 ms', '96.0 s', '85.7 µs')
    """
    if value is None:
        return ""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        # What rounds up to 1000 of a unit is written as 1 of the next.
        if value >= 0.9995 * factor or unit == "µs":
            scaled = value / factor
            digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:.{digits}f} {unit}"
    raise AssertionError


def table(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """A Markdown table; empty columns are left out, all but the first are flush right."""
    texts = [[str(cell) for cell in line] for line in lines]
    used = [i for i in range(len(head)) if i == 0 or any(line[i] for line in texts)]
    rows = [[head[i] for i in used], *[[line[i] for i in used] for line in texts]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(used))]

    def written(row):
        cells = [
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        ]
        return f"| {' | '.join(cells)} |"

    rule = [("-" * (w - 1) + ":") if i else "-" * w for i, w in enumerate(widths)]
    return "\n".join([written(rows[0]), f"| {' | '.join(rule)} |", *map(written, rows[1:])]) + "\n"
