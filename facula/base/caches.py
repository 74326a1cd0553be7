"""Bounded caches: what was traced for one kind of call is kept, but never without limit."""

from __future__ import annotations

import weakref

# By identity: a cache goes when its owner goes.
_caches: weakref.WeakValueDictionary[int, Cache] = weakref.WeakValueDictionary()


class Cache(dict):
    """A dictionary that is emptied when it has grown to ``limit`` entries.

    All of them are emptied together by :func:`forget`, when a setting changes that traces
    depend on.
    """

    def __init__(self, limit: int):
        super().__init__()
        self.limit = limit
        _caches[id(self)] = self

    def put(self, key, value):
        """Remember ``value``; returns it."""
        if len(self) >= self.limit:
            self.clear()
        self[key] = value
        return value


forgotten = [0]  # how often :func:`forget` was called, for what is remembered outside of caches


def forget() -> None:
    """Empty every cache."""
    forgotten[0] += 1
    for cache in list(_caches.values()):
        cache.clear()
