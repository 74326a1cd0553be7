"""Says what a plan does, kernel by kernel."""

from __future__ import annotations

import numpy as np

from facula.engines.native.lowering.plan import Plan, Step
from facula.graph.node import INPUT

_MOST_NAMES = 8


def describe(plan: Plan, nanoseconds: np.ndarray | None) -> str:
    """A line for each kernel; ``nanoseconds`` are what each took, if that was measured."""
    sizes = _sizes(plan)
    total = float(nanoseconds.sum()) if nanoseconds is not None else 0.0
    head = f"{len(plan.steps)} kernels, {plan.arena:,} bytes of temporaries"
    if total and nanoseconds is not None:
        head += f", {total / 1e3:,.1f} us"
    rows = [("kernel", "bytes", "flops", "us", "share", "computes")]
    for i, step in enumerate(plan.steps):
        us = share = ""
        if total and nanoseconds is not None:
            us, share = f"{nanoseconds[i] / 1e3:.1f}", f"{nanoseconds[i] / total:.0%}"
        moved = sum(sizes.get(slot, 0) for slot in step.operands)
        rows.append((step.kernel.kind, f"{moved:,}", f"{_flops(step):,}", us, share, _words(step)))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *[row[i].rjust(widths[i]) for i in range(1, 5)], row[5]]
        )
        for row in rows
    ]
    return "\n".join([head, *lines])


def _sizes(plan: Plan) -> dict[int, int]:
    """Bytes of each buffer of the plan."""
    found = {slot: temporary.nbytes for slot, temporary in plan.temporaries.items()}
    for slot, node in enumerate([*plan.inputs, *plan.outputs]):
        weak = node.spec.weak and node.primitive is INPUT
        found[slot] = 8 if weak else node.spec.numel * node.spec.dtype.numpy.itemsize
    found.update({slot: array.nbytes for slot, array in plan.constants.items()})
    return found


def _flops(step: Step) -> int:
    """Floating-point operations, a multiplication and an addition counted as two."""
    return int(step.kernel.flops)


def _words(step: Step) -> str:
    """The operations that were fused, and the user's lines they come from."""
    names = [node.primitive.name for node in step.nodes]
    text = " ".join(names[:_MOST_NAMES]) + (" ..." if len(names) > _MOST_NAMES else "")
    lines = dict.fromkeys([str(n.source) for n in step.nodes if n.source])
    return f"{text}  # {', '.join(lines)}" if lines else text
