"""What recording costs: microseconds of Python an operation, without computing anything.

The goal is 3 us an operation. PyTorch's column is its eager time for the same call, computing
included: what a user pays there for an operation on a tiny tensor.
"""

from __future__ import annotations

import statistics

from common import machine, optional, report, seconds

import facula
from facula.base.flags import flags
from facula.runtime.recorder import recorder

TIMES, ROUNDS = 500, 15


def cases(t):
    x = t.ones(2, 3)
    w = t.ones(2, 3, requires_grad=True)
    return {
        "x * x": lambda: x * x,
        "x * 2.0": lambda: x * 2.0,
        "relu(x)": lambda: t.relu(x),
        "x.sum()": lambda: x.sum(),
        "x.view(3, 2)": lambda: x.view(3, 2),
        "x[0]": lambda: x[0],
        "w * w, with gradient": lambda: w * w,
        "w * 2.0, with gradient": lambda: w * 2.0,
        "relu(w), with gradient": lambda: t.relu(w),
    }


def measured(ours, theirs):
    """Median seconds of a call of each; what was recorded is forgotten between the rounds."""
    found = {"facula": [], "torch": []}
    for _ in range(ROUNDS):
        found["facula"].append(seconds(ours, TIMES))
        recorder.discard()
        if theirs is not None:
            found["torch"].append(seconds(theirs, TIMES))
    return {name: statistics.median(times) for name, times in found.items() if times}


def main() -> None:
    print(f"cost of recording one operation ({machine()})")
    flags.nodes = 10 * TIMES
    torch = optional("torch")
    theirs = cases(torch) if torch else {}
    rows = []
    for name, ours in cases(facula).items():
        if torch:
            assert ours().tolist() == theirs[name]().tolist(), name
        found = measured(ours, theirs.get(name))
        rows.append((name, found["facula"] * 1e6, found["torch"] * 1e6 if torch else None, "us"))
    report(rows)


if __name__ == "__main__":
    main()
