"""What recording costs: microseconds of Python an operation, without computing anything.

The goal is 3 us an operation. PyTorch's column is its eager time for the same call, computing
included: what a user pays there for an operation on a tiny tensor.
"""

from __future__ import annotations

from common import interleaved, machine, optional, report

import facula
from facula.base.flags import flags
from facula.runtime.recorder import recorder

TIMES = 500


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


def recorded(function):
    """Run it, and forget what was recorded before it is computed."""

    def run():
        function()
        if len(recorder.lines) > TIMES:
            recorder.discard()

    return run


def main() -> None:
    print(f"cost of recording one operation ({machine()})")
    flags.nodes = 10 * TIMES
    torch = optional("torch")
    theirs = cases(torch) if torch else {}
    rows = []
    for name, ours in cases(facula).items():
        if torch:
            assert ours().tolist() == theirs[name]().tolist(), name
        functions = {"facula": recorded(ours)}
        if torch:
            functions["torch"] = theirs[name]
        found = interleaved(functions, TIMES)
        recorder.discard()
        rows.append((name, found["facula"] * 1e6, found["torch"] * 1e6 if torch else None, "us"))
    report(rows)


if __name__ == "__main__":
    main()
