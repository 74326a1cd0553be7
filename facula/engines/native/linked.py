"""Blocks compiled by themselves, and programs of them run without being compiled as a whole.

``link(blocks)`` compiles blocks. ``run(...)`` runs a program of them: native code finds out what is
needed, gives values memory and calls the blocks, on one thread. That serves programs that never
repeat: their blocks do. A block without native code is run by the reference engine in between.
"""

from __future__ import annotations

import ctypes
import functools
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula.engines.native import jit, linked_code, objects
from facula.engines.native.kernel import BAD_INDEX, Kernel
from facula.engines.native.linked_code import Block, Program
from facula.engines.native.lowering.memory import ALIGNMENT
from facula.engines.native.lowering.patterns import rewrite
from facula.engines.native.lowering.plan import Plan, Unsupported, lower
from facula.engines.native.lowering.segments import split
from facula.engines.protocol import BadIndex
from facula.graph.node import Node
from facula.graph.spec import Spec

_KEPT = 1 << 22  # bytes of an arena that is kept from one program to the next
_SPARE = 2  # arenas that are kept: one, unless several threads run programs
_NUMBERS = ("float64", "int64")  # Python numbers that native code reads

Parts = tuple[Sequence[Node], Sequence[Node], Sequence[Node]]  # of a block: inputs, nodes, outputs


class Linked:
    """A block as words that native code understands, see `linked_code.Block`.

    ``room`` is how much of the arena its results may need. Without native code, ``interpreter``
    computes them.
    """

    __slots__ = ("_kept", "address", "interpreter", "makes", "reads", "room", "status")

    def __init__(self, parts: Parts, interpreter: Any, plan: Plan | None):
        inputs, _, outputs = parts
        self.interpreter: Any = interpreter if plan is None else None
        self.reads, self.makes = len(inputs), len(outputs)
        sizes = np.array([_room(node.spec) if plan else 0 for node in outputs], np.int64)
        self.room = int(sizes.sum())
        words = np.zeros(Block.SIZE, np.int64)
        self.status = words[:3]
        self.address: int = words.ctypes.data
        words[Block.READS], words[Block.MAKES] = len(inputs), len(outputs)
        words[Block.SIZES], words[Block.NATIVE] = sizes.ctypes.data, plan is not None
        self._kept: list[Any] = [words, sizes, plan]
        if plan is not None:
            self._fill(words, plan)

    def _fill(self, words: np.ndarray, plan: Plan) -> None:
        scratch = np.empty(plan.arena + ALIGNMENT, np.uint8)
        table = np.zeros(plan.slots, np.int64)
        for slot, temporary in plan.temporaries.items():
            table[slot] = _aligned(scratch) + temporary.offset
        for slot, constant in plan.constants.items():
            table[slot] = constant.ctypes.data
        table[plan.status] = words.ctypes.data
        encoded: list[int] = []
        addresses = jit.load([step.kernel for step in plan.steps])
        for address, step in zip(addresses, plan.steps, strict=True):
            encoded += [address, step.kernel.chunks, len(step.operands), *step.operands]
        steps = np.array(encoded or [0], np.uint64).view(np.int64)
        arguments = np.zeros(max([len(s.operands) for s in plan.steps], default=0) + 1, np.int64)
        words[Block.COUNT], words[Block.STEPS] = len(plan.steps), steps.ctypes.data
        words[Block.TABLE], words[Block.ARGUMENTS] = table.ctypes.data, arguments.ctypes.data
        self._kept += [scratch, table, steps, arguments]

    def complaint(self) -> str:
        """What was wrong in the run that just failed, in words."""
        code, index, size = self.status.tolist()
        self.status[:] = 0
        assert code == BAD_INDEX
        return f"index {index} is out of bounds for dimension with size {size}"


def link(blocks: Sequence[tuple[Parts, Any]], native: bool) -> list[Linked]:
    """Blocks made ready; each comes with what interprets it. ``native``: compile those that can be.

    All code is made together, so that LLVM can use several processes.
    """
    plans = [_plan(*parts) if native else None for parts, _ in blocks]
    jit.load([step.kernel for plan in plans if plan is not None for step in plan.steps])
    return [Linked(*block, plan) for block, plan in zip(blocks, plans, strict=True)]


def _plan(inputs: Sequence[Node], nodes: Sequence[Node], outputs: Sequence[Node]) -> Plan | None:
    distinct = set(outputs)
    if len(distinct) != len(outputs) or not distinct.isdisjoint(inputs):
        return None
    if any(_foreign(node.spec) for node in (*inputs, *outputs)):
        return None
    nodes, outputs = rewrite([*inputs, *nodes], outputs)
    segments = split(nodes, outputs, set())
    if len(segments) != 1 or not segments[0].native or set(segments[0].outputs) != set(outputs):
        return None
    try:
        return lower(segments[0].nodes, inputs, outputs)
    except Unsupported:
        return None


def _foreign(spec: Any) -> bool:
    """Whether buffers of the spec cannot be handed from one block to the next as they are."""
    return not isinstance(spec, Spec) or (spec.weak and spec.dtype.name not in _NUMBERS)


def _room(spec: Spec) -> int:
    nbytes = spec.numel * spec.dtype.numpy.itemsize
    return -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT


def _aligned(memory: np.ndarray) -> int:
    return -(-memory.ctypes.data // ALIGNMENT) * ALIGNMENT


class Run:
    """One run of a program of blocks.

    ``blocks`` are applied in order to numbered values: ``operands`` are the numbers that they read,
    one block's after the other's, and ``firsts`` those of their first results. ``specs`` are the
    values' specs, ``given`` the values from outside by number.
    """

    def __init__(self, blocks: list[Linked], firsts: list[int], operands: list[int], specs):
        self.blocks, self.firsts, self.operands, self.specs = blocks, firsts, operands, specs
        self.values: dict[int, Any] = {}
        self.address = array("q", bytes(8 * len(specs)))
        self.held: list[np.ndarray] = []

    def run(self, given: dict[int, Any], outputs: Sequence[int]) -> list[Any]:
        """The outputs; raises BadIndex with the number of the block that found one."""
        values = self.values
        values.update(given)
        for number, value in given.items():
            self._bind(number, value)
        use = array("q", bytes(8 * len(self.specs)))
        for number in outputs:
            use[number] = 1
            self._make(number)
        starts = self._prepare_interpreted()
        arena = _take_arena(sum([block.room for block in self.blocks]))
        words, kept = self._words(use, arena)
        code = _run_program()(words.buffer_info()[0])
        while code < 0:
            self._interpret(-1 - code, starts)
            code = _run_program()(words.buffer_info()[0])
        del kept
        if arena.nbytes <= _KEPT + ALIGNMENT and len(_arenas) < _SPARE:
            _arenas.append(arena)
        if code:
            raise BadIndex(self.blocks[code - 1].complaint(), code - 1)
        return [values[number] for number in outputs]

    def _words(self, use: array, arena: np.ndarray) -> tuple[array, list[array]]:
        blocks = array("q", [block.address for block in self.blocks])
        firsts, operands = array("q", self.firsts), array("q", self.operands)
        sizes = array("q", bytes(8 * len(self.specs)))
        words = array("q", bytes(8 * Program.SIZE))
        words[Program.COUNT], words[Program.STEP] = len(blocks), -1
        for place, block in (
            (Program.BLOCKS, blocks),
            (Program.FIRST, firsts),
            (Program.OPERANDS, operands),
            (Program.ADDRESS, self.address),
            (Program.BYTES, sizes),
            (Program.USE, use),
        ):
            words[place] = block.buffer_info()[0]
        words[Program.END] = words[Program.OPERANDS] + 8 * len(operands)
        words[Program.ARENA] = _aligned(arena)
        return words, [blocks, firsts, operands, sizes, use]

    def _make(self, number: int) -> None:
        """Memory for a result that has to be an array."""
        if number not in self.values:
            spec = self.specs[number]
            made = self.values[number] = np.empty(spec.shape, _dtype(spec.dtype))
            self.address[number] = _data(made)

    def _bind(self, number: int, value: Any) -> None:
        """Note the address of a value from outside, of a copy if native code cannot read it."""
        spec = self.specs[number]
        dtype = _dtype(spec.dtype)
        if spec.weak:
            if spec.dtype.name not in _NUMBERS:
                return  # only read by what is interpreted
            value = np.array(float(value) if dtype.kind == "f" else int(value), dtype)
            self.held.append(value)
        elif not _is_plain(value, dtype):
            mended = np.empty(spec.shape, dtype)
            np.copyto(mended, value, casting="equiv")
            self.held.append(value := mended)
        self.address[number] = _data(value)

    def _prepare_interpreted(self) -> dict[int, int]:
        """Where the operands of each interpreted block begin; they become arrays."""
        starts: dict[int, int] = {}
        arrays: set[int] = set()  # what interpreted blocks make
        at = 0
        for number, (block, first) in enumerate(zip(self.blocks, self.firsts, strict=True)):
            if block.interpreter is not None:
                starts[number] = at
                for operand in self.operands[at : at + block.reads]:
                    if operand not in arrays:
                        self._make(operand)
                arrays.update(range(first, first + block.makes))
            at += block.reads
        return starts

    def _interpret(self, number: int, starts: dict[int, int]) -> None:
        block, at = self.blocks[number], starts[number]
        values = self.values
        found = block.interpreter.compute(
            [values[operand] for operand in self.operands[at : at + block.reads]]
        )
        for result, value in enumerate(found, self.firsts[number]):
            values[result] = value
            self._bind(result, value)


_arenas: list[np.ndarray] = []  # those that no run uses


def _take_arena(room: int) -> np.ndarray:
    if room <= _KEPT:
        try:
            return _arenas.pop()
        except IndexError:
            room = _KEPT
    return np.empty(room + ALIGNMENT, np.uint8)


def _is_plain(value: Any, dtype: np.dtype) -> bool:
    if value.__class__ is not np.ndarray or value.dtype is not dtype:
        return False
    flags = value.flags
    return flags.c_contiguous and flags.aligned


@functools.cache
def _dtype(dtype: Any) -> np.dtype:
    return np.dtype(dtype.numpy.char)  # the one object that stands for a built-in dtype


@functools.cache
def _run_program() -> Callable[[int], int]:
    (address,) = jit.load([Kernel("executor", "run blocks", linked_code.run_program)])
    # Python's lock is kept: the tables of the blocks are shared, and these programs are small.
    return ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(address)


def _data(array: np.ndarray) -> int:
    """The address of an array's elements; NumPy's own way is three times slower."""
    return _word(id(array) + _OFFSET).value if _OFFSET else array.ctypes.data


_word = ctypes.c_size_t.from_address
_OFFSET = 8 * objects.Layout.ARRAY_DATA if objects.readable() else 0
