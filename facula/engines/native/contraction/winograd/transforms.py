"""The transforms of F(2x2, 3x3): additions of vectors, one row or column at a time.

Four elements of the input and three taps become four numbers each; the sums of their products over
the channels become two results. In two dimensions that is 16 products for four results where the
direct sum needs 36. For the gradient of the taps two elements of the results' gradient take the
place of the taps, and sums over all tiles become three results: F(3x3, 2x2), 16 products for 36 as
well. The scheme is from Lavin and Gray, "Fast Algorithms for Convolutional Neural
Networks" (2015); all its constants are 1, -1 and 1/2, so the error is about that of direct sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facula.engines.native.ir import Function, Value

Line = Callable[[Function, Sequence[Value]], list[Value]]


def of_input(f: Function, d: Sequence[Value]) -> list[Value]:
    """Four elements of the input, as what is multiplied."""
    return [
        f.op("fsub", d[0], d[2]),
        f.op("fadd", d[1], d[2]),
        f.op("fsub", d[2], d[1]),
        f.op("fsub", d[1], d[3]),
    ]


def of_taps(f: Function, g: Sequence[Value]) -> list[Value]:
    """Three taps, as what is multiplied."""
    ends = f.op("fmul", f.op("fadd", g[0], g[2]), 0.5)
    middle = f.op("fmul", g[1], 0.5)
    return [g[0], f.op("fadd", ends, middle), f.op("fsub", ends, middle), g[2]]


def to_results(f: Function, m: Sequence[Value]) -> list[Value]:
    """Two results of four sums of products."""
    return [
        f.op("fadd", f.op("fadd", m[0], m[1]), m[2]),
        f.op("fsub", f.op("fsub", m[1], m[2]), m[3]),
    ]


def of_gradient(f: Function, g: Sequence[Value]) -> list[Value]:
    """Two elements of the results' gradient, as what is multiplied."""
    ends = [f.op("fmul", x, 0.5) for x in g]
    return [g[0], f.op("fadd", ends[0], ends[1]), f.op("fsub", ends[0], ends[1]), g[1]]


def to_taps(f: Function, m: Sequence[Value]) -> list[Value]:
    """The gradient of three taps, of four sums of products."""
    both = f.op("fadd", m[1], m[2])
    return [f.op("fadd", m[0], both), f.op("fsub", m[1], m[2]), f.op("fsub", both, m[3])]


def square(f: Function, line: Line, values: Sequence[Value]) -> list[Value]:
    """A transform of each column and then of each row of a square, row by row."""
    size = round(len(values) ** 0.5)
    columns = [line(f, values[i::size]) for i in range(size)]
    return [v for row in zip(*columns) for v in line(f, row)]
