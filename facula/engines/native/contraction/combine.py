"""Adds up the partial results of a contraction whose sum was split, in a fixed order."""

from __future__ import annotations

from facula.engines.native import ir, target
from facula.engines.native.contraction.indices import part, plus
from facula.engines.native.ir import Function, Value
from facula.engines.native.kernel import Kernel


def combine(shape: tuple[int, int, int], splits: int, compute: str, epilogue) -> Kernel:
    """The kernel; operands: partial results ``[split][batch][row][column]``, [result], extras."""
    rows = shape[0] * shape[1]
    lanes = target.lanes(compute)
    cost = rows * (shape[2] / lanes + 1) * splits * 0.4
    chunks = max(1, min(rows, 64, int(cost / 2000)))
    key = f"contraction combine {shape} {splits} {compute} {lanes} {chunks} {epilogue.key}"
    return Kernel(
        "combine",
        key,
        lambda name: _text(name, shape, splits, compute, lanes, chunks, epilogue),
        chunks,
        cost,
    )


def _text(name: str, shape, splits: int, compute: str, lanes: int, chunks: int, epilogue) -> str:
    f = Function(name, ["ptr", "i64", "i64"])
    buffers, begin, end = f.arguments
    count = 1 + epilogue.keeps + epilogue.extras
    loaded = [f.load("ptr", f.at(buffers, i, "ptr")) for i in range(count)]
    pointers = [*([] if epilogue.keeps else [None]), *loaded[1:]]
    batch, rows, columns = shape
    whole = columns - columns % lanes
    total = batch * rows
    with f.loop(part(f, begin, total, chunks), part(f, end, total, chunks)) as row:
        start = f.at(loaded[0], f.mul(row, columns), compute)
        at = (f.op("sdiv", row, rows), f.op("srem", row, rows))

        def piece(column, width: int) -> None:
            kind = ir.vector(compute, width)
            total: Value | None = None
            for split in range(splits):
                place = plus(f, column, split * batch * rows * columns)
                value = f.load(kind, f.at(start, place, compute))
                total = value if total is None else f.op("fadd", total, value)
            epilogue.emit(f, pointers, total, (*at, column), None)

        if whole:
            with f.loop(0, whole, lanes) as column:
                piece(column, lanes)
        if whole < columns:
            with f.loop(whole, columns) as column:
                piece(column, 1)
    f.ret()
    return f.text()
