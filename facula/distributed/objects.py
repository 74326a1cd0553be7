"""Collective operations on Python objects, which are pickled: use them among trusted processes."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from facula.distributed.group import ProcessGroup
from facula.distributed.state import current, get_group_rank


def all_gather_object(object_list: list[Any], obj: Any, group: ProcessGroup | None = None) -> None:
    """Fill a list with the objects of all processes."""
    found = current(group).exchange_bytes(pickle.dumps(obj))
    object_list[: len(found)] = [pickle.loads(data) for data in found]


def gather_object(
    obj: Any,
    object_gather_list: list[Any] | None = None,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    group_dst: int | None = None,
) -> None:
    """Fill a list in process ``dst`` with the objects of all."""
    own = current(group)
    root = group_dst if group_dst is not None else get_group_rank(own, dst or 0)
    found = own.exchange_bytes(pickle.dumps(obj))
    if own.rank() == root:
        if object_gather_list is None:
            raise ValueError(
                "Argument ``object_gather_list`` must be specified on destination rank."
            )
        object_gather_list[: len(found)] = [pickle.loads(data) for data in found]


def broadcast_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: ProcessGroup | None = None,
    device: Any = None,
    group_src: int | None = None,
) -> None:
    """Replace the objects of a list by those of process ``src``."""
    own = current(group)
    root = group_src if group_src is not None else get_group_rank(own, src or 0)
    data = np.frombuffer(pickle.dumps(list(object_list)), np.uint8)
    size = int(own.broadcast(np.asarray([data.size], np.int64), root)[0])
    found = own.broadcast(data if own.rank() == root else np.empty(size, np.uint8), root)
    if own.rank() != root:
        object_list[:] = pickle.loads(found.tobytes())


def scatter_object_list(
    scatter_object_output_list: list[Any],
    scatter_object_input_list: list[Any] | None = None,
    src: int | None = None,
    group: ProcessGroup | None = None,
    group_src: int | None = None,
) -> None:
    """Put this process's object of a list that ``src`` has into the first place of the output."""
    given = [scatter_object_input_list]
    broadcast_object_list(given, src, group, group_src=group_src)
    assert given[0] is not None
    scatter_object_output_list[0] = given[0][current(group).rank()]
