"""Starts the command line in a process of its own, as a user does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def python(tmp_path):
    """Runs Python with facula importable in a scratch folder; gives the completed process."""

    def run(*arguments):
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=tmp_path,
            env=dict(os.environ, PYTHONPATH=path, COLUMNS="100"),
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def facula_command(python):
    """Runs `python -m facula ...` in the same way."""
    return lambda *arguments: python("-m", "facula", *arguments)
