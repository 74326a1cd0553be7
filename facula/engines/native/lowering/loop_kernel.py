"""A LoopProgram as a kernel: which code it gets, and what that costs."""

from __future__ import annotations

from facula.engines.native.kernel import Kernel
from facula.engines.native.lowering import squares
from facula.engines.native.lowering.division import Division
from facula.engines.native.lowering.expressions import HEAVY
from facula.engines.native.lowering.loop_code import Writer
from facula.engines.native.lowering.loops import LoopProgram, levels

_MOVED = 0.8  # nanoseconds of reading or writing 16 floats
_TURNED = 6.0  # the same for reading them across, a square at a time
_HEAVY = HEAVY | {"sqrt", "div"}


def kernel(program: LoopProgram, kind: str = "loop") -> Kernel:
    """The program as a kernel."""
    turned = squares.find(program)
    plan, writer = (turned, squares.SquareWriter) if turned else (Division(program), Writer)
    rows, elements = program.rows, program.rows * program.row
    counts = [elements if each or rows == elements else rows for each in levels(program)]
    work = sum([n * _weight(i) for n, i in zip(counts, program.instructions, strict=True)])
    work += sum([_MOVED * (elements if s.full else rows) for s in program.stores])
    work += _TURNED * elements * len(turned.turned) if turned else 0
    return Kernel(
        kind,
        repr(program),
        lambda name: writer(program, plan).function(name).text(),
        plan.chunks,
        work / 16 + 20,
        sum([n for n, i in zip(counts, program.instructions, strict=True) if i[0] == "op"]),
    )


def _weight(instruction: tuple) -> float:
    """Nanoseconds that 16 lanes take, about."""
    if instruction[0] == "op":
        return 3.0 if instruction[2] in _HEAVY else 0.25
    return _MOVED if instruction[0] == "load" else 0.25
