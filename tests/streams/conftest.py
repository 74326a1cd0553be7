"""Every test of the streams runs with NumPy's numbers and with those of machine code."""

import pytest

from facula.base.flags import flags
from facula.engines.registry import Unavailable, random_functions
from facula.runtime.streams import machine


@pytest.fixture(autouse=True, params=["numpy", "machine"])
def maker(request, monkeypatch):
    """Who makes the numbers."""
    if request.param == "numpy":
        monkeypatch.setattr(flags, "engine", "reference")
        return
    try:
        random_functions()("draws")
    except Unavailable as reason:
        pytest.skip(str(reason))
    monkeypatch.setattr(flags, "engine", "native")
    monkeypatch.setattr(machine, "ENOUGH", 0)
