"""Kernel and Piece: what the code generators hand to the rest of the native engine.

A kernel is a native function ``void(ptr buffers, i64 begin, i64 end)``: ``buffers`` points to an
array of pointers, one for each operand, and the kernel does the chunks ``begin .. end - 1`` of its
work. Chunks are fixed by shapes alone and each writes its own part of the results, so results do
not depend on how many threads share them. Kernels know nothing of the program they stand in:
equal layers of a network, and equal steps of different programs, share one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Kernel:
    """Code for one piece of work.

    ``key`` holds everything the code depends on besides the source of this package and the CPU,
    as text that is the same in every process; ``emit(name)`` writes the LLVM IR of the function
    (and whatever it calls) under that name. ``cost`` estimates nanoseconds on one core: whether
    threads are worth waking follows from it.
    """

    kind: str
    key: str
    emit: Callable[[str], str] = field(compare=False, repr=False)
    chunks: int = 1
    cost: float = 1000.0
    flops: float = 0.0


@dataclass(frozen=True)
class Ref:
    """An operand of a piece: ``input``, ``output``, ``temp`` or ``constant`` i, or ``status``."""

    role: str
    number: int = 0


STATUS = Ref("status")  # {i64 code, i64 a, i64 b}: a kernel that finds a bad index writes it here
BAD_INDEX = 1  # status code: index a is out of bounds for a dimension of size b


def given(number: int) -> Ref:
    """An operand of the node that is lowered, or of its epilogue."""
    return Ref("input", number)


def result(number: int = 0) -> Ref:
    """A result of the node that is lowered."""
    return Ref("output", number)


def temporary(number: int) -> Ref:
    """Memory that lives only between the pieces of one lowering."""
    return Ref("temp", number)


def constant(number: int) -> Ref:
    """An array that is known when the node is lowered."""
    return Ref("constant", number)


@dataclass(frozen=True)
class Piece:
    """A kernel and its operands; ``writes`` are the positions among them that it writes.

    ``checks`` are the indices that it checks if it has the operand STATUS, and against what.
    """

    kernel: Kernel
    operands: tuple[Ref, ...]
    writes: tuple[int, ...]
    checks: tuple[tuple[Ref, int], ...] = ()


@dataclass
class Lowered:
    """A node as kernels that run one after another; ``temps`` are bytes of each temporary."""

    pieces: list[Piece]
    temps: list[int] = field(default_factory=list)
    constants: list[np.ndarray] = field(default_factory=list)
