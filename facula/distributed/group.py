"""ProcessGroup: collective operations on NumPy arrays among some of the processes.

Sums are formed in the order of the ranks, so results do not depend on timing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import numpy as np

from facula.distributed.mesh import Mesh

# Below this many bytes everybody sends everything to everybody: fewer rounds.
_SMALL = 1 << 16
_COLLECTIVE = -1


class RedOpType(Enum):
    """How values of several processes become one."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7


class ReduceOp:
    """Names of reductions: ``ReduceOp.SUM``, ``AVG``, ``PRODUCT``, ``MIN``, ``MAX`` ..."""

    RedOpType = RedOpType
    SUM, AVG, PRODUCT = RedOpType.SUM, RedOpType.AVG, RedOpType.PRODUCT
    MIN, MAX = RedOpType.MIN, RedOpType.MAX
    BAND, BOR, BXOR = RedOpType.BAND, RedOpType.BOR, RedOpType.BXOR


_FUNCTIONS: dict[RedOpType, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    RedOpType.SUM: np.add,
    RedOpType.AVG: np.add,
    RedOpType.PRODUCT: np.multiply,
    RedOpType.MIN: np.minimum,
    RedOpType.MAX: np.maximum,
    RedOpType.BAND: np.bitwise_and,
    RedOpType.BOR: np.bitwise_or,
    RedOpType.BXOR: np.bitwise_xor,
}


def reduced(arrays: Sequence[np.ndarray], op: RedOpType) -> np.ndarray:
    """Arrays of all ranks as one, combined in the order given."""
    own = arrays[0].dtype
    total = functools.reduce(_FUNCTIONS[op], arrays)
    if op is RedOpType.AVG:
        total = total / len(arrays) if own.kind in "fc" else total // len(arrays)
    return np.asarray(total, own)


class ProcessGroup:
    """Some of the processes, this one among them; ranks count within the group."""

    def __init__(self, mesh: Mesh, ranks: Sequence[int], number: int, name: str) -> None:
        self._mesh = mesh
        self.ranks = list(ranks)
        self._number = number
        self._operations = 0
        self.group_name = name
        self._rank = self.ranks.index(mesh.rank)

    def rank(self) -> int:
        """This process's rank in the group."""
        return self._rank

    def size(self) -> int:
        """Number of processes."""
        return len(self.ranks)

    def name(self) -> str:
        """The backend's name."""
        return "gloo"

    def _next(self) -> tuple[int, int, int]:
        self._operations += 1
        return (self._number, _COLLECTIVE, self._operations)

    def _send(self, to: int, key, array: np.ndarray) -> None:
        self._mesh.send(self.ranks[to], key, np.ascontiguousarray(array).reshape(-1).view(np.uint8))

    def _receive(self, of: int, key, like: np.ndarray) -> np.ndarray:
        data = self._mesh.receive(self.ranks[of], key)
        if len(data) != like.nbytes:
            raise RuntimeError(
                f"rank {of} sent {len(data)} bytes where rank {self._rank} expected {like.nbytes}: "
                "tensors must have the same shape and dtype in all processes"
            )
        return np.frombuffer(data, like.dtype).reshape(like.shape)

    def all_gather(self, array: np.ndarray) -> list[np.ndarray]:
        """Arrays of the same shape of all ranks."""
        key = self._next()
        others = [r for r in range(self.size()) if r != self._rank]
        for rank in others:
            self._send(rank, key, array)
        found = {rank: self._receive(rank, key, array) for rank in others}
        found[self._rank] = array
        return [found[rank] for rank in range(self.size())]

    def all_reduce(self, array: np.ndarray, op: RedOpType) -> np.ndarray:
        """The reduction over all ranks, known to all: each rank reduces a part and shares it."""
        n = self.size()
        if n == 1:
            return reduced([array], op)
        if array.nbytes < _SMALL:
            return reduced(self.all_gather(array), op)
        parts = np.array_split(array.reshape(-1), n)
        own = self.reduce_scatter(parts, op)
        key = self._next()
        others = [r for r in range(n) if r != self._rank]
        for rank in others:
            self._send(rank, key, own)
        whole = [own if r == self._rank else self._receive(r, key, parts[r]) for r in range(n)]
        return np.concatenate(whole).reshape(array.shape)

    def reduce_scatter(self, parts: Sequence[np.ndarray], op: RedOpType) -> np.ndarray:
        """The reduction of everybody's part number ``rank``."""
        key = self._next()
        for rank in range(self.size()):
            if rank != self._rank:
                self._send(rank, key, parts[rank])
        own = parts[self._rank]
        arrays = [
            own if rank == self._rank else self._receive(rank, key, own)
            for rank in range(self.size())
        ]
        return reduced(arrays, op)

    def reduce(self, array: np.ndarray, dst: int, op: RedOpType) -> np.ndarray | None:
        """The reduction over all ranks, known to ``dst`` only."""
        found = self.gather(array, dst)
        return None if found is None else reduced(found, op)

    def broadcast(self, array: np.ndarray, src: int) -> np.ndarray:
        """The array of ``src``."""
        key = self._next()
        if self._rank != src:
            return self._receive(src, key, array)
        for rank in range(self.size()):
            if rank != src:
                self._send(rank, key, array)
        return array

    def gather(self, array: np.ndarray, dst: int) -> list[np.ndarray] | None:
        """Arrays of all ranks, known to ``dst`` only."""
        key = self._next()
        if self._rank != dst:
            self._send(dst, key, array)
            return None
        return [
            array if rank == dst else self._receive(rank, key, array) for rank in range(self.size())
        ]

    def scatter(self, parts: Sequence[np.ndarray] | None, like: np.ndarray, src: int) -> np.ndarray:
        """The part that ``src`` has for this rank."""
        key = self._next()
        if self._rank != src:
            return self._receive(src, key, like)
        assert parts is not None
        for rank, part in enumerate(parts):
            if rank != src:
                self._send(rank, key, part)
        return parts[src]

    def all_to_all(self, parts: Sequence[np.ndarray], like: Sequence[np.ndarray]):
        """Part number ``rank`` of everybody."""
        key = self._next()
        for rank, part in enumerate(parts):
            if rank != self._rank:
                self._send(rank, key, part)
        return [
            parts[rank] if rank == self._rank else self._receive(rank, key, like[rank])
            for rank in range(self.size())
        ]

    def barrier(self) -> None:
        """Wait until all have come here."""
        self.all_gather(np.zeros(1, np.uint8))

    def send_message(self, data: bytes, to: int, tag: int) -> None:
        """Bytes to one rank."""
        self._mesh.send(self.ranks[to], (self._number, tag, 0), data)

    def receive_message(self, of: int | None, tag: int) -> tuple[int, bytearray]:
        """(rank, bytes) of the next message of one rank, or of any."""
        key = (self._number, tag, 0)
        if of is not None:
            return of, self._mesh.receive(self.ranks[of], key)
        peer, data = self._mesh.receive_any(self.ranks, key)
        return self.ranks.index(peer), data

    def exchange_bytes(self, data: bytes) -> list[bytes]:
        """Bytes of any length of all ranks."""
        sizes = self.all_gather(np.asarray([len(data)], np.int64))
        key = self._next()
        others = [r for r in range(self.size()) if r != self._rank]
        own = np.frombuffer(data, np.uint8)
        for rank in others:
            self._send(rank, key, own)
        found: dict[int, Any] = {
            r: self._receive(r, key, np.empty(int(sizes[r][0]), np.uint8)).tobytes() for r in others
        }
        found[self._rank] = data
        return [found[r] for r in range(self.size())]
