"""Tests of capturing run on one engine throughout: which one runs a program depends on how often
it was seen, and engines round differently."""

import pytest

from facula.base.flags import flags
from facula.engines.registry import Unavailable
from facula.engines.registry import engine as load
from facula.runtime import plans


@pytest.fixture(autouse=True)
def engine(request, monkeypatch):
    """The engine in use; "reference" unless a test asks for another."""
    name = getattr(request, "param", "reference")
    try:
        load(name)
    except Unavailable as reason:
        pytest.skip(str(reason))
    monkeypatch.setattr(flags, "engine", name)
    plans.forget()
    yield name
    plans.forget()
