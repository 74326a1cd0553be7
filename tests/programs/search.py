"""Runs many random programs and prints each kind of difference once, reduced.

python -m tests.programs.search FIRST COUNT
"""

from __future__ import annotations

import sys
import time

import torch

from tests.programs.generator import generate
from tests.programs.runner import reduce, run, signature


def main() -> int:
    torch.set_num_threads(1)
    first, count = int(sys.argv[1]), int(sys.argv[2])
    seen: dict[str, int] = {}
    start, lines = time.time(), 0
    for seed in range(first, first + count):
        program = generate(seed)
        lines += len(program.lines)
        found = run(program)
        if found is None:
            continue
        program, found = reduce(program, found)
        key = signature(found)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 1:
            print(f"---- {key}\n{program.text()}\n=> {found}\n", flush=True)
    wrong = sum(seen.values())
    print(f"{count} programs, {lines} lines, {wrong} differ, {time.time() - start:.0f} s")
    for key, times in sorted(seen.items(), key=lambda x: -x[1]):
        print(times, key)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
