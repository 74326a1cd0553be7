"""Finds the real image data for tests: MNIST and CIFAR-10 as torchvision lays them out."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


@functools.lru_cache(maxsize=1)
def data_root() -> Path | None:
    """Returns a folder with MNIST/raw and cifar-10-batches-py, or None where there is no data.

    That is $FACULA_DATA where it is set; else what the unpack script in ../shared/data (beside the
    repository) lays out in a cache folder, which takes a few seconds once.
    """
    named = os.environ.get("FACULA_DATA")
    if named:
        return Path(named) if Path(named).is_dir() else None
    script = REPOSITORY.parent / "shared" / "data" / "unpack.py"
    if not script.is_file():
        return None
    user = os.getuid() if hasattr(os, "getuid") else "user"
    cache = Path(tempfile.gettempdir()) / f"facula-test-data-{user}"
    cache.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(script), str(cache)], capture_output=True, text=True, check=False
    )
    return cache if done.returncode == 0 else None
