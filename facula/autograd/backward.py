"""``backward`` and ``grad``: from a root and its graph to gradients, as one recorded block.

The graph below the roots is turned into a key: which calls, connected how. A key seen before has
its gradient program already: it is appended to the recording as one block, whatever its length.
For a new key it is composed (compose.py). Hooks, custom functions and ``create_graph`` need Python
for each node; then the sweep runs on recorded tensors.
"""

from __future__ import annotations

from collections.abc import Sequence

from facula.autograd.compose import compose
from facula.autograd.handle import TensorBase, classes, wrap
from facula.autograd.modes import anomaly_seen, detours, modes
from facula.autograd.node import FREED, AccumulateGrad, is_dead_end
from facula.autograd.routes import LONGEST, Returns, Route, keep, known_route
from facula.autograd.sweep import Sweep, fresh, leading_to, reachable
from facula.autograd.tools import fit, tools
from facula.base.caches import Cache
from facula.base.dtypes import FLOAT
from facula.runtime.recorder import Entry, recorder
from facula.runtime.value import Value


class GradientBlock:
    """A gradient program: its entry and which (node number, output) each result is for."""

    __slots__ = ("entry", "returns", "targets")

    def __init__(self, entry, targets):
        self.entry = entry
        self.targets = targets
        self.returns = Returns()


_blocks = Cache(1000)
_new = object.__new__


def _plain(order, leaves) -> bool:
    """Whether every node can be traced: no hooks, no custom functions."""
    if modes.anomaly or modes.trace is not None:
        return False
    for node in order:
        if node.hooks is not None or node.call.number is None:
            return False
    return all(leaf.hooks is None for leaf in leaves)


def _describe(order, roots, number):
    """(key, saved values): the structure of a graph and the values it needs.

    ``number`` tells nodes (from 0) and leaves (from -2 down) apart; -1 is what is not followed.
    """
    key: list = []
    values: list[Value] = []
    for node in order:
        call = node.call
        key.append(call.number)
        for edge in node.edges:
            if edge is None or edge[0] is None:
                key.append(-1)
                continue
            target, nr = edge
            key.append(number.get(target, -1))
            key.append(nr)
        if node.saved is None:
            raise RuntimeError(FREED)
        values.extend(node.saved)
    for node, nr in roots:
        key.append(number.get(node, -1))
        key.append(nr)
    return key, values


def _root_edges(tensors):
    roots = []
    for i, tensor in enumerate(tensors):
        tensor._sync()
        if tensor._node is None or is_dead_end(tensor._node):
            raise RuntimeError(
                f"element {i} of tensors does not require grad and does not have a grad_fn"
            )
        roots.append((tensor._node, tensor._nr))
    return roots


def _checked_grads(tensors, grads):
    """The gradient given for each root, in its dtype: None stands for one (scalars only)."""
    checked = []
    if len(grads) != len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(grads)} gradients")
    for tensor, grad in zip(tensors, grads, strict=True):
        spec = tensor._value.spec
        if grad is None:
            if spec.numel != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            if spec.dtype.category != FLOAT:
                raise RuntimeError(
                    "grad can be implicitly created only for real scalar outputs but got "
                    f"torch.{spec.dtype.name}"
                )
        elif not isinstance(grad, TensorBase):
            raise TypeError(
                f"gradients can be either Tensors, Numbers, or None, but got {type(grad).__name__}"
            )
        elif grad._value.spec.shape != spec.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[0] has a shape of {grad._value.spec.size} and "
                f"output[0] has a shape of {spec.size}."
            )
        same = grad is None or grad._value.spec.dtype is spec.dtype
        checked.append(grad if same else fit(grad, spec))
    return checked


def run_backward(tensors, grads, retain_graph, create_graph, targets, accumulate):
    """Gradients for ``targets`` (pairs of node and output; None: all leaves).

    With ``accumulate`` they are added to the leaves' ``grad``; otherwise a list is returned.
    """
    alone = accumulate and targets is None and len(tensors) == 1 and grads[0] is None
    if alone and not create_graph and repeated(tensors[0], retain_graph):
        return None
    roots = _root_edges(tensors)
    grads = _checked_grads(tensors, grads)
    order = everything = reachable(roots)
    if targets is not None:  # nodes that lead to no target take no part, and stay usable
        order = leading_to(everything, targets)
    leaves = _leaves(order, roots)
    wanted = [(leaf, 0) for leaf in leaves] if targets is None else targets
    ends = [node for node, _ in wanted if node.__class__ is not AccumulateGrad]
    separate = not accumulate or _separate_gradients(leaves)
    if not create_graph and separate and _plain([*order, *ends], leaves):
        results = _recorded(tensors, grads, roots, order, leaves, wanted, accumulate, alone)
    else:
        passed = {*order, *ends}
        stop = frozenset([t for t in wanted if t[0] not in order])
        sweep = Sweep(roots, stop, [node for node in everything if node in passed])
        results = _by_hand(sweep, tensors, grads, wanted, create_graph, accumulate)
    if not retain_graph:
        for node in order:
            node.free()
    return results


def repeated(tensor, retain_graph) -> bool:
    """Go backward from a scalar whose graph is one seen before; False if it is not."""
    if tensor._alias is not None:
        tensor._sync()
    if tensor._node is None or (anomaly_seen and modes.anomaly):
        return False
    if detours.count and modes.trace is not None:
        return False
    known = known_route(tensor)
    if known is None:
        return False
    route, nodes, leaves, values = known
    variables = [leaf._variable() for leaf in leaves]
    if route.fresh:
        for variable in variables:
            if variable is not None and variable._grad is not None:
                return False
    elif not _add_olds(route, leaves, variables, values):
        return False
    if len(values) != route.count:
        return False
    results = recorder.record(route.block.entry, values)
    made, positions = classes.tensor, route.block.targets
    for position, value in zip(positions, results):
        variable = variables[position]
        if variable is None or variable._grad is not None:
            _set_gradient(leaves[position], value)
            continue
        grad = _new(made)  # what wrap() does, without the call
        grad._value = value
        grad._alias = grad._node = grad._grad = None
        grad._nr = 0
        variable._grad = grad
        if leaves[position].post_accumulate is not None:
            _run_post_hooks(leaves[position], variable)
    if not retain_graph:
        for place in route.freed:
            nodes[place].saved = None
    return True


def _add_olds(route, leaves, variables, values) -> bool:
    """Append the gradients that leaves have already; False if they are others than the route's."""
    for variable, spec in zip(variables, route.olds, strict=True):
        old = None if variable is None else variable._grad
        if old is not None:
            old._sync()
            values.append(old._value)
        if spec is not (None if old is None else old._value.spec):
            return False
    return _separate_gradients(leaves)


def _separate_gradients(leaves) -> bool:
    """Whether no two leaves add to one tensor, which takes one addition after the other."""
    olds = [
        id(x._grad)
        for x in [leaf.variable for leaf in leaves]
        if x is not None and x._grad is not None
    ]
    return len(olds) == len(set(olds))


def _leaves(order, roots) -> list[AccumulateGrad]:
    found = dict.fromkeys(n for n, _ in roots if n.__class__ is AccumulateGrad)
    for node in order:
        for edge in node.edges:
            if edge is not None and edge[0].__class__ is AccumulateGrad:
                found[edge[0]] = None
    return list(found)


def _recorded(tensors, grads, roots, order, leaves, wanted, accumulate, alone):
    number = {node: i for i, node in enumerate(order)}
    for node, _ in wanted:  # gradients may be asked for where the graph is not followed further
        if node.__class__ is not AccumulateGrad:
            number.setdefault(node, len(number))
    for i, leaf in enumerate(leaves):
        number[leaf] = -2 - i
    key, values = _describe(order, roots, number)
    seeds = []
    for tensor, grad in zip(tensors, grads, strict=True):
        spec = tensor._value.spec
        if grad is None:
            seeds.append((spec, None))
            key.append(None)
        else:
            grad._sync()
            seeds.append((spec, grad._value.spec))
            values.append(grad._value)
            key.append(grad._value.spec)
        key.append(spec)
    olds = []
    for node, nr in wanted:
        key.append(number.get(node))
        key.append(nr)
        if node.__class__ is AccumulateGrad:
            key.append(node.spec)
        old = _old_gradient(node) if accumulate else None
        key.append(old is not None)
        olds.append(None if old is None else old._value.spec)
        if old is not None:
            values.append(old._value)
    key = tuple(key)
    block = _blocks.get(key)
    if block is None:
        made, kept = compose(order, roots, seeds, olds, wanted)
        # Inputs that no part uses stay in the program, so that recording needs no bookkeeping.
        block = _blocks.put(key, GradientBlock(Entry(made, "backward"), kept))
    elif alone and 0 < len(order) <= LONGEST and block.returns.pay(len(order)):
        keep(order[0].call.number, Route(order, roots[0], seeds[0][0], leaves, olds, block))
    results = recorder.record(block.entry, values)
    found: list = [None] * len(wanted)
    for position, value in zip(block.targets, results, strict=True):
        found[position] = value
    if accumulate:
        for (node, _), value in zip(wanted, found, strict=True):
            if value is not None:
                _set_gradient(node, value)
        return None
    return [None if v is None else wrap(v) for v in found]


def _old_gradient(node):
    if node.__class__ is not AccumulateGrad:
        return None
    variable = node.variable
    if variable is None or variable._grad is None:
        return None
    old = variable._grad
    old._sync()
    return old


def _set_gradient(node, value):
    variable = node.variable
    if variable is None:
        return
    if variable._grad is None:
        variable._grad = wrap(value)
    else:
        tools.write_value(variable._grad, value)
    if node.post_accumulate:
        _run_post_hooks(node, variable)


def _run_post_hooks(leaf, variable):
    for hook in list(leaf.post_accumulate.values()):
        hook(variable)


def _by_hand(sweep, tensors, grads, wanted, create_graph, accumulate):
    """The sweep on recorded tensors: hooks and custom functions run, graphs can be made."""
    before, modes.grad = modes.grad, create_graph
    try:
        seeds = [
            tools.ones(t._value.spec) if g is None else g
            for t, g in zip(tensors, grads, strict=True)
        ]
        found = sweep.run(seeds)
        results = []
        for node, nr in wanted:
            grad = found.get((node, nr))
            if grad is not None and node.__class__ is AccumulateGrad:
                grad = _leaf_gradient(node, fit(grad, node.spec))
                if accumulate:
                    _accumulate_by_hand(node, grad, create_graph)
            results.append(grad)
    finally:
        modes.grad = before
    return results


def _leaf_gradient(node, grad):
    if node.hooks is not None:
        for hook in list(node.hooks.outputs.get(0, {}).values()):
            changed = hook(grad)
            grad = grad if changed is None else changed
        for hook in list(node.hooks.pre.values()):
            changed = hook((grad,))
            grad = grad if changed is None else changed[0]
    return grad


def _accumulate_by_hand(node, grad, create_graph):
    variable = node.variable
    if variable is None:
        return
    old = variable._grad
    if old is None:
        variable._grad = fresh(grad, create_graph)
    elif create_graph:
        variable._grad = tools.add(old, grad)
    else:
        tools.write_value(old, tools.add(old, grad)._value)
    if node.hooks is not None:
        for hook in list(node.hooks.post.values()):
            hook((), (grad,))
    if node.post_accumulate:
        _run_post_hooks(node, variable)


def as_sequence(value) -> Sequence:
    """A tensor or a sequence of tensors, as a tuple."""
    if value is None:
        return ()
    return (value,) if isinstance(value, TensorBase) else tuple(value)
