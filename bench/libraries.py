"""The libraries that are compared: which are installed, and how a row is built for each."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Sequence

import numpy as np

# Name in the table: (module, what kinds of networks its file under peers/ can build).
# Those without a file run the same PyTorch program.
LIBRARIES = {
    "facula": ("facula", None),
    "facula.capture": ("facula", None),
    "PyTorch": ("torch", None),
    "torch.compile": ("torch", None),
    "jax.jit": ("jax", ("chain", "resnet", "gpt", "lstm")),
    "TensorFlow": ("tensorflow", ("chain", "resnet")),
    "tinygrad": ("tinygrad", ("chain",)),
}
PEER_FILES = {
    "jax.jit": "peers.with_jax",
    "TensorFlow": "peers.with_tensorflow",
    "tinygrad": "peers.with_tinygrad",
}
OURS, BASE = "facula", "PyTorch"


@functools.cache
def has(python: str, module: str) -> bool:
    """Whether a Python has a module, without importing it."""
    if python == sys.executable:
        return importlib.util.find_spec(module) is not None
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", code], check=False).returncode == 0


def python_of(name: str, pythons: Sequence[str]) -> str | None:
    """The first of ``pythons`` in which a library is installed, or None."""
    if name.startswith("facula"):
        return sys.executable
    module = LIBRARIES[name][0]
    return next((python for python in pythons if has(python, module)), None)


def can_build(name: str, row) -> bool:
    """Whether a row has a program for a library."""
    if name == "facula.capture":
        return row.capture
    if name == "torch.compile":
        return row.compiled
    kinds = LIBRARIES[name][1]
    return kinds is None or (row.peer is not None and row.peer[0] in kinds)


def finisher(name: str) -> Callable[[], None]:
    """What waits for all work of the last step: facula returns when the loss is known."""
    if not name.startswith("facula"):
        return lambda: None
    return importlib.import_module("facula.runtime.recorder").recorder.land


class Kit:
    """What a row's program gets: the library as ``t``, and where the variants differ."""

    def __init__(self, name: str, start: str):
        self.name = name
        self.t = importlib.import_module(LIBRARIES[name][0])
        if name == "facula.capture" and not hasattr(self.t, "capture"):
            raise RuntimeError("this facula has no capture")
        self._start = start

    def step(self, function: Callable) -> Callable:
        """A whole training step; ``facula.capture`` applies here."""
        return self.t.capture(function) if self.name == "facula.capture" else function

    def model(self, network):
        """A network; ``torch.compile`` applies here."""
        return self.t.compile(network) if self.name == "torch.compile" else network

    def begin(self, network, batches) -> None:
        """Write initial weights and batches for the peers that speak another language."""
        if self.name != OURS or not self._start:
            return
        arrays = {f"p{i}": p.detach().numpy() for i, p in enumerate(network.parameters())}
        for i, (x, y) in enumerate(batches):
            arrays[f"x{i}"], arrays[f"y{i}"] = x.numpy(), y.numpy()
        np.savez(self._start, **arrays)


def build(row, name: str, start: str) -> Callable[[], object]:
    """The step function of a row for one library; imports the library."""
    if name not in PEER_FILES:
        kit = Kit(name, start)
        kit.t.manual_seed(0)
        return row.build(kit)
    arrays = np.load(start)
    parameters = [arrays[f"p{i}"] for i in range(sum(k.startswith("p") for k in arrays))]
    count = sum(k.startswith("x") for k in arrays)
    batches = [(arrays[f"x{i}"], arrays[f"y{i}"]) for i in range(count)]
    kind, options = row.peer
    made = getattr(importlib.import_module(PEER_FILES[name]), kind)
    return made(parameters, batches, **options)
