"""Compare: several measurements side by side as a table."""

from __future__ import annotations

from collections.abc import Sequence

from facula.utils.benchmark.timer import Measurement, unit_of


class Compare:
    """Rows are sub-labels, columns descriptions; one table for each label."""

    def __init__(self, results: Sequence[Measurement]):
        self._results = list(results)
        self._trim = False

    def extend_results(self, results: Sequence[Measurement]) -> None:
        """Add measurements."""
        self._results.extend(results)

    def trim_significant_figures(self) -> None:
        """Print fewer digits."""
        self._trim = True

    def colorize(self, rowwise: bool = False) -> None:
        """Colours are left out, so that the text can go anywhere."""

    def print(self) -> None:
        """Print the tables."""
        print(str(self))

    def __str__(self) -> str:
        groups: dict[str, list[Measurement]] = {}
        for result in self._results:
            groups.setdefault(result.task_spec.label or "", []).append(result)
        return "\n".join([self._table(label, group) for label, group in groups.items()])

    def _table(self, label: str, group: list[Measurement]) -> str:
        columns = list(dict.fromkeys(m.task_spec.description or "" for m in group))
        unit, size = unit_of(min(m.median for m in group))
        rows: dict[tuple[int, str], dict[str, str]] = {}
        digits = 0 if self._trim else 1
        for m in group:
            spec = m.task_spec
            key = (spec.num_threads, spec.sub_label or spec.stmt)
            rows.setdefault(key, {})[spec.description or ""] = f"{m.median / size:.{digits}f}"
        first = max([len(name) for _, name in rows] + [6])
        widths = [max([len(c)] + [len(r.get(c, "")) for r in rows.values()]) for c in columns]
        head = " " * (first + 6) + "  |  ".join(c.center(w) for c, w in zip(columns, widths))
        bar = "-" * (len(head) + 2)
        lines = [f"[{f' {label} ' if label else ''}]".center(len(bar), "-"), head]
        threads = None
        for (count, name), cells in rows.items():
            if count != threads:
                lines.append(f"{count} threads: ".ljust(len(bar), "-"))
                threads = count
            values = "  |  ".join(cells.get(c, "").rjust(w) for c, w in zip(columns, widths))
            lines.append(f"      {name.ljust(first)}{values}")
        return "\n".join([*lines, "", f"Times are in {unit}."])
