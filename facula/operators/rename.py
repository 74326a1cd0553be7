"""Gives generated functions the name and docstring they are known by."""

from __future__ import annotations


def renamed(function, name: str, doc: str = ""):
    """``function`` called ``name`` with the docstring ``doc``."""
    function.__name__ = function.__qualname__ = name
    if doc:
        function.__doc__ = doc
    return function
