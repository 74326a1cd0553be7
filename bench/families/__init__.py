"""Every row of the table, by family."""

from __future__ import annotations

from rows import Row

from families import chains, data, recurrent, resnets, sweeps, transformers, worst

ROWS: list[Row] = [
    *chains.ROWS,
    *resnets.ROWS,
    *transformers.ROWS,
    *recurrent.ROWS,
    *worst.ROWS,
    *data.ROWS,
    *sweeps.ROWS,
]


def find(name: str) -> Row:
    """The row called ``name``."""
    return next(row for row in ROWS if row.name == name)
