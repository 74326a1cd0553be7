"""Writes protocol buffers: the few kinds of fields that TensorBoard's messages have.

A message is the bytes of its fields, one after the other: `message(text(1, "a"), whole(2, 7))`.
Source: "Protocol Buffers: Encoding" (protobuf.dev).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def varint(number: int) -> bytes:
    """A whole number, seven bits a byte, lowest first; negative ones in 64 bits."""
    number &= (1 << 64) - 1
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    made.append(number)
    return bytes(made)


def _key(field: int, kind: int) -> bytes:
    return varint(field << 3 | kind)


def whole(field: int, number: int) -> bytes:
    """An integer, a truth value or the number of an enumeration."""
    return _key(field, _VARINT) + varint(int(number))


def single(field: int, number: float) -> bytes:
    """A float of 32 bits."""
    return _key(field, _FOUR_BYTES) + struct.pack("<f", number)


def double(field: int, number: float) -> bytes:
    """A float of 64 bits."""
    return _key(field, _EIGHT_BYTES) + struct.pack("<d", number)


def raw(field: int, data: bytes) -> bytes:
    """Bytes, or a message within a message."""
    return _key(field, _LENGTH) + varint(len(data)) + data


def text(field: int, value: str) -> bytes:
    """Text."""
    return raw(field, value.encode())


def doubles(field: int, numbers: Iterable[float]) -> bytes:
    """A list of floats of 64 bits, packed."""
    numbers = list(numbers)
    return raw(field, struct.pack(f"<{len(numbers)}d", *numbers))


def singles(field: int, numbers: Iterable[float]) -> bytes:
    """A list of floats of 32 bits, packed."""
    numbers = list(numbers)
    return raw(field, struct.pack(f"<{len(numbers)}f", *numbers))


def message(*fields: bytes) -> bytes:
    """A message of these fields."""
    return b"".join(fields)
