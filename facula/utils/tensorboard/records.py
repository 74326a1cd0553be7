"""Event files: records with checksums, as TensorBoard reads them."""

from __future__ import annotations

import itertools
import os
import socket
import struct
import threading
import time
import weakref
from typing import Any

import numpy as np

from facula.utils.tensorboard import protobuf as pb

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed
_LANES = 64  # parts of a long text that are worked on together


def _table() -> np.ndarray:
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, values >> 1 ^ np.uint32(_POLYNOMIAL), values >> 1)
    return values


_TABLE = _table()
_LIST = _TABLE.tolist()


def _plain(data: bytes, state: int) -> int:
    for byte in data:
        state = _LIST[(state ^ byte) & 255] ^ state >> 8
    return state


def _moved(state: int, columns: list[int]) -> int:
    """A matrix of bits, given by columns, times the bits of a state."""
    made = 0
    for column in columns:
        if state & 1:
            made ^= column
        state >>= 1
    return made


def _zeros(count: int) -> list[int]:
    """What ``count`` bytes of zero do to a state, as a matrix."""
    step = [_plain(b"\0", 1 << bit) for bit in range(32)]
    made = [1 << bit for bit in range(32)]
    while count:
        if count & 1:
            made = [_moved(column, step) for column in made]
        step = [_moved(column, step) for column in step]
        count >>= 1
    return made


def crc32c(data: bytes) -> int:
    """The checksum CRC-32C; that of long texts is put together from those of equal parts."""
    length = len(data) // _LANES
    state = 0xFFFFFFFF
    if length > 64:
        parts = np.frombuffer(data, np.uint8, length * _LANES).reshape(_LANES, length)
        states = np.zeros(_LANES, np.uint32)
        for column in parts.T:
            states = _TABLE[(states ^ column) & 255] ^ states >> 8
        matrix = _zeros(length)
        for part in states.tolist():
            state = _moved(state, matrix) ^ part
        data = data[length * _LANES :]
    return _plain(data, state) ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    """Data with its length and checksums in front and behind."""
    head = struct.pack("<Q", len(data))
    return head + _masked(head) + data + _masked(data)


def _write(path: str, pending: list[bytes], owner: int) -> None:
    if pending and os.getpid() == owner:  # a forked process leaves them to its parent
        with open(path, "ab") as file:
            file.write(b"".join(pending))
        pending.clear()


class EventFile:
    """One file of events; written every ``flush_secs`` seconds or ``max_queue`` events."""

    _numbers = itertools.count()

    def __init__(self, folder: str, max_queue: int, flush_secs: float, suffix: str) -> None:
        os.makedirs(folder, exist_ok=True)
        now, host = int(time.time()), socket.gethostname()
        name = f"events.out.tfevents.{now:010d}.{host}.{os.getpid()}.{next(self._numbers)}{suffix}"
        self.path = os.path.join(folder, name)
        self.max_queue, self.flush_secs = max_queue, flush_secs
        self._pending: list[bytes] = []
        self._lock = threading.Lock()
        self._written = time.monotonic()
        self._at_exit = weakref.finalize(self, _write, self.path, self._pending, os.getpid())
        self.add(pb.text(3, "brain.Event:2"))
        self.flush()

    def add(self, content: bytes, step: Any = None, walltime: float | None = None) -> None:
        """Adds an event: its content is a field of the message Event."""
        when = time.time() if walltime is None else walltime
        where = b"" if step is None else pb.whole(2, step)
        with self._lock:
            self._pending.append(record(pb.message(pb.double(1, when), where, content)))
        late = time.monotonic() - self._written > self.flush_secs
        if late or len(self._pending) > self.max_queue:
            self.flush()

    def flush(self) -> None:
        """Writes what has been added."""
        with self._lock:
            _write(self.path, self._pending, os.getpid())
            self._written = time.monotonic()
