"""The process group of this process: how it begins and ends, and questions about it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlparse

from facula.distributed.group import ProcessGroup, RedOpType
from facula.distributed.mesh import Mesh
from facula.distributed.store import (
    DEFAULT_TIMEOUT,
    FileStore,
    PrefixStore,
    Store,
    TCPStore,
)
from facula.nn.parallel.distributed import use_communicator
from facula.utils.data.distributed import use_process_group

_NOT_INITIALIZED = (
    "Default process group has not been initialized, please make sure to call init_process_group."
)


class Backend(str):
    """The name of a backend: facula has one, ``gloo``, over TCP."""

    GLOO, NCCL, MPI, UCC = "gloo", "nccl", "mpi", "ucc"
    backend_list = ["gloo"]


class _World:
    """The mesh of connections and the groups made over it."""

    def __init__(self) -> None:
        self.mesh: Mesh | None = None
        self.default: ProcessGroup | None = None
        self.groups = 0
        self.runs = 0
        self.store: Store | None = None


world = _World()


class _GroupMemberType(type):
    @property
    def WORLD(cls):
        """The group of all processes; None before init_process_group."""
        return world.default


class GroupMember(metaclass=_GroupMemberType):
    """``WORLD`` is the group of all processes; NON_GROUP_MEMBER stands for "not one of them"."""

    NON_GROUP_MEMBER = -100


class group(metaclass=_GroupMemberType):
    """``group.WORLD`` is the group of all processes."""


def current(group: ProcessGroup | None = None) -> ProcessGroup:
    """The group given, or that of all processes."""
    if group is not None:
        return group
    if world.default is None:
        raise ValueError(_NOT_INITIALIZED)
    return world.default


def _environment(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ValueError(
            "Error initializing torch.distributed using env:// rendezvous: environment variable "
            f"{name} expected, but not set"
        )
    return value


def _from_environment(rank: int, world_size: int, timeout) -> tuple[Store | None, int, int]:
    rank = int(_environment("RANK")) if rank < 0 else rank
    world_size = int(_environment("WORLD_SIZE")) if world_size < 0 else world_size
    host, port = _environment("MASTER_ADDR"), int(_environment("MASTER_PORT"))
    if world_size == 1:
        return None, rank, world_size
    return _tcp(host, port, rank, world_size, timeout), rank, world_size


def _tcp(host: str, port: int, rank: int, world_size: int, timeout) -> Store:
    return TCPStore(host, port, world_size, rank == 0, timeout)


def _rendezvous(init_method: str, rank: int, world_size: int, timeout):
    """(store, rank, world size) from ``env://``, ``tcp://host:port`` or ``file:///path``."""
    parts = urlparse(init_method)
    if parts.scheme == "env":
        return _from_environment(rank, world_size, timeout)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    rank = int(query["rank"]) if rank < 0 and "rank" in query else rank
    world_size = int(query["world_size"]) if "world_size" in query else world_size
    for name, value in (("rank", rank), ("world size", world_size)):
        if value < 0:
            raise ValueError(
                f"Error initializing torch.distributed using {parts.scheme}:// rendezvous: {name} "
                "parameter missing"
            )
    if parts.scheme == "tcp":
        if not parts.port:
            raise ValueError(
                "Error initializing torch.distributed using tcp:// rendezvous: port number missing"
            )
        if world_size == 1:
            return None, rank, world_size
        assert parts.hostname is not None
        return _tcp(parts.hostname, parts.port, rank, world_size, timeout), rank, world_size
    if parts.scheme == "file":
        return FileStore(parts.path, world_size), rank, world_size
    raise RuntimeError(f"No rendezvous handler for {parts.scheme}://")


def _check_backend(backend: str | None) -> None:
    names = [part.split(":")[-1].lower() for part in (backend or "gloo").split(",")]
    if "gloo" in names:
        return
    for known, title in (("nccl", "NCCL"), ("mpi", "MPI"), ("ucc", "UCC")):
        if known in names:
            raise RuntimeError(f"Distributed package doesn't have {title} built in")
    raise ValueError(f"Unknown backend {backend!r}: facula has 'gloo'")


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: Store | None = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Join the other processes; all of them have to call it.

    ``init_method`` is ``env://`` (the default: RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT),
    ``tcp://host:port`` or ``file:///path``. The one backend is ``gloo``: TCP between CPUs.
    """
    if world.default is not None:
        raise ValueError("trying to initialize the default process group twice!")
    _check_backend(backend)
    timeout = DEFAULT_TIMEOUT if timeout is None else timeout
    if not isinstance(timeout, timedelta):
        raise TypeError(
            f"Expected timeout argument to be of type datetime.timedelta, got {timeout}"
        )
    if store is not None:
        if init_method is not None:
            raise ValueError("Cannot specify both init_method and store.")
        if rank < 0 or world_size <= 0:
            raise ValueError("rank and world_size must be given with store")
    else:
        store, rank, world_size = _rendezvous(init_method or "env://", rank, world_size, timeout)
    world.runs += 1
    scoped = None if store is None else _Scoped(f"run{world.runs}", store)
    world.mesh = Mesh(scoped, rank, world_size, timeout)
    world.store = scoped
    world.default = ProcessGroup(world.mesh, range(world_size), 0, "0")
    world.groups = 0
    use_process_group(lambda: (get_world_size(), get_rank()))
    use_communicator(_Communicator)


class _Scoped(PrefixStore):
    """Keys of one life of the default group, so that a store can serve several after each other."""

    def local_address(self) -> str:
        """The address other processes reach this one at."""
        return getattr(self.underlying_store, "local_address", lambda: "127.0.0.1")()


class _Communicator:
    """What DistributedDataParallel needs of a group."""

    def __init__(self, group: ProcessGroup | None = None) -> None:
        self.group = current(group)
        self.world_size, self.rank = self.group.size(), self.group.rank()

    def all_reduce(self, array, op: str = "SUM"):
        """The reduction of an array over all ranks."""
        return self.group.all_reduce(array, RedOpType[op])

    def broadcast(self, array):
        """The array of rank 0."""
        return self.group.broadcast(array, 0)


def new_group(
    ranks: Sequence[int] | None = None,
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
    device_id: Any = None,
) -> Any:
    """A group of some of the processes; all processes have to call it, members or not."""
    default = current()
    _check_backend(backend)
    chosen = default.ranks if ranks is None else sorted(int(r) for r in ranks)
    bad = [r for r in chosen if not 0 <= r < default.size()]
    if bad or len(set(chosen)) != len(chosen):
        raise ValueError(f"group ranks {chosen} must be distinct and below {default.size()}")
    world.groups += 1
    assert world.mesh is not None
    if world.mesh.rank not in chosen:
        return GroupMember.NON_GROUP_MEMBER
    return ProcessGroup(world.mesh, chosen, world.groups, group_desc or str(world.groups))


def destroy_process_group(group: ProcessGroup | None = None) -> None:
    """Leave a group; the default group ends all connections."""
    if group is not None and group is not world.default:
        return
    if world.default is None:
        raise ValueError("Invalid process group specified")
    assert world.mesh is not None
    world.mesh.close()
    world.mesh = world.default = world.store = None
    use_process_group(None)
    use_communicator(None)


def is_available() -> bool:
    """Whether processes can work together: yes."""
    return True


def is_initialized() -> bool:
    """Whether ``init_process_group`` was called."""
    return world.default is not None


def is_gloo_available() -> bool:
    """Whether the backend "gloo" can be used: yes."""
    return True


def is_nccl_available() -> bool:
    """Whether the backend "nccl" can be used: no, it needs CUDA."""
    return False


def is_mpi_available() -> bool:
    """Whether the backend "mpi" can be used: no."""
    return False


def is_ucc_available() -> bool:
    """Whether the backend "ucc" can be used: no."""
    return False


def is_xccl_available() -> bool:
    """Whether the backend "xccl" can be used: no."""
    return False


def is_torchelastic_launched() -> bool:
    """Whether a launcher started this process."""
    return os.environ.get("TORCHELASTIC_RUN_ID") is not None


def is_backend_available(backend: str) -> bool:
    """Whether a backend can be used."""
    return backend.lower() == "gloo"


def get_default_backend_for_device(device: Any) -> str:
    """The backend PyTorch would choose for a device."""
    return {"cpu": "gloo", "cuda": "nccl"}.get(str(device).split(":")[0], "gloo")


def get_backend(group: ProcessGroup | None = None) -> Backend:
    """The name of a group's backend."""
    return Backend(current(group).name())


def get_rank(group: ProcessGroup | None = None) -> int:
    """This process's rank in the group (of all processes); -1 if it is not a member."""
    return -1 if group == GroupMember.NON_GROUP_MEMBER else current(group).rank()


def get_world_size(group: ProcessGroup | None = None) -> int:
    """Number of processes in the group; -1 if this one is not a member."""
    return -1 if group == GroupMember.NON_GROUP_MEMBER else current(group).size()


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """The rank among the processes of this machine, from LOCAL_RANK."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    if fallback_rank is None:
        raise RuntimeError("LOCAL_RANK is not in the environment; give fallback_rank")
    return int(fallback_rank)


def get_global_rank(group: ProcessGroup, group_rank: int) -> int:
    """Rank among all processes of a group's member."""
    return group.ranks[group_rank]


def get_group_rank(group: ProcessGroup, global_rank: int) -> int:
    """Rank in a group of one of all processes."""
    if global_rank not in group.ranks:
        raise ValueError(f"Global rank {global_rank} is not part of group {group}")
    return group.ranks.index(global_rank)


def get_process_group_ranks(group: ProcessGroup | None) -> list[int]:
    """Ranks, among all processes, of a group's members."""
    return list(current(group).ranks)
