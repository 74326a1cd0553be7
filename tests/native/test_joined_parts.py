"""Parts of an array joined again: only where they come back to their places nothing is copied."""

from __future__ import annotations

import numpy as np
import pytest

from facula.base.dtypes import float32
from facula.engines.native.engine import NativeEngine
from facula.engines.native.lowering.patterns import rewrite
from facula.graph.node import apply, input_node
from facula.graph.primitives.movement import concat, permute, reshape, slice_
from facula.graph.spec import spec

B, L, H, E = 2, 5, 3, 4


class Program:
    """Three parts of one array (B, L, 3, H, E), each with its axes turned, joined along the last.

    ``turned`` turns (B, L, H, E) of a part; ``order`` is that of the parts.
    """

    def __init__(self, turned=(0, 1, 2, 3), order=(0, 1, 2), size=3):
        self.nodes = []
        self.flat = input_node(spec((B * L * 3 * H * E,), float32))
        self.array = np.random.default_rng(0).standard_normal(B * L * 3 * H * E).astype(np.float32)
        whole = self._new(reshape, self.flat, shape=(B, L, 3, H * E))
        cube, parts, wanted = self.array.reshape(B, L, 3, H, E), [], []
        for number in order[:size]:
            start, stop = (0, 0, number, 0), (B, L, number + 1, H * E)
            part = self._new(slice_, whole, start=start, stop=stop, step=(1,) * 4)
            part = self._new(reshape, part, shape=(B, L, H, E))
            part = self._new(permute, part, axes=turned)
            a, b, c, d = part.spec.shape
            parts.append(self._new(reshape, part, shape=(a, b, c * d)))
            wanted.append(cube[:, :, number].transpose(turned).reshape(a, b, c * d))
        self.output = self._new(concat, *parts, axis=2)
        self.expected = np.concatenate(wanted, 2)

    def _new(self, primitive, *operands, **params):
        self.nodes.append(apply(primitive, operands, params))
        return self.nodes[-1]

    @property
    def all(self):
        return [self.flat, *self.nodes]

    def copies(self) -> bool:
        nodes, _ = rewrite(self.all, [self.output])
        return any(n.primitive is concat for n in nodes)

    def check(self) -> None:
        (found,) = NativeEngine().compile(self.all, [self.output]).run([self.array])
        np.testing.assert_array_equal(np.asarray(found), self.expected)


def test_all_parts_in_their_places():
    program = Program()
    assert not program.copies()
    program.check()


@pytest.mark.parametrize(
    "program",
    [
        Program(order=(0, 2, 1)),
        Program(order=(0, 1, 1)),
        Program(turned=(1, 0, 2, 3)),
        Program(turned=(0, 2, 1, 3)),
        Program(turned=(0, 1, 3, 2)),
        Program(size=2),
        Program(order=(1, 2), size=2),
    ],
)
def test_other_parts_are_copied(program):
    assert program.copies()
    program.check()
