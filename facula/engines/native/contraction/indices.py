"""Arithmetic of indices; those that are plain numbers are computed now, not at run time."""

from __future__ import annotations

from facula.engines.native.ir import Function, Value

Index = Value | int


def plus(f: Function, a: Index, b: Index) -> Index:
    """a + b."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    return f.add(a, b)


def minus(f: Function, a: Index, b: Index) -> Index:
    """a - b."""
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    return f.op("sub", a, b)


def times(f: Function, a: Index, b: int) -> Index:
    """a * b."""
    if isinstance(a, int):
        return a * b
    return 0 if b == 0 else f.mul(a, b)


def minimum(f: Function, a: Index, b: Index) -> Index:
    """The smaller of two."""
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return f.call("llvm.smin.i64", "i64", *f.pair(a, b))


def maximum(f: Function, a: Index, b: Index) -> Index:
    """The larger of two."""
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    return f.call("llvm.smax.i64", "i64", *f.pair(a, b))


def part(f: Function, number: Value, total: int, parts: int) -> Index:
    """Where part ``number`` of ``total`` things begins."""
    if parts == total:
        return number
    return f.op("sdiv", f.mul(number, total), parts)


def ceiling(a: int, b: int) -> int:
    """a / b rounded up."""
    return (a + b - 1) // b
