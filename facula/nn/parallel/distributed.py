"""DistributedDataParallel: the same model in several processes, gradients averaged over them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from facula import tensors
from facula.autograd.modes import modes, no_grad
from facula.nn.modules.module import Module
from facula.tensors import Tensor, adopt


class Communicator(Protocol):
    """What the wrapper needs of a process group."""

    world_size: int
    rank: int

    def all_reduce(self, array: np.ndarray, op: str = "SUM") -> np.ndarray:
        """The reduction of an array over all ranks."""
        ...

    def broadcast(self, array: np.ndarray) -> np.ndarray:
        """The array of rank 0."""
        ...


_factory: Callable[[Any], Communicator] | None = None


def use_communicator(factory: Callable[[Any], Communicator] | None) -> None:
    """Tells the wrapper how to reach other processes; called by the distributed package."""
    global _factory
    _factory = factory


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach()._buffer())


def _put(tensor: Tensor, array: np.ndarray) -> None:
    with no_grad():
        tensor.copy_(adopt(np.array(array)).reshape(tensor.shape))


def _tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors_in(item)
    elif hasattr(value, "__dataclass_fields__"):
        yield from _tensors_in(vars(value))


def _reached(outputs: Any) -> set[int]:
    """Ids of the gradient nodes that a backward pass from the outputs would visit."""
    waiting = [t._node for t in _tensors_in(outputs) if t.requires_grad]
    seen = set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        waiting.extend(following for following, _ in node.next_functions)
    return seen


class DistributedDataParallel(Module):
    """Wraps a module as ``.module``: parameters start equal, ``backward`` averages gradients.

    Parameters and buffers are those of rank 0 at the start; buffers again before every forward pass
    (``broadcast_buffers``). Gradients are reduced once, when the last of those that the outputs
    depend on has arrived; sums are formed in the order of the ranks, so runs repeat bit for bit.
    With ``find_unused_parameters`` processes may use different parameters.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool = True,
        init_sync: bool = True,
        process_group: Any = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
        **unused: Any,
    ) -> None:
        super().__init__()
        if _factory is None:
            raise ValueError(
                "Default process group has not been initialized, please make sure to call "
                "init_process_group."
            )
        if device_ids and any(d is not None for d in device_ids):
            raise ValueError(
                "DistributedDataParallel device_ids and output_device arguments only work with "
                f"single-device/multiple-device GPU modules or CPU modules, but got {device_ids}"
            )
        own = [p for p in module.parameters() if p.requires_grad]
        if not own:
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameters "
                "that require a gradient."
            )
        self.module = module
        self.device_ids = self.output_device = None
        self.dim = dim
        self.process_group = process_group
        self.broadcast_buffers = broadcast_buffers
        self.find_unused_parameters = find_unused_parameters
        self.static_graph = static_graph
        self.require_backward_grad_sync = True
        self._group = _factory(process_group)
        self._own = own
        self._waiting: set[int] = set()
        self._used: list[bool] = []
        if self._group.world_size > 1:
            if init_sync:
                self._check_shapes()
                self._share([*module.parameters(), *module.buffers()])
            for param in own:
                param.register_post_accumulate_grad_hook(self._arrived)

    def _check_shapes(self) -> None:
        """All processes have to wrap the same model."""
        count = np.asarray([len(self._own)], np.int64)
        facts = [len(self._own)] + [n for p in self._own for n in (p.ndim, *p.shape)]
        same = np.array_equal(self._group.broadcast(count), count)
        if same:
            size = np.asarray([len(facts)], np.int64)
            same = np.array_equal(self._group.broadcast(size), size)
        array = np.asarray(facts, np.int64)
        ours = np.asarray([same], np.int64)
        if self._group.all_reduce(1 - ours, "MAX")[0]:
            raise RuntimeError(
                "DDP expects same model across all ranks: the parameters of the processes differ"
            )
        if not np.array_equal(self._group.broadcast(array), array):
            raise RuntimeError(
                f"DDP expects same model across all ranks: parameter shapes of rank "
                f"{self._group.rank} differ from those of rank 0"
            )

    def _share(self, shared: list[Tensor]) -> None:
        for tensor in shared:
            found = self._group.broadcast(_array(tensor))
            if self._group.rank:
                _put(tensor, found)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        several = self._group.world_size > 1
        syncing = several and modes.grad and self.require_backward_grad_sync
        if syncing and self.broadcast_buffers:
            self._share(list(self.module.buffers()))
        outputs = self.module(*inputs, **kwargs)
        if syncing:
            reached = _reached(outputs)
            self._used = [id(p._node) in reached for p in self._own]
            self._waiting = {id(p) for p, used in zip(self._own, self._used) if used}
        return outputs

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Inside it, gradients are accumulated without being averaged."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def _arrived(self, param: Tensor) -> None:
        """A parameter's gradient was accumulated; the last one starts the reduction."""
        if not self.require_backward_grad_sync or id(param) not in self._waiting:
            return
        self._waiting.discard(id(param))
        if not self._waiting:
            self._reduce()

    def _reduce(self) -> None:
        used = self._used
        if self.find_unused_parameters:
            flags = np.asarray(used, np.uint8)
            used = self._group.all_reduce(flags, "MAX").astype(bool).tolist()
        chosen = [p for p, wanted in zip(self._own, used) if wanted]
        for dtype in dict.fromkeys(p.dtype for p in chosen):
            self._average([p for p in chosen if p.dtype is dtype])

    def _average(self, params: list[Tensor]) -> None:
        """Average the gradients of parameters of one dtype in one message."""
        for param in params:
            if param.grad is None:
                param.grad = tensors.zeros_like(param)
        flat = np.concatenate([_array(p.grad).reshape(-1) for p in params])
        total = self._group.all_reduce(flat) / self._group.world_size
        at = 0
        for param in params:
            count = param.numel()
            _put(param.grad, total[at : at + count])
            at += count
