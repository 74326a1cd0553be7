"""Writes and reads the zip archives that checkpoints are stored in, one record per storage.

The layout is PyTorch's: every record lies uncompressed under one root folder and its data starts at
a multiple of 64 bytes, so that a file can be mapped into memory. Source: the ZIP application note
(PKWARE APPNOTE 6.3) for the structures, files written by PyTorch for names and order.
"""

from __future__ import annotations

import mmap
import os
import struct
import zipfile
import zlib
from typing import IO, Any

import numpy as np

ALIGNMENT = 64
ZIP_MAGIC = b"PK\x03\x04"

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_DATE = 0x21  # 1 January 1980, the earliest date the format can state: files stay reproducible
# From these sizes on, numbers stand in 64-bit fields and the short fields are all ones.
LIMIT32 = _ONES32 = 0xFFFFFFFF
LIMIT16 = _ONES16 = 0xFFFF
_UTF8_NAMES = 0x800


class ZipWriter:
    """Writes records one after another to a binary stream that only needs a `write` method."""

    def __init__(self, stream: IO[bytes], root: str, checksums: bool = True) -> None:
        self._stream = stream
        self._root = root
        self._checksums = checksums
        self._position = 0
        self._entries: list[tuple[bytes, int, int, int]] = []

    def _write(self, data: Any) -> None:
        view = memoryview(data).cast("B") if len(data) else b""
        done = 0
        while done < len(view):
            count = self._stream.write(view[done:])
            # Buffered streams take all; raw ones may take less, and say so.
            done = len(view) if count is None else done + count
        self._position += len(view)

    def add(self, name: str, data: Any) -> None:
        """Append the record `root/name` holding `data` (bytes, or a contiguous byte buffer)."""
        path = f"{self._root}/{name}".encode()
        size = memoryview(data).nbytes
        checksum = zlib.crc32(data) if self._checksums else 0
        start = self._position
        large = size >= LIMIT32
        extra = struct.pack("<2H2Q", 1, 16, size, size) if large else b""
        fixed = start + _LOCAL.size + len(path) + len(extra) + 4
        padding = -fixed % ALIGNMENT
        extra += b"FB" + struct.pack("<H", padding) + b"Z" * padding
        short = _ONES32 if large else size
        head = _LOCAL.pack(
            *(ZIP_MAGIC, 45 if large else 20, _UTF8_NAMES, 0, 0, _DATE),
            *(checksum, short, short, len(path), len(extra)),
        )
        self._write(head + path + extra)
        self._write(data)
        self._entries.append((path, checksum, size, start))

    def fingerprint(self) -> bytes:
        """Return 40 digits that depend on the names and contents of the records so far."""
        names = contents = 0
        for path, checksum, size, _ in self._entries:
            names = zlib.crc32(path, names)
            contents = zlib.crc32(struct.pack("<QL", size, checksum), contents)
        return f"{names:020d}{contents:020d}".encode()

    def close(self) -> None:
        """Write the directory of all records; without it the archive cannot be read."""
        start = self._position
        for path, checksum, size, offset in self._entries:
            large, far = size >= LIMIT32, offset >= LIMIT32
            wide = [size, size] * large + [offset] * far
            extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
            version = 45 if wide else 20
            short = _ONES32 if large else size
            head = _CENTRAL.pack(
                *(b"PK\x01\x02", version, version, _UTF8_NAMES, 0, 0, _DATE),
                *(checksum, short, short, len(path), len(extra), 0, 0, 0, 0),
                _ONES32 if far else offset,
            )
            self._write(head + path + extra)
        size, count = self._position - start, len(self._entries)
        if start >= LIMIT32 or count >= LIMIT16:
            end = self._position
            self._write(
                _END64.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
                + _LOCATOR64.pack(b"PK\x06\x07", 0, end, 1)
            )
            count, size, start = _ONES16, _ONES32, _ONES32
        self._write(_END.pack(b"PK\x05\x06", 0, 0, count, count, size, start, 0))


def _read_into(stream: IO[bytes], view: memoryview) -> int:
    """Fill the view from the stream; return how many bytes there were."""
    got = 0
    while got < len(view):
        if hasattr(stream, "readinto"):
            count = stream.readinto(view[got:])
        else:
            chunk = stream.read(min(len(view) - got, 1 << 26))
            count = len(chunk)
            view[got : got + count] = chunk
        if not count:
            break
        got += count
    return got


class DamagedRecord(RuntimeError):
    """A record of the archive cannot be read as it was written."""


class ZipReader:
    """Reads the records of an archive, checking each against its checksum."""

    def __init__(self, stream: IO[bytes], use_mmap: bool = False) -> None:
        self._stream = stream
        try:
            self._zip = zipfile.ZipFile(stream)
            entries = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError) as error:
            raise RuntimeError(
                f"failed reading zip archive: failed finding central directory ({error}). The "
                "checkpoint is truncated or corrupted: it was not written or copied completely. "
                "Copy it again or load an older checkpoint."
            ) from None
        self._length = stream.seek(0, os.SEEK_END)
        self._root = entries[0].filename.split("/", 1)[0] + "/" if entries else ""
        self._records = {
            entry.filename[len(self._root) :]: entry
            for entry in entries
            if entry.filename.startswith(self._root)
        }
        self._map: mmap.mmap | None = None
        if use_mmap:
            # Private pages: writing to a loaded tensor must not change the file.
            self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def names(self) -> list[str]:
        """Names of all records, without the root folder."""
        return list(self._records)

    def read(self, name: str) -> np.ndarray:
        """Return a record's bytes as a writable uint8 array; DamagedRecord when they changed."""
        entry = self._records.get(name)
        if entry is None:
            raise DamagedRecord(f"record '{name}' is missing from the archive")
        if entry.compress_type != zipfile.ZIP_STORED:
            return self._inflate(entry, name)
        start = self._data_start(entry, name)
        if self._map is not None:
            return np.frombuffer(self._map, np.uint8, entry.file_size, start)
        data: Any = np.empty(entry.file_size, np.uint8)
        self._stream.seek(start)
        got = _read_into(self._stream, memoryview(data))
        if got < entry.file_size:
            raise DamagedRecord(
                f"record '{name}' is cut off: {got} of {entry.file_size} bytes are there"
            )
        # Writers may leave checksums out; they store zero then.
        if entry.CRC and zlib.crc32(data) != entry.CRC:
            raise DamagedRecord(
                f"record '{name}' is damaged: checksum {zlib.crc32(data):08x} instead of "
                f"{entry.CRC:08x}"
            )
        return data

    def _inflate(self, entry: zipfile.ZipInfo, name: str) -> np.ndarray:
        try:
            return np.frombuffer(bytearray(self._zip.read(entry)), np.uint8)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise DamagedRecord(f"record '{name}' is damaged: {error}") from None

    def _data_start(self, entry: zipfile.ZipInfo, name: str) -> int:
        """Find where a stored record's data begins and check that it lies inside the file."""
        self._stream.seek(entry.header_offset)
        head = self._stream.read(_LOCAL.size)
        if len(head) < _LOCAL.size or head[:4] != ZIP_MAGIC:
            raise DamagedRecord(f"record '{name}' is damaged: its header is not where it should be")
        path_length, extra_length = _LOCAL.unpack(head)[-2:]
        start = entry.header_offset + _LOCAL.size + path_length + extra_length
        if start + entry.file_size > self._length:
            raise DamagedRecord(
                f"record '{name}' is cut off: it ends at byte {start + entry.file_size} of a file "
                f"of {self._length} bytes"
            )
        return start
