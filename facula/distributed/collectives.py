"""Collective operations on tensors: ``torch.distributed.all_reduce(...)`` and the like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula.autograd.modes import no_grad
from facula.distributed.group import ProcessGroup, RedOpType
from facula.distributed.state import GroupMember, current, get_group_rank
from facula.tensors import Tensor, adopt


class Work:
    """A handle on an operation started with ``async_op=True``; ``wait`` completes it."""

    def __init__(self, run: Callable[[], Any] | None = None) -> None:
        self._run = run

    def wait(self, timeout: Any = None) -> bool:
        """Complete the operation."""
        run, self._run = self._run, None
        if run is not None:
            run()
        return True

    def is_completed(self) -> bool:
        """Whether it is complete."""
        return self._run is None

    def is_success(self) -> bool:
        """Whether it is complete: failures raise where they happen."""
        return self._run is None


def read(tensor: Tensor) -> np.ndarray:
    """The values as a contiguous array."""
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"Invalid function argument. Expected a tensor, got {type(tensor).__name__}"
        )
    if tensor.is_sparse:
        raise RuntimeError("collective operations need dense tensors; call to_dense() first")
    return np.ascontiguousarray(tensor.detach()._buffer())


def put(tensor: Tensor, array: np.ndarray) -> None:
    """Write values into a tensor."""
    with no_grad():
        tensor.copy_(adopt(np.array(array)).reshape(tensor.shape))


def _outside(group: Any) -> bool:
    return isinstance(group, int) and group == GroupMember.NON_GROUP_MEMBER


def _finish(async_op: bool) -> Work | None:
    return Work() if async_op else None


def _root(group: ProcessGroup, given: int | None, in_group: int | None) -> int:
    """A rank within the group from a global rank or one within the group."""
    if in_group is not None:
        return in_group
    return get_group_rank(group, 0 if given is None else given)


def all_reduce(
    tensor: Tensor,
    op: RedOpType = RedOpType.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Replace the tensor by the reduction (sum) of those of all processes.

    Sums are formed in the order of the ranks: every process gets the same bits.
    """
    if _outside(group):
        return None
    put(tensor, current(group).all_reduce(read(tensor), op))
    return _finish(async_op)


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: RedOpType = RedOpType.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """``all_reduce`` whose result only process ``dst`` gets."""
    if _outside(group):
        return None
    own = current(group)
    found = own.reduce(read(tensor), _root(own, dst, group_dst), op)
    if found is not None:
        put(tensor, found)
    return _finish(async_op)


def broadcast(
    tensor: Tensor,
    src: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Replace the tensor by that of process ``src``."""
    if _outside(group):
        return None
    own = current(group)
    root = _root(own, src, group_src)
    found = own.broadcast(read(tensor), root)
    if own.rank() != root:
        put(tensor, found)
    return _finish(async_op)


def all_gather(
    tensor_list: Sequence[Tensor],
    tensor: Tensor,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Fill a list with the tensors of all processes."""
    if _outside(group):
        return None
    for target, array in zip(tensor_list, current(group).all_gather(read(tensor)), strict=True):
        put(target, array)
    return _finish(async_op)


def all_gather_into_tensor(
    output_tensor: Tensor,
    input_tensor: Tensor,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """The tensors of all processes, one after the other (or stacked), in one tensor."""
    if _outside(group):
        return None
    put(output_tensor, np.stack(current(group).all_gather(read(input_tensor))))
    return _finish(async_op)


def gather(
    tensor: Tensor,
    gather_list: Sequence[Tensor] | None = None,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Fill a list in process ``dst`` with the tensors of all."""
    if _outside(group):
        return None
    own = current(group)
    root = _root(own, dst, group_dst)
    if own.rank() == root and not gather_list:
        raise ValueError("Argument ``gather_list`` must be specified on destination rank.")
    if own.rank() != root and gather_list:
        raise ValueError("Argument ``gather_list`` must NOT be specified on non-destination ranks.")
    found = own.gather(read(tensor), root)
    if found is not None and gather_list is not None:
        for target, array in zip(gather_list, found, strict=True):
            put(target, array)
    return _finish(async_op)


def scatter(
    tensor: Tensor,
    scatter_list: Sequence[Tensor] | None = None,
    src: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Give each process its tensor of a list that ``src`` has."""
    if _outside(group):
        return None
    own = current(group)
    root = _root(own, src, group_src)
    if own.rank() == root and not scatter_list:
        raise ValueError("Argument ``scatter_list`` must be specified on source rank.")
    parts = [read(t) for t in scatter_list] if scatter_list else None
    put(tensor, own.scatter(parts, read(tensor), root))
    return _finish(async_op)


def reduce_scatter(
    output: Tensor,
    input_list: Sequence[Tensor],
    op: RedOpType = RedOpType.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Reduce lists of tensors; each process gets the element of its rank."""
    if _outside(group):
        return None
    put(output, current(group).reduce_scatter([read(t) for t in input_list], op))
    return _finish(async_op)


def reduce_scatter_tensor(
    output: Tensor,
    input: Tensor,
    op: RedOpType = RedOpType.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Reduce a tensor; each process gets the slice of its rank."""
    if _outside(group):
        return None
    own = current(group)
    parts = np.split(read(input).reshape(-1), own.size())
    put(output, own.reduce_scatter(parts, op))
    return _finish(async_op)


def all_to_all(
    output_tensor_list: Sequence[Tensor],
    input_tensor_list: Sequence[Tensor],
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Send the i-th tensor to process i and receive one from each."""
    if _outside(group):
        return None
    like = [read(t) for t in output_tensor_list]
    found = current(group).all_to_all([read(t) for t in input_tensor_list], like)
    for target, array in zip(output_tensor_list, found, strict=True):
        put(target, array)
    return _finish(async_op)


def all_to_all_single(
    output: Tensor,
    input: Tensor,
    output_split_sizes: Sequence[int] | None = None,
    input_split_sizes: Sequence[int] | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """``all_to_all`` on slices, along the first dimension, of one tensor."""
    if _outside(group):
        return None
    own = current(group)
    parts = _split(read(input), input_split_sizes, own.size())
    like = _split(read(output), output_split_sizes, own.size())
    put(output, np.concatenate(own.all_to_all(parts, like)))
    return _finish(async_op)


def _split(array: np.ndarray, sizes: Sequence[int] | None, n: int) -> list[np.ndarray]:
    if not sizes:
        return np.split(array, n)
    return np.split(array, np.cumsum(sizes)[:-1])


def barrier(
    group: ProcessGroup | None = None, async_op: bool = False, device_ids: Any = None
) -> Work | None:
    """Wait until all processes have come here."""
    if _outside(group):
        return None
    current(group).barrier()
    return _finish(async_op)


def monitored_barrier(
    group: ProcessGroup | None = None, timeout: Any = None, wait_all_ranks: bool = False
) -> None:
    """``barrier``; a process that does not come is named in the error."""
    barrier(group)


def send(
    tensor: Tensor,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_dst: int | None = None,
) -> None:
    """Send a tensor to one process."""
    own = current(group)
    to = _root(own, dst, group_dst)
    if to == own.rank():
        raise ValueError(
            "Invalid destination rank: destination rank should not be the same as the rank of the "
            "current process."
        )
    own.send_message(read(tensor).tobytes(), to, tag)


def recv(
    tensor: Tensor,
    src: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_src: int | None = None,
) -> int:
    """Receive a tensor of one process (or of any); returns the sender's rank."""
    own = current(group)
    of = None if src is None and group_src is None else _root(own, src, group_src)
    sender, data = own.receive_message(of, tag)
    like = read(tensor)
    if len(data) != like.nbytes:
        raise RuntimeError(
            f"rank {sender} sent {len(data)} bytes where a tensor of {like.nbytes} was given"
        )
    put(tensor, np.frombuffer(data, like.dtype))
    return own.ranks[sender]


def isend(
    tensor: Tensor,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_dst: int | None = None,
) -> Work:
    """``send`` that returns a handle."""
    send(tensor, dst, group, tag, group_dst)
    return Work()


def irecv(
    tensor: Tensor,
    src: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_src: int | None = None,
) -> Work:
    """``recv`` that is completed by the handle's ``wait``."""
    return Work(lambda: recv(tensor, src, group, tag, group_src))


class P2POp:
    """One of several sends and receives for ``batch_isend_irecv``."""

    def __init__(
        self,
        op: Callable[..., Any],
        tensor: Tensor,
        peer: int | None = None,
        group: ProcessGroup | None = None,
        tag: int = 0,
        group_peer: int | None = None,
    ) -> None:
        if op not in (isend, irecv):
            raise ValueError("Invalid ``op``. Expected ``op`` to be isend or irecv.")
        self.op, self.tensor, self.peer = op, tensor, peer
        self.group, self.tag, self.group_peer = group, tag, group_peer


def batch_isend_irecv(p2p_op_list: Sequence[P2POp]) -> list[Work]:
    """Start several sends and receives; returns their handles."""
    return [op.op(op.tensor, op.peer, op.group, op.tag, op.group_peer) for op in p2p_op_list]
