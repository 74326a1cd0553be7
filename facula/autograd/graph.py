"""``torch.autograd.graph``: the nodes of the gradient graph, and hooks on several tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from facula.autograd.node import Node as Node
from facula.autograd.node import RemovableHandle


class _Handles:
    """Removes several hooks as one."""

    def __init__(self, handles: Sequence[RemovableHandle]):
        self.handles = tuple(handles)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def __enter__(self):
        return self

    def __exit__(self, *exc) -> None:
        self.remove()


def register_multi_grad_hook(
    tensors: Sequence[Any], fn: Callable[[Any], None], *, mode: str = "all"
) -> _Handles:
    """Call ``fn`` in a backward pass with the gradients of all the tensors, or with the first.

    In mode "all" it gets a list with None for tensors that got no gradient; as hooks run one
    after another here, the tensors that a pass reaches have to be the same each time.

    >>> import facula as torch
    >>> a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    >>> seen = torch.autograd.graph.register_multi_grad_hook((a, b), print)
    >>> (a * 2 + b * 3).sum().backward()
    [tensor([2.]), tensor([3.])]
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    found: list[Any] = [None] * len(tensors)
    left = len(tensors)

    def hook_for(place):
        def hook(grad):
            nonlocal left
            if mode == "any":
                if left == len(tensors):
                    fn(grad)
                left = left - 1 or len(tensors)
                return
            found[place] = grad
            left -= 1
            if left == 0:
                given, found[:], left = list(found), [None] * len(tensors), len(tensors)
                fn(given)

        return hook

    return _Handles([x.register_hook(hook_for(i)) for i, x in enumerate(tensors)])


@contextlib.contextmanager
def allow_mutation_on_saved_tensors():
    """Saved tensors may be written to in place: here they always may, since values never change."""
    yield


@contextlib.contextmanager
def save_on_cpu(pin_memory: bool = False, device_type: str = "cuda"):
    """What the backward pass needs is kept in the CPU's memory, where it is anyway."""
    yield


def increment_version(tensor: Any) -> None:
    """Note that the memory of a tensor, or of each of several, was written to."""
    for one in [tensor] if hasattr(tensor, "_own_alias") else tensor:
        one._own_alias().storage.version += 1
