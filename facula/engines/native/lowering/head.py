"""How many steps of a plan have to be done before Python goes on; the others are its tail.

Python reads few of the results of a step of training: the loss. While it prepares the next step, a
worker does what is left, such as the gradients and the update of the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

from facula.engines.native.lowering.plan import Plan

WORTH = 6_000.0  # ns of work that are worth being handed to a worker
FEW, LONG = 8, 100_000.0  # chunks of so many ns, for which a thread that comes late may wait
ENOUGH = 500_000.0  # ns of work during which Python can prepare a step


def head(plan: Plan) -> int:
    """Steps until all scalars are known that are not new values of inputs, and all errors."""
    first = len(plan.inputs)
    renewed = {output for _, output in plan.donors}
    scalars = {
        first + i for i, n in enumerate(plan.outputs) if not n.spec.shape and i not in renewed
    }
    found = 0
    checked: set[tuple[int, int]] = set()
    for number, step in enumerate(plan.steps):
        written = {step.operands[place] for place in step.writes}
        # The gradient of an embedding writes where the embedding itself has read.
        finds = plan.status in step.operands and not (
            step.checks and checked.issuperset(step.checks)
        )
        checked.update(step.checks)
        if finds or written & scalars:
            found = number + 1
    found = _balanced(plan, found)
    return found if _work(plan, found) >= WORTH else len(plan.steps)


def _balanced(plan: Plan, found: int) -> int:
    """A head that includes work that two threads do well only if they begin it together.

    A worker that has begun one of two long chunks alone waits for whoever takes the other one late.
    """
    for number in range(len(plan.steps), found, -1):
        kernel = plan.steps[number - 1].kernel
        long = 1 < kernel.chunks <= FEW and kernel.cost / kernel.chunks >= LONG
        if long and _work(plan, number) >= ENOUGH:
            return number
    return found


def _work(plan: Plan, first: int) -> float:
    return sum([step.kernel.cost for step in plan.steps[first:]])


def late(plan: Plan, head: int) -> Sequence[int]:
    """The outputs that are not complete after the head."""
    first, stop = len(plan.inputs), len(plan.inputs) + len(plan.outputs)
    written = {step.operands[place] for step in plan.steps[head:] for place in step.writes}
    return [slot - first for slot in sorted(written) if first <= slot < stop]
