"""Machine code as an image: object code whose parts are already linked, ready to be mapped.

LLVM's own linker costs most of a millisecond per kernel, and loading LLVM far more than running a
small step. So on x86-64 with ELF objects (Linux and its relatives) the sections of an object are
put together once, when it is compiled; images contain no absolute addresses, so that mapping them
into another process is a copy. Functions of the C library are called through a table at the end.
Where this does not apply, LLVM links the objects (`jit.py`).
"""

from __future__ import annotations

import ctypes
import json
import mmap
import platform
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_ALIGN = 64
_ALLOC, _WRITE = 2, 1  # flags of a section
_PROGBITS, _SYMTAB, _RELA, _NOBITS = 1, 2, 4, 8
_PC32, _PLT32, _PC64, _GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX = 2, 4, 24, 9, 41, 42
_STUB = bytes([0xFF, 0x25, 0, 0, 0, 0, 0x90, 0x90])  # jmp [rip + 0], before the address


class NotAnImage(ValueError):
    """The object cannot be made into an image; LLVM has to link it."""


@dataclass(frozen=True)
class Image:
    """Linked code: where its function begins, and at which offsets addresses are to be written."""

    code: bytes
    entry: int
    imports: dict[str, int]

    def packed(self) -> bytes:
        head = json.dumps([self.entry, self.imports]).encode()
        return struct.pack("<I", len(head)) + head + self.code

    @staticmethod
    def unpacked(data: bytes) -> Image:
        (length,) = struct.unpack_from("<I", data)
        entry, imports = json.loads(data[4 : 4 + length])
        return Image(data[4 + length :], entry, imports)


def possible() -> bool:
    """Whether images are made and mapped on this platform."""
    return platform.machine().lower() in ("x86_64", "amd64") and sys.platform.startswith(
        ("linux", "freebsd")
    )


class _Section:
    def __init__(self, header: tuple[int, ...]):
        self.name, self.type, self.flags, _, self.offset, self.size = header[:6]
        self.link, self.info, self.align = header[6], header[7], header[8]
        self.place = -1  # in the image


def link(data: bytes, function: str) -> Image:
    """The image of an ELF object; raises NotAnImage for what is not simple code and constants."""
    sections = _sections(data)
    code = bytearray()
    for section in sections:
        if section.type not in (_PROGBITS, _NOBITS) or not section.flags & _ALLOC:
            continue
        if section.size and (section.type == _NOBITS or section.flags & _WRITE):
            raise NotAnImage("the object has variables")
        code += bytes(-len(code) % max(_ALIGN, section.align))
        section.place = len(code)
        code += data[section.offset : section.offset + section.size]
    symbols = _symbols(data, sections)
    imports: dict[str, int] = {}
    for section in sections:
        target = sections[section.info] if section.type == _RELA else None
        if target is not None and target.place >= 0:
            _relocate(data, section, target, symbols, code, imports)
    entries = [place for name, place in symbols if name == function and place is not None]
    if not entries:
        raise NotAnImage(f"the object has no function {function}")
    return Image(bytes(code), entries[0], imports)


def _sections(data: bytes) -> list[_Section]:
    if data[:6] != b"\x7fELF\x02\x01":
        raise NotAnImage("not a 64-bit ELF object")
    (start,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, start + i * size) for i in range(count)]
    return [_Section(header) for header in headers]


def _symbols(data: bytes, sections: list[_Section]) -> list[tuple[str, int | None]]:
    """Names and places in the image; None for what is defined elsewhere."""
    found: list[tuple[str, int | None]] = []
    for table in sections:
        if table.type != _SYMTAB:
            continue
        names = sections[table.link].offset
        for at in range(table.offset, table.offset + table.size, 24):
            name, _, _, index, value, _ = struct.unpack_from("<IBBHQQ", data, at)
            end = data.index(b"\0", names + name)
            defined = 0 < index < len(sections) and sections[index].place >= 0
            place = sections[index].place + value if defined else None
            found.append((data[names + name : end].decode(), place))
    return found


def _relocate(
    data: bytes,
    section: _Section,
    target: _Section,
    symbols: list[tuple[str, int | None]],
    code: bytearray,
    imports: dict[str, int],
) -> None:
    for at in range(section.offset, section.offset + section.size, 24):
        offset, info, addend = struct.unpack_from("<QQq", data, at)
        kind, (name, place) = info & 0xFFFFFFFF, symbols[info >> 32]
        where = target.place + offset
        if place is None and kind not in (_PLT32, _GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX):
            raise NotAnImage(f"{name} is not in the object")
        if kind in (_PC32, _PLT32):
            to = place if place is not None else _import(name, code, imports) - len(_STUB)
            struct.pack_into("<i", code, where, to + addend - where)
        elif kind == _PC64 and place is not None:
            struct.pack_into("<q", code, where, place + addend - where)
        elif kind in (_GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX) and place is None:
            to = _import(name, code, imports)
            struct.pack_into("<i", code, where, to + addend - where)
        else:
            raise NotAnImage(f"relocation {kind} of {name}")


def _import(name: str, code: bytearray, imports: dict[str, int]) -> int:
    """The place of a function's address, which follows a jump to it."""
    if name not in imports:
        code += bytes(-len(code) % 8) + _STUB
        struct.pack_into("<i", code, len(code) - 6, 2)  # over the two bytes that pad it
        imports[name] = len(code)
        code += bytes(8)
    return imports[name]


def load(images: Sequence[Image]) -> list[int]:
    """Copies images into executable memory, which is never freed; the addresses of the functions.

    Raises OSError where the system does not allow it or a function is not found.
    """
    if not images:
        return []
    places, size = [], 0
    for image in images:
        size += -size % _ALIGN
        places.append(size)
        size += len(image.code)
    size += -size % mmap.PAGESIZE
    library = ctypes.CDLL(None, use_errno=True)
    base = _reserve(library, size)
    for image, place in zip(images, places):
        code = image.code
        if image.imports:
            code = _filled(image, library)
        ctypes.memmove(base + place, code, len(code))
    if library.mprotect(
        ctypes.c_void_p(base), ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_EXEC
    ):
        raise OSError(ctypes.get_errno(), "memory cannot be made executable")
    return [base + place + image.entry for image, place in zip(images, places)]


def _reserve(library: ctypes.CDLL, size: int) -> int:
    """Memory of its own, not Python's mmap object: nothing may unmap what threads execute."""
    library.mmap.restype = ctypes.c_void_p
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    writable = mmap.PROT_READ | mmap.PROT_WRITE
    base = library.mmap(None, ctypes.c_size_t(size), writable, flags, -1, ctypes.c_long(0))
    if base in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "no memory for code")
    return base


def _filled(image: Image, library: ctypes.CDLL) -> bytes:
    code = bytearray(image.code)
    for name, place in image.imports.items():
        try:
            address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
        except AttributeError:
            raise OSError(f"compiled code needs {name}, which this system lacks") from None
        struct.pack_into("<Q", code, place, address)
    return bytes(code)
