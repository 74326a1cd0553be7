"""The backward sweep: gradients flow from the roots through the nodes, newest first."""

from __future__ import annotations

from facula.autograd.handle import wrap
from facula.autograd.modes import modes
from facula.autograd.node import FREED, AccumulateGrad, Node, saved_handle
from facula.autograd.tools import fit, tools
from facula.base.dtypes import FLOAT


def reachable(roots, stop=frozenset()) -> list[Node]:
    """Nodes from which gradients can flow, newest first; leaves are not among them.

    ``stop`` holds (node, output) pairs that the walk does not go beyond.
    """
    seen = set()
    stopped = {node for node, _ in stop}
    todo = [node for node, _ in roots]
    order = []
    while todo:
        node = todo.pop()
        if node in seen or node.__class__ is AccumulateGrad:
            continue
        seen.add(node)
        order.append(node)
        if node in stopped and all((node, nr) in stop for nr in range(node.outputs())):
            continue
        for edge in node.edges:
            if edge is not None and edge[0] is not None and edge[0] not in seen:
                todo.append(edge[0])
    order.sort(key=_newest_first)
    return order


def _newest_first(node) -> int:
    return -node.sequence


def leading_to(order, targets) -> list[Node]:
    """Those nodes of ``order`` from which gradients flow to one of the targets."""
    wanted = set(targets)
    needed: set = set()
    for node in reversed(order):
        for edge in node.edges:
            if edge is not None and (edge[0] in needed or edge in wanted):
                needed.add(node)
                break
    return [node for node in order if node in needed]


class Sweep:
    """One pass over the graph below some roots."""

    def __init__(self, roots, stop=frozenset(), order=None):
        self.roots = roots
        self.stop = stop
        self.order = reachable(roots, stop) if order is None else order

    def run(self, root_grads) -> dict:
        """Gradients that arrive at leaves and at the stops, by (node, output)."""
        grads: dict[tuple, object] = {}
        for edge, grad in zip(self.roots, root_grads, strict=True):
            _accumulate(grads, edge, grad)
        stopped = {node for node, _ in self.stop}
        for node in self.order:
            gs = [grads.get((node, nr)) for nr in range(node.outputs())]
            if all(g is None for g in gs):
                continue
            gs = _run_output_hooks(node, gs, grads)
            if node in stopped and all((node, nr) in self.stop for nr in range(len(gs))):
                continue
            for edge, grad in zip(node.edges, self._pull_back(node, gs), strict=True):
                if grad is not None and edge is not None and edge[0] is not None:
                    _accumulate(grads, edge, grad)
        return grads

    def _pull_back(self, node, gs):
        if node.hooks is not None and node.hooks.pre:
            gs = _run_pre_hooks(node, gs)
        if node.saved is None:
            raise RuntimeError(FREED)
        held = {
            p: saved_handle(node, p, v) for p, v in zip(node.call.saves, node.saved, strict=True)
        }
        found = node.call.pull_back(node, gs, held)
        if modes.anomaly and modes.trace is None:
            _refuse_nan(node, found)
        if node.hooks is not None and node.hooks.post:
            found = _run_post_hooks(node, found, gs)
        return found


def _accumulate(grads, edge, grad):
    known = grads.get(edge)
    grads[edge] = grad if known is None else tools.add(known, grad)


def zero_grads(gs, specs):
    """Missing gradients of differentiable outputs as zeros."""
    return [
        tools.zeros(s) if g is None and s.dtype.category >= FLOAT else g
        for g, s in zip(gs, specs, strict=True)
    ]


def _run_output_hooks(node, gs, grads):
    """Hooks and retained gradients of the tensors this node made."""
    hooks = node.hooks
    if hooks is None:
        return gs
    for nr, registered in hooks.outputs.items():
        for hook in list(registered.values()):
            if gs[nr] is None:
                break
            changed = hook(gs[nr])
            if changed is not None:
                gs[nr] = changed
    for nr, reference in hooks.retained.items():
        tensor = reference()
        if tensor is not None and gs[nr] is not None:
            tensor._grad = (
                fresh(gs[nr], modes.grad)
                if tensor._grad is None
                else tools.add(tensor._grad, gs[nr])
            )
    for nr, grad in enumerate(gs):
        if grad is not None:
            grads[(node, nr)] = grad
    return gs


def _run_pre_hooks(node, gs):
    for hook in list(node.hooks.pre.values()):
        changed = hook(tuple(gs))
        if changed is not None:
            gs = list(changed) if isinstance(changed, tuple) else [changed]
    return gs


def _run_post_hooks(node, found, gs):
    for hook in list(node.hooks.post.values()):
        changed = hook(tuple(found), tuple(gs))
        if changed is not None:
            found = list(changed) if isinstance(changed, tuple) else [changed]
    return found


def _refuse_nan(node, found):
    for nr, grad in enumerate(found):
        if grad is None or not modes.anomaly_nan:
            continue
        if grad.isnan().any().item():
            import warnings

            warnings.warn(
                f"Error detected in {node.name()}. Traceback of forward call that caused the "
                f"error:\n{node.line or 'No forward pass information available.'}",
                stacklevel=2,
            )
            raise RuntimeError(
                f"Function '{node.name()}' returned nan values in its {nr}th output."
            )


def fitted(found, specs):
    """Gradients brought to the shapes and dtypes of their operands."""
    return [None if g is None else fit(g, s) for g, s in zip(found, specs, strict=True)]


def fresh(grad, with_history: bool):
    """A gradient as a tensor of its own: hooks and other tensors may hold the one that arrived."""
    grad._sync()
    return wrap(grad._value, grad._node, grad._nr) if with_history else wrap(grad._value)
