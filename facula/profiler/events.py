"""Averages over the ranges of a profile, and their printed table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facula.autograd.profiler import Range

_SORT = {
    "cpu_time_total": "cpu_time_total",
    "self_cpu_time_total": "self_cpu_time_total",
    "cpu_time": "cpu_time",
    "count": "count",
}


class FunctionEventAvg:
    """All calls of one name: how many, and their time in microseconds."""

    def __init__(self, key: str, input_shapes: Any = None, stack: Sequence[str] = ()):
        self.key, self.input_shapes, self.stack = key, input_shapes, list(stack)
        self.count = 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.self_cpu_memory_usage = self.cpu_memory_usage = 0

    @property
    def cpu_time(self) -> float:
        """Microseconds of one call."""
        return self.cpu_time_total / self.count if self.count else 0.0

    # There is no other device: its times are zero.
    device_time_total = self_device_time_total = cuda_time_total = self_cuda_time_total = 0.0

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={time_text(self.self_cpu_time_total)} "
            f"cpu_time={time_text(self.cpu_time)} calls={self.count}>"
        )


def time_text(microseconds: float) -> str:
    """Microseconds with a unit that keeps the number short."""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3f}{unit}"
    return f"{microseconds:.3f}us"


class EventList(list):
    """Averages with a ``table``."""

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of all of them."""
        return sum(event.self_cpu_time_total for event in self)

    def total_average(self) -> FunctionEventAvg:
        """All of them as one."""
        made = FunctionEventAvg("Total")
        for event in self:
            made.count += event.count
            made.cpu_time_total += event.cpu_time_total
            made.self_cpu_time_total += event.self_cpu_time_total
        return made

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        max_shapes_column_width: int = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
    ) -> str:
        """The averages as text, longest first by ``sort_by`` (times of devices count as zero)."""
        events = list(self)
        if sort_by is not None:
            name = _SORT.get(sort_by, sort_by)
            events.sort(key=lambda e: getattr(e, name, 0), reverse=True)
        total = self.self_cpu_time_total or 1.0
        shown = events if row_limit < 0 else events[:row_limit]
        rows = [_row(e, total, max_name_column_width) for e in shown]
        heads = [
            "Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg",
            "# of Calls",
        ]  # fmt: skip
        if any(event.input_shapes is not None for event in events):
            heads.append("Input Shapes")
            for row, event in zip(rows, shown, strict=True):
                shapes = [list(shape) for shape in event.input_shapes or ()]
                row.append(_clipped(str(shapes), max_shapes_column_width))
        if any(event.stack for event in events):
            heads.append("Source Location")
            for row, event in zip(rows, shown, strict=True):
                row.append(_clipped(", ".join(event.stack), max_src_column_width))
        return _layout(heads, rows, header) + f"\nSelf CPU time total: {time_text(total)}\n"


def _row(event: FunctionEventAvg, total: float, width: int) -> list[str]:
    return [
        _clipped(event.key, width),
        f"{100 * event.self_cpu_time_total / total:.2f}%",
        time_text(event.self_cpu_time_total),
        f"{100 * event.cpu_time_total / total:.2f}%",
        time_text(event.cpu_time_total),
        time_text(event.cpu_time),
        str(event.count),
    ]


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _layout(heads: list[str], rows: list[list[str]], header: str | None) -> str:
    widths = [max([len(head), 12] + [len(row[i]) for row in rows]) for i, head in enumerate(heads)]
    line = "  ".join("-" * w for w in widths)
    lines = [] if header is None else [header]
    lines += [line, "  ".join(h.rjust(w) for h, w in zip(heads, widths, strict=True)), line]
    lines += ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([*lines, line])


def averages(ranges: Sequence[Range], by_shape: bool = False, by_stack: int = 0) -> EventList:
    """Ranges of one name taken together, in the order of first appearance.

    They are kept apart by the shapes of their inputs, and by so many lines of their stacks.
    """
    found: dict[Any, FunctionEventAvg] = {}
    for one in ranges:
        shapes = (one.shapes or []) if by_shape else None
        stack = one.stack[:by_stack]
        key = (one.name, str(shapes), *stack)
        event = found.get(key)
        if event is None:
            event = found[key] = FunctionEventAvg(one.name, shapes, stack)
        event.count += 1
        event.cpu_time_total += one.duration / 1000
        event.self_cpu_time_total += (one.duration - one.children) / 1000
    return EventList(found.values())
