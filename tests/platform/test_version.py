"""``torch.__version__`` compares as PyTorch's does."""

from __future__ import annotations

import itertools
import operator
import pickle

import pytest

import facula
from facula.version import TorchVersion

VERSIONS = [
    "1.0", "1", "1.0.0", "1.10", "1.9.1", "2.0.0a1", "2.0.0rc2", "2.0.0.dev20240101", "2.0.0",
    "2.0.0+cpu", "2.0.0+cu118", "2.0.0+5", "2.0.0.post1", "2.0.0.post1.dev2", "v2.0.0", "2.0.0-1",
    "2.0.0a1.dev3", "parrot", "2.x", "",
]  # fmt: skip
OTHERS = [(1, 8), (2,), [2, 0, 0], (2, 0, "0a1"), None, 1.5]
COMPARISONS = [operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge]


def _result(compare, a, b):
    try:
        return compare(a, b)
    except TypeError:
        return TypeError


def test_order_is_pytorchs():
    reference = pytest.importorskip("torch").torch_version.TorchVersion
    for a, b in itertools.product(VERSIONS, [*VERSIONS, *OTHERS]):
        for compare in COMPARISONS:
            expected = _result(compare, reference(a), b)
            assert _result(compare, TorchVersion(a), b) == expected, (a, compare, b)


def test_own_version():
    version = facula.__version__
    assert isinstance(version, str)
    assert version > (1, 8)
    assert version >= "1.10"
    assert version.startswith("2.13")
    assert {version: 1}[str(version)] == 1
    assert type(pickle.loads(pickle.dumps(version))) is TorchVersion
