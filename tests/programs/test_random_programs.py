"""Random programs give on facula what they give on PyTorch: values, facts, gradients, errors.

FACULA_PROGRAMS sets how many are run (400 by default).
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from tests.programs.generator import generate  # noqa: E402 (needs torch)
from tests.programs.program import Program  # noqa: E402
from tests.programs.runner import reduce, run  # noqa: E402

COUNT = int(os.environ.get("FACULA_PROGRAMS", "400"))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def check(program: Program) -> None:
    """Fail with the shortest program that shows the difference."""
    found = run(program)
    if found is not None:
        program, found = reduce(program, found)
        pytest.fail(f"programs differ:\n{program.text()}\n{found}", pytrace=False)


@settings(
    max_examples=COUNT,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # a failing program is shortened line by line instead
    suppress_health_check=list(HealthCheck),
)
@given(st.integers(0, 2**32 - 1))
def test_programs(seed):
    check(generate(seed))
