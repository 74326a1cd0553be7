"""``torch.multiprocessing``: the standard module plus ``spawn``; tensors travel by value.

PyTorch shares tensors between processes; here each process gets a copy of the values, so writing to
a tensor in one process is not seen by another.
"""

from __future__ import annotations

import multiprocessing as _standard
from multiprocessing import *

from facula.multiprocessing.spawn import ProcessContext as ProcessContext
from facula.multiprocessing.spawn import ProcessException as ProcessException
from facula.multiprocessing.spawn import ProcessExitedException as ProcessExitedException
from facula.multiprocessing.spawn import ProcessRaisedException as ProcessRaisedException
from facula.multiprocessing.spawn import SpawnContext as SpawnContext
from facula.multiprocessing.spawn import spawn as spawn
from facula.multiprocessing.spawn import start_processes as start_processes

__all__ = [  # noqa: PLE0604 (the standard module's names are strings)
    *_standard.__all__,
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "set_sharing_strategy",
    "spawn",
    "start_processes",
]

_strategies = {"file_descriptor", "file_system"}
_strategy = {"current": "file_descriptor"}


def get_all_sharing_strategies() -> set[str]:
    """Names that ``set_sharing_strategy`` accepts."""
    return set(_strategies)


def get_sharing_strategy() -> str:
    """The strategy that was set; values are copied whatever it is."""
    return _strategy["current"]


def set_sharing_strategy(new_strategy: str) -> None:
    """Choose how PyTorch would share tensors: remembered, without effect."""
    if new_strategy not in _strategies:
        raise AssertionError(f"unknown sharing strategy {new_strategy!r}")
    _strategy["current"] = new_strategy
