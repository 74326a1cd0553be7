"""Which engine runs a program: counts sightings and estimates work, never looks at a clock.

A program seen for the first time is interpreted at once, so that a line in a REPL never waits for
a compiler; seen again, or large, it is compiled. Where many programs take turns, as with texts of
all lengths, one is compiled when its runs have cost as much as that, and meanwhile the blocks that
they share are.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from facula.base.flags import flags
from facula.engines.protocol import Engine
from facula.engines.registry import Unavailable, engine
from facula.graph.node import Node
from facula.graph.primitives import recurrence

LARGE = 3e7  # estimated nanoseconds on the reference engine from which compiling pays at once
COMPILING = 3e8  # nanoseconds that compiling a program takes, roughly
EACH = 2e5  # and at least so many for each of its blocks
OFTEN = 8  # programs that were seen once and share a block, before the block is compiled by itself
ENOUGH = 32  # sightings from which a program that comes again rarely is compiled as a whole
FAR = 64  # it comes again rarely if more programs that are not compiled ran in between,
NEAR = 8  # and this is for programs of blocks that are compiled
BLOCKS = "block-by-block"  # how such a program is run; not an engine of its own
_REFERENCE, _NATIVE = "reference", "native"


class _State:
    """What is known about the native engine, and whether everything is compiled for it."""

    native_works = True
    at_once = False


_state = _State()


@contextlib.contextmanager
def compiling_at_once() -> Iterator[None]:
    """Within it a program is compiled when it is first seen.

    Engines round differently in the last bits: a run that is interrupted and resumed gives the
    same bits only if every program is computed by the same engine in both.
    """
    before, _state.at_once = _state.at_once, True
    try:
        yield
    finally:
        _state.at_once = before


def engine_for(nodes: Sequence[Node], sightings: int) -> Engine:
    """The engine for a program that is run for the ``sightings``-th time."""
    return engine(_choose(nodes, sightings))


def may_be_last(sightings: int, since: int) -> bool:
    """Whether a program may not come again soon: then the less is made of it the better.

    ``since`` is how many others that were not compiled yet ran since it did. One of many comes
    again rarely, as a text of the same length does in the next epoch.
    """
    if flags.engine or flags.compare or _state.at_once:
        return False
    rare = sightings < ENOUGH and since > NEAR
    # The native engine is not asked for: loading it takes longer than a first line in a REPL.
    return (sightings == 1 or rare) and _state.native_works


def is_enough(used: str, sightings: int, since: int) -> bool:
    """Whether a program that may not come again soon stays with ``used``, what runs its blocks.

    Compiling it costs as much as dozens of its runs, or more if its blocks are compiled already.
    """
    return used == BLOCKS or sightings == 1 or since > FAR


def is_worth_compiling(nanoseconds: float, blocks: int, sightings: int) -> bool:
    """Whether a program of so much :func:`work` is compiled although it may not come again soon.

    Many small blocks take long to compile together, and less to run one by one.
    """
    if sightings == 1:
        return nanoseconds > max(LARGE, EACH * blocks)
    return nanoseconds * sightings > max(COMPILING, EACH * blocks)


def compiler() -> Any:
    """The engine that compiles single blocks; None if there is none."""
    return engine(_NATIVE) if _best() == _NATIVE else None


def is_for_now(used: str) -> bool:
    """Whether a program that engine ``used`` has run deserves a better one when it comes again."""
    if flags.engine == _REFERENCE:
        return False
    return used in (_REFERENCE, BLOCKS) and _state.native_works


def _choose(nodes: Sequence[Node], sightings: int) -> str:
    best = _best()
    if best == _REFERENCE or flags.engine or _state.at_once:
        return best
    return best if sightings > 1 or work(nodes) > LARGE else _REFERENCE


def _best() -> str:
    """The fastest engine that can be used; says once why it is not the native one."""
    if flags.engine == _REFERENCE or not _state.native_works:
        return _REFERENCE
    try:
        engine(_NATIVE)
    except Unavailable as reason:
        _state.native_works = False
        warnings.warn(f"facula computes with NumPy, which is slower: {reason}", stacklevel=2)
        return _REFERENCE
    return _NATIVE


def work(nodes: Sequence[Node]) -> float:
    """Nanoseconds the reference engine needs for a program, roughly."""
    total = 0.0
    for node in nodes:
        numel = getattr(node.spec, "numel", 0)
        total += 2000 + numel
        if node.primitive.kind == "contraction":
            total += _multiplications(node) / 20
        elif node.primitive.kind == "recurrence":
            specs = [n.spec for n in node.inputs]
            total += recurrence.multiplications(specs, node.params) / 20
        elif node.primitive.kind == "attention":
            first = len(node.inputs[0].spec.shape) == 1  # what the gradient reads
            queries, keys = (n.spec for n in node.inputs[first : first + 2])
            total += queries.numel * keys.shape[2] * (4 if first else 2) / 10
    return total


def _multiplications(node: Node) -> int:
    a, b = (n.spec for n in node.inputs)
    match node.primitive.name:
        case "matmul":
            return node.spec.numel * a.shape[-1]
        case "conv":
            return node.spec.numel * prod(b.shape[1:])
        case "conv_input_grad":
            return a.numel * prod(b.shape[1:])
    return a.numel * prod(node.spec.shape[1:])
