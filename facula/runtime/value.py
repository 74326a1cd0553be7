"""Value: what a tensor holds. Either pending in the recorded program, or computed."""

from __future__ import annotations

from typing import Any

from facula.graph.spec import Spec


class Value:
    """An immutable result: ``buffer`` is None until it has been computed.

    ``epoch`` and ``position`` say where the value stands in the program being recorded; they mean
    nothing once that program has been run, because the epoch has moved on.
    """

    __slots__ = ("buffer", "epoch", "position", "spec")

    def __init__(self, spec: Spec, buffer: Any = None, epoch: int = -1, position: int = -1):
        self.spec = spec
        self.buffer = buffer
        self.epoch = epoch
        self.position = position
