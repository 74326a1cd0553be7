"""Reads and writes the stream format that PyTorch used before version 1.6.

Four pickles one after another (a magic number, the protocol, facts about the machine, the object),
then the list of storage keys, then for each storage its number of elements and its raw bytes.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from facula.serialization.pickler import dump
from facula.serialization.storages import LoadedStorage, StorageType, storage_types, swap_bytes
from facula.serialization.unpickler import StrictUnpickler, replace_steps
from facula.serialization.zipformat import DamagedRecord

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
_MACHINE = {
    "protocol_version": PROTOCOL,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}
# Makes the function that reads one pickle from the stream, given a storage loader.
MakeReader = Callable[[Callable[[tuple], Any]], Callable[[], Any]]


def write(value: Any, stream: IO[bytes], pickle_module: Any, protocol: int) -> None:
    """Write a value in the old format."""
    body, storages = dump(value, pickle_module, protocol, pid_tail=(None,))
    for part in (MAGIC, PROTOCOL, _MACHINE):
        stream.write(pickle.dumps(part, protocol))
    stream.write(body)
    stream.write(pickle.dumps([storage.key for storage in storages], protocol))
    for storage in storages:
        stream.write(struct.pack("<q", storage.count))
        stream.write(storage.data.data)


class _Skimmer(StrictUnpickler):
    """Walks over a pickle without making anything of it, to learn which storages it refers to."""

    dispatch = StrictUnpickler.dispatch.copy()

    def find_class(self, module: str, name: str) -> Any:
        return storage_types().get(f"{module}.{name}", object)

    def _inert(self) -> None:
        self.append(object())

    def load_reduce(self) -> None:
        del self.stack[-2:]
        self._inert()

    def load_newobj_ex(self) -> None:
        del self.stack[-3:]
        self._inert()

    def load_build(self) -> None:
        self.stack.pop()

    load_newobj = load_reduce
    load_append = load_build

    def load_appends(self) -> None:
        self.pop_mark()

    load_setitems = load_additems = load_appends

    def load_setitem(self) -> None:
        del self.stack[-2:]


replace_steps(_Skimmer)


def read(stream: IO[bytes], make_reader: MakeReader, place: Callable[[LoadedStorage], Any]) -> Any:
    """Read a value in the old format; `place` moves each storage to where `map_location` says.

    The tensors' bytes come after the object: it is skimmed first, then the bytes are read, then the
    object is made.
    """

    def no_storage(pid: tuple) -> Any:
        raise pickle.UnpicklingError("the file's header refers to a tensor")

    read_plain = make_reader(no_storage)
    if read_plain() != MAGIC:
        raise RuntimeError("Invalid magic number; corrupt file?")
    if (protocol := read_plain()) != PROTOCOL:
        raise RuntimeError(f"Invalid protocol version: {protocol}")
    machine = read_plain()
    little = not isinstance(machine, dict) or machine.get("little_endian", True)
    storages: dict[str, LoadedStorage] = {}

    def note(pid: tuple) -> None:
        kind, key, location, count = _checked_reference(pid)
        if key not in storages:
            data = _allocate(stream, key, count, kind)
            storages[key] = LoadedStorage(data, kind.dtype_name, location)

    start = stream.tell()
    _Skimmer(stream, note).load()
    for key in read_plain():
        if key not in storages:
            raise pickle.UnpicklingError(f"the file stores '{key}', which nothing refers to")
        _fill(stream, key, storages[key], little)
    placed = {key: place(storage) for key, storage in storages.items()}
    stream.seek(start)
    return make_reader(lambda pid: placed[pid[2]])()


def _checked_reference(pid: Any) -> tuple[StorageType, str, str, int]:
    if not isinstance(pid, tuple) or len(pid) != 6 or pid[0] != "storage":
        raise pickle.UnpicklingError(f"unknown reference to stored data: {pid!r}")
    _, kind, key, location, count, view = pid
    if not isinstance(kind, StorageType) or not isinstance(location, str):
        raise pickle.UnpicklingError(f"unknown reference to stored data: {pid!r}")
    if view is not None:
        raise pickle.UnpicklingError("storages that are views of others are not supported")
    return kind, key, location, count


def _allocate(stream: IO[bytes], key: str, count: Any, kind: StorageType) -> np.ndarray:
    """Memory for a storage, after checking that the file is long enough to hold it."""
    here = stream.tell()
    left = stream.seek(0, 2) - here
    stream.seek(here)
    if type(count) is not int or not 0 <= count * kind.item_size <= left:
        raise DamagedRecord(f"storage '{key}' is cut off: it has {count} elements, too many")
    return np.empty(count * kind.item_size, np.uint8)


def _fill(stream: IO[bytes], key: str, storage: LoadedStorage, little: bool) -> None:
    head = stream.read(8)
    if len(head) < 8 or struct.unpack("<q", head)[0] != storage.size():
        raise DamagedRecord(f"storage '{key}' is damaged: its length is not the one announced")
    data = stream.read(storage.nbytes())
    if len(data) < storage.nbytes():
        raise DamagedRecord(f"storage '{key}' is cut off: {len(data)} of {storage.nbytes()} bytes")
    storage.data[:] = np.frombuffer(data, np.uint8)
    if not little and storage.dtype_name is not None:
        storage.data[:] = swap_bytes(storage.data, storage.dtype_name)
