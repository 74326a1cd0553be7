"""The Engine protocol: what the runtime asks of whatever computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from facula.base.dtypes import dtype
from facula.graph.node import Node


class Executable(Protocol):
    """A compiled program."""

    def run(self, buffers: Sequence[Any]) -> list[Any]:
        """The outputs for these inputs. A Python number may stand for a weak input."""
        ...


class Engine(Protocol):
    """Compiles programs and moves arrays in and out; buffers are opaque to the runtime."""

    name: str

    def compile(self, nodes: Sequence[Node], outputs: Sequence[Node]) -> Executable:
        """Make ``nodes`` (inputs first, in order) runnable."""
        ...

    def upload(self, array: np.ndarray, dtype: dtype) -> Any:
        """A buffer with these values; the array must not change afterwards."""
        ...

    def download(self, buffer: Any) -> np.ndarray:
        """The buffer's values as a NumPy array, not to be written to."""
        ...
