"""``facula.explain``: the program behind a tensor, or the programs that a function runs."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from facula.autograd.handle import TensorBase
from facula.base.flags import flags
from facula.graph.node import INPUT
from facula.graph.passes import live_nodes
from facula.graph.text import program_text
from facula.runtime import plans, tiers
from facula.runtime.differences import why_new
from facula.runtime.plans import Plan
from facula.runtime.recorder import recorder
from facula.runtime.watch import watching


def explain(what: Any, *args: Any, **kwargs: Any) -> str:
    """The recorded program that will compute a tensor, one line an operation.

    A tensor that has been computed already has no program left; that is said instead. Given a
    function, it is called twice with the arguments, and the text shows the programs it ran: how
    large they are, which engine ran them, the kernels the engine made of them, and, for a program
    that was compiled again, what differs from the most similar one.

    >>> import facula as torch
    >>> x = torch.arange(3)
    >>> print(torch.explain(x * 2).split("  #")[0].splitlines()[0])
    %0: i64[3] = input
    >>> print(torch.explain(lambda: (x * 2).tolist()).splitlines()[0])
    first call: 1 program
    """
    if not isinstance(what, TensorBase):
        return _explain_call(what, args, kwargs)
    what._sync()
    recorder.land()
    value = what._value
    if value.buffer is not None:
        return f"{value.spec}: computed already, nothing is pending"
    specs = [given.spec for given in recorder.inputs]
    nodes, place = plans.decode(recorder.key, specs, recorder.calls, recorder.lines)
    output = place[value.position]
    kept = live_nodes(nodes, [output])
    needed = {n for node in kept for n in node.inputs} | {output}
    kept = [n for n in kept if n in needed or n.inputs]
    return program_text(kept, [output])


class _Run:
    """One program that ran: the plan, and why it was new if it was."""

    __slots__ = ("new", "plan", "sightings", "why")

    def __init__(self, plan: Plan):
        self.plan = plan
        self.sightings = plan.sightings + 1
        self.new = plan.sightings == 0
        self.why = why_new(plan, plans.known()) if self.new else []


def _explain_call(function: Callable, args: tuple, kwargs: dict) -> str:
    recorder.flush()
    calls: list[list[_Run]] = []
    for _ in range(2):
        runs: list[_Run] = []
        calls.append(runs)

        def run(plan, buffers, go, runs=runs):
            runs.append(_Run(plan))
            with getattr(plan.executable, "timed", contextlib.nullcontext)():
                return go(plan, buffers)

        with watching(run):
            result = function(*args, **kwargs)
            recorder.flush()
        del result
    return "\n".join(_report(calls))


def _report(calls: list[list[_Run]]) -> list[str]:
    """The programs of each call; a program's kernels where it is mentioned for the last time."""
    numbers: dict[int, int] = {}
    last = {id(each.plan): each for runs in calls for each in runs}
    parts = []
    for name, runs in zip(("first", "second"), calls, strict=True):
        count = len(runs)
        parts.append(f"{name} call: {count} program{'' if count == 1 else 's'}")
        for each in runs:
            parts.extend(_describe(each, numbers, last[id(each.plan)] is each))
    return parts


def _describe(run: _Run, numbers: dict[int, int], whole: bool) -> list[str]:
    """A few lines on a program, and its kernels if the ``whole`` of it is to be shown."""
    plan = run.plan
    number = numbers.setdefault(id(plan), len(numbers) + 1)
    inputs = sum(node.primitive is INPUT for node in plan.nodes)
    head = (
        f"  program {number}: {len(plan.nodes) - inputs} operations, {inputs} inputs, "
        f"{len(plan.outputs)} results, {plan.engine} engine, seen {run.sightings} times"
    )
    lines = [head]
    if run.new:
        lines.append("    new" + (", unlike the most similar one:" if run.why else ""))
        lines += [f"      {reason}" for reason in run.why]
    if whole:
        lines += [f"    {line}" for line in _kernels(plan)]
    return lines


def _kernels(plan: Plan) -> list[str]:
    """What the engine made of a program; without an engine's own words, a summary of it."""
    describe = getattr(plan.executable, "describe", None)
    if describe is not None:
        return describe().splitlines()
    nodes = [node for node in plan.nodes if node.primitive is not INPUT]
    outside = [n for n in plan.nodes if n.primitive is INPUT] + plan.outputs
    moved = sum(getattr(node.spec, "nbytes", 0) for node in outside)
    counts = Counter(node.primitive.name for node in nodes)
    text = ", ".join([f"{n} {name}" for name, n in counts.most_common(12)])
    where = list(dict.fromkeys(str(node.source) for node in nodes if node.source))
    lines = [f"{moved:,} bytes in and out, {tiers.work(nodes) / 1e3:,.0f} us of work (estimate)"]
    lines.append(text + (" ..." if len(counts) > 12 else ""))
    if where:
        lines.append(f"lines {', '.join(where[:8])}{' ...' if len(where) > 8 else ''}")
    return lines


@contextlib.contextmanager
def eager_mode(enabled: bool = True):
    """Within it every operation runs at once: slower, for debugging."""
    before, flags.eager = flags.eager, enabled
    try:
        yield
    finally:
        flags.eager = before
