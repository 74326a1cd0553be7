"""Runs README.md's MNIST script in full and checks its accuracy (98.5 %) and time (180 s).

usage: python bench/mnist_readme.py FOLDER    (FOLDER/data/MNIST/raw holds the files, or will)
"""

import contextlib
import io
import os
import re
import sys
import time
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


class _Echo(io.StringIO):
    """Keeps what is printed and shows it at once."""

    def write(self, text: str) -> int:
        sys.__stdout__.write(text)
        sys.__stdout__.flush()
        return super().write(text)


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    code = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    os.chdir(sys.argv[1])
    started, printed = time.perf_counter(), _Echo()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    seconds = time.perf_counter() - started
    accuracy = float(re.findall(r"test accuracy ([\d.]+)%", printed.getvalue())[-1])
    print(f"{accuracy:.2f} % (at least 98.5), {seconds:.0f} s (at most 180)")
    return 0 if accuracy >= 98.5 and seconds <= 180 else 1


if __name__ == "__main__":
    sys.exit(main())
