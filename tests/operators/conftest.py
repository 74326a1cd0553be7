"""Operators get functions of their own from the second call on, so that the tests here use them."""

import sys

import pytest

import facula  # noqa: F401 (its operators are meant)


@pytest.fixture(autouse=True, scope="package")
def written_at_once():
    module = sys.modules["facula.operators.operator"]
    before, module._OFTEN = module._OFTEN, (2, *module._OFTEN)
    yield
    module._OFTEN = before
