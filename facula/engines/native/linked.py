"""Blocks compiled by themselves, and programs of them run without being compiled as a whole.

``link(blocks)`` compiles blocks. A :class:`Chain` collects calls of them, with the addresses of
their buffers, and runs what it has collected in one native call on one thread. That serves
programs that never repeat: their blocks do.
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
from facula.engines.native.linked_code import Word
from facula.engines.native.lowering.memory import ALIGNMENT
from facula.engines.native.lowering.patterns import rewrite
from facula.engines.native.lowering.plan import Plan, Unsupported, lower
from facula.engines.native.lowering.segments import split
from facula.engines.protocol import BadIndex
from facula.graph.node import Node
from facula.graph.spec import Spec

SOLID = 2  # the use of a value that has to be an array
_CHUNK = 1 << 20  # bytes of temporaries that are kept from one program to the next


class Linked:
    """A block as native code: the address of its plan, and the buffers it takes."""

    __slots__ = ("_kept", "address", "buffers", "expected", "layouts", "sizes", "status")

    def __init__(self, plan: Plan):
        self.expected = [_expected(node.spec) for node in plan.inputs]
        specs = [node.spec for node in plan.outputs]
        self.layouts = [(spec.shape, _dtype(spec)) for spec in specs]
        self.sizes = [-(-max(_bytes(s), 1) // ALIGNMENT) * ALIGNMENT for s in specs]
        self.buffers = len(plan.inputs) + len(plan.outputs)
        words = np.zeros(Word.SIZE, np.int64)
        scratch = np.empty(plan.arena + ALIGNMENT, np.uint8)
        start = -(-scratch.ctypes.data // ALIGNMENT) * ALIGNMENT
        table = np.zeros(plan.slots, np.int64)
        for slot, temporary in plan.temporaries.items():
            table[slot] = start + temporary.offset
        for slot, constant in plan.constants.items():
            table[slot] = constant.ctypes.data
        table[plan.status] = words.ctypes.data
        steps: list[int] = []
        addresses = jit.load([step.kernel for step in plan.steps])
        for address, step in zip(addresses, plan.steps, strict=True):
            steps += [address, step.kernel.chunks, len(step.operands), *step.operands]
        encoded = np.array(steps or [0], np.uint64).view(np.int64)
        arguments = np.zeros(max([len(s.operands) for s in plan.steps], default=0) + 1, np.int64)
        words[Word.COUNT] = len(plan.steps)
        words[Word.STEPS], words[Word.TABLE] = encoded.ctypes.data, table.ctypes.data
        words[Word.ARGUMENTS] = arguments.ctypes.data
        self.address: int = words.ctypes.data
        self.status = words[:3]
        self._kept = (words, scratch, table, encoded, arguments, plan)

    def complaint(self) -> str:
        """What went wrong in the run that just failed, in words."""
        code, index, size = self.status.tolist()
        self.status[:] = 0
        assert code == BAD_INDEX
        return f"index {index} is out of bounds for dimension with size {size}"


def link(blocks: Sequence[tuple[list[Node], list[Node], list[Node]]]) -> list[Linked | None]:
    """Compile blocks, given as (inputs, nodes, outputs); None for one without native code.

    All code is made together, so that LLVM can use several processes.
    """
    plans = [_plan(*block) for block in blocks]
    jit.load([step.kernel for plan in plans if plan is not None for step in plan.steps])
    return [None if plan is None else Linked(plan) for plan in plans]


def _plan(inputs: list[Node], nodes: list[Node], outputs: list[Node]) -> Plan | None:
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


_NUMBERS = {"float64": float, "int64": int}


def _dtype(spec: Spec) -> np.dtype:
    return np.dtype(spec.dtype.numpy.char)  # the one object that stands for a built-in dtype


def _bytes(spec: Spec) -> int:
    return spec.numel * spec.dtype.numpy.itemsize


def _expected(spec: Spec) -> tuple[np.dtype, bool]:
    """(dtype, whether the buffer is a Python number)."""
    return _dtype(spec), spec.weak


class _Arena:
    """Memory for the temporaries of one run."""

    def __init__(self) -> None:
        self.first = np.empty(_CHUNK + ALIGNMENT, np.uint8)
        self.more: list[np.ndarray] = []
        self.reset()

    def reset(self) -> None:
        """Everything is free again; only the first chunk is kept."""
        self.more.clear()
        self.free: dict[int, list[int]] = {}
        self.at = -(-self.first.ctypes.data // ALIGNMENT) * ALIGNMENT
        self.end = self.at + _CHUNK

    def take(self, nbytes: int) -> int:
        """The address of so many bytes, a multiple of `ALIGNMENT`."""
        free = self.free.get(nbytes)
        if free:
            return free.pop()
        at = self.at
        if at + nbytes > self.end:
            size = max(nbytes, _CHUNK)
            self.more.append(chunk := np.empty(size + ALIGNMENT, np.uint8))
            at = -(-chunk.ctypes.data // ALIGNMENT) * ALIGNMENT
            self.end = at + size
        self.at = at + nbytes
        return at

    def give(self, address: int, nbytes: int) -> None:
        """What nobody reads any more, once what was collected so far has run."""
        free = self.free.get(nbytes)
        if free is None:
            self.free[nbytes] = [address]
        else:
            free.append(address)


_arenas: list[_Arena] = []  # those that no run uses
_SPARE = 2


class Chain:
    """Calls of linked blocks over numbered values, collected until :meth:`run`.

    ``values`` are the arrays and Python numbers that exist; results that are asked for as arrays
    are put there. Others lie in the arena, where the memory of one that nobody reads any more
    serves for later ones. Arrays that calls work on must stay in ``values`` until they have run.
    """

    def __init__(self, values: list[Any]):
        self.values = values
        self.address = [0] * len(values)  # 0: not known yet
        self.requests: list[int] = []
        self.called: list[tuple[Linked, Any]] = []
        self.kept: list[np.ndarray] = []
        self.arena = _arenas.pop() if _arenas else _Arena()
        self.taken: dict[int, int] = {}  # bytes in the arena, by value

    def call(self, linked: Linked, operands: list[int], first: int, use, dying, mark) -> None:
        """Collect a call; its results are values ``first`` and so on, and ``dying`` its last reads.

        Results whose ``use`` is `SOLID` become arrays. ``mark`` is what a failure names.
        """
        requests, address = self.requests, self.address
        requests += linked.address, linked.buffers
        for place, number in enumerate(operands):
            requests.append(address[number] or self._bind(number, linked.expected[place]))
        for place, nbytes in enumerate(linked.sizes):
            number = first + place
            if use[number] == SOLID:
                made = self.values[number] = np.empty(*linked.layouts[place])
                at = _data(made)
            else:
                at = self.arena.take(nbytes)
                self.taken[number] = nbytes
            address[number] = at
            requests.append(at)
        for number in dying:
            nbytes = self.taken.pop(number, 0)
            if nbytes:
                self.arena.give(address[number], nbytes)
        self.called.append((linked, mark))

    def _bind(self, number: int, expected: tuple[np.dtype, bool]) -> int:
        """The address of an array or number from outside."""
        value = self.values[number]
        dtype, weak = expected
        if weak:
            value = np.array(float(value) if dtype.kind == "f" else int(value), dtype)
            self.kept.append(value)
        elif not _is_plain(value, dtype):
            mended = np.empty(np.shape(value), dtype)
            np.copyto(mended, value, casting="equiv")
            self.kept.append(value := mended)
        found = self.address[number] = _data(value)
        return found

    def run(self) -> None:
        """Do what was collected; raises BadIndex."""
        if not self.called:
            return
        requests, called = array("q", self.requests), self.called
        self.requests, self.called = [], []
        failed = _run_many()(requests.buffer_info()[0], len(called))
        if failed:
            linked, mark = called[failed - 1]
            raise BadIndex(linked.complaint(), mark)

    def close(self) -> None:
        """Let go of the arena; nothing may be collected any more."""
        if len(_arenas) < _SPARE:
            self.arena.reset()
            _arenas.append(self.arena)


def _is_plain(value: Any, dtype: np.dtype) -> bool:
    if value.__class__ is not np.ndarray or value.dtype is not dtype:
        return False
    flags = value.flags
    return flags.c_contiguous and flags.aligned


@functools.cache
def _run_many() -> Callable[[int, int], int]:
    kernel = Kernel("executor", "linked blocks", linked_code.run_many)
    (address,) = jit.load([kernel])
    # Python's lock is kept: the tables of the blocks are shared, and these programs are small.
    return ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)(address)


def _data(array: np.ndarray) -> int:
    """The address of an array's elements; NumPy's own way is three times slower."""
    return _word(id(array) + _OFFSET).value if _OFFSET else array.ctypes.data


_word = ctypes.c_size_t.from_address
_OFFSET = 8 * objects.Layout.ARRAY_DATA if objects.readable() else 0
