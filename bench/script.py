"""The whole CIFAR-10 tutorial script, start to end, under facula and under PyTorch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from families.data import folder as data_folder
from libraries import BASE, OURS, has
from turns import environment

HERE = Path(__file__).resolve().parent
PROGRAM = HERE.parents[1] / "shared" / "seeds" / "programs" / "s0_cifar10.py"
LIMIT = 1800.0


def _once(name: str, python: str, code: str) -> dict:
    """Seconds, final running loss and accuracy of one run."""
    with tempfile.TemporaryDirectory(prefix="facula-bench-") as scratch:
        Path(scratch, "script.py").write_text(code)
        os.symlink(data_folder(), Path(scratch, "data"))
        env = {**environment(scratch), "MPLBACKEND": "Agg", "PYTHONWARNINGS": "ignore"}
        command = [python, "-m", "facula", "run", "script.py"]
        stand_in = False
        if name == BASE:
            command = [python, "script.py"]
            stand_in = not has(python, "torchvision")
        if stand_in:
            env["PYTHONPATH"] = os.pathsep.join([str(HERE / "standins"), env["PYTHONPATH"]])
        begun = time.perf_counter()
        done = subprocess.run(
            command, cwd=scratch, env=env, capture_output=True, text=True, timeout=LIMIT,
            check=False,
        )  # fmt: skip
        taken = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return {
        "seconds": taken,
        "loss": float(re.findall(r"loss: ([\d.]+)", done.stdout)[-1]),
        "accuracy": int(re.findall(r"test images: (\d+) %", done.stdout)[-1]),
        "stand_in": stand_in,
    }


def run(seeds: int, torch_python: str | None) -> dict[str, list[dict]]:
    """Runs of each library by seed, taking turns; the program is unmodified but for its seed."""
    if not PROGRAM.is_file() or data_folder() is None:
        raise RuntimeError(f"needs {PROGRAM} and the CIFAR-10 files (FACULA_DATA)")
    code = PROGRAM.read_text(encoding="utf-8")
    found: dict[str, list[dict]] = {}
    for seed in range(seeds):
        seeded = code.replace("torch.manual_seed(0)", f"torch.manual_seed({seed})")
        for name, python in ((OURS, sys.executable), (BASE, torch_python)):
            if python:
                found.setdefault(name, []).append(_once(name, python, seeded))
                print(f"  seed {seed}, {name}: {found[name][-1]}", flush=True)
    return found
