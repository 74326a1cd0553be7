"""``facula.explain``: the program behind a tensor, with the user's lines."""

from __future__ import annotations

import contextlib

from facula.base.flags import flags
from facula.graph.passes import live_nodes
from facula.graph.text import program_text
from facula.runtime import plans
from facula.runtime.recorder import recorder


def explain(tensor) -> str:
    """The recorded program that will compute a tensor, one line an operation.

    A tensor that has been computed already has no program left; that is said instead.

    >>> import facula as torch
    >>> x = torch.arange(3)
    >>> print(torch.explain(x * 2).split("  #")[0].splitlines()[0])
    %0: i64[3] = input
    """
    tensor._sync()
    value = tensor._value
    if value.buffer is not None:
        return f"{value.spec}: computed already, nothing is pending"
    nodes, place = plans.decode(recorder.key, recorder.inputs, recorder.calls, recorder.lines)
    output = place[value.position]
    kept = live_nodes(nodes, [output])
    needed = {n for node in kept for n in node.inputs} | {output}
    kept = [n for n in kept if n in needed or n.inputs]
    return program_text(kept, [output])


@contextlib.contextmanager
def eager_mode(enabled: bool = True):
    """Within it every operation runs at once: slower, for debugging."""
    before, flags.eager = flags.eager, enabled
    try:
        yield
    finally:
        flags.eager = before
