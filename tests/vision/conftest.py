"""Fixtures of the vision tests: the folder of the real data, and the recorded values."""

import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from data_root import data_root  # noqa: E402


@pytest.fixture(scope="session")
def real_data():
    root = data_root()
    if root is None:
        pytest.skip("no image data: set FACULA_DATA to an unpacked root")
    return root


@pytest.fixture(scope="session")
def recorded():
    return json.loads((HERE / "recorded_vision.json").read_text())
