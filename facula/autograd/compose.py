"""The gradient program of a graph, put together from the derivatives of its calls.

Each call's derivative is traced once. A graph that was never seen before is made of calls that
were; so its gradient program costs a few microseconds a call, not a trace of the whole sweep.
"""

from __future__ import annotations

from facula.autograd.handle import wrap
from facula.autograd.modes import tracing
from facula.autograd.node import AccumulateGrad
from facula.autograd.tools import fit, tools
from facula.base.caches import Cache
from facula.graph.build import Trace
from facula.graph.composite import Composite
from facula.graph.node import Block
from facula.graph.spec import Spec

_small = Cache(1000)  # sums, ones and fits, by what they are made for


class _Composer:
    """A composite under construction; values are numbers of the composite."""

    def __init__(self, inputs: list[Spec]):
        self.made = Composite(inputs)
        self.specs = list(inputs)

    def call(self, block: Block, operands: list[int]) -> int:
        """Append a block; returns the number of its first output."""
        made, specs = self.made, self.specs
        made.parts.append(block)
        made.places += operands
        first = len(specs)
        specs += block.specs
        return first

    def ones(self, spec: Spec) -> int:
        return self.call(_traced(("ones", spec), lambda: tools.ones(spec)), [])

    def add(self, a: int, b: int) -> int:
        given = self.specs[a], self.specs[b]
        key = ("add", *given)
        return self.call(_small.get(key) or _traced(key, tools.add, *given), [a, b])

    def fit(self, grad: int, spec: Spec) -> int:
        """A gradient brought to the shape and dtype of its leaf."""
        own = self.specs[grad]
        if own is spec:
            return grad
        return self.call(_traced(("fit", own, spec), lambda g: fit(g, spec), own), [grad])


def _traced(key: tuple, function, *specs: Spec) -> Block:
    """The block of a function of tensors with these specs."""
    found = _small.get(key)
    if found is None:
        trace = Trace()
        with tracing(trace):
            result = function(*[wrap(trace.input(spec)) for spec in specs])
        found = _small.put(key, trace.block([result._value]))
    return found


def compose(order, roots, seeds, olds, targets) -> tuple[Composite, tuple[int, ...]]:
    """(the gradient program, which of ``targets`` its results are for).

    Its inputs are the saved values of the nodes in ``order``, the gradients of the roots and the
    gradients that targets have already. ``seeds`` are (spec of a root, spec of its gradient or
    None: then the gradient is 1), ``olds`` specs or None.
    """
    specs = [value.spec for node in order for value in node.saved]
    at = len(specs)
    specs += [given for _, given in seeds if given is not None]
    old_at = len(specs)
    specs += [old for old in olds if old is not None]
    composer = _Composer(specs)
    grads: dict[tuple, int] = {}
    for edge, (spec, given) in zip(roots, seeds, strict=True):
        if given is None:
            grad = composer.ones(spec)
        else:
            grad, at = at, at + 1
        known = grads.get(edge)
        grads[edge] = grad if known is None else composer.add(known, grad)
    _sweep(composer, order, grads)
    outputs, kept = [], []
    for position, (target, old) in enumerate(zip(targets, olds, strict=True)):
        found = grads.get(target)
        if found is not None:
            if target[0].__class__ is AccumulateGrad:
                found = composer.fit(found, target[0].spec)
            outputs.append(found if old is None else composer.add(old_at, found))
            kept.append(position)
        if old is not None:
            old_at += 1
    return composer.made.finish(outputs, [composer.specs[i] for i in outputs]), tuple(kept)


def _sweep(composer: _Composer, order, grads: dict[tuple, int]) -> None:
    """Apply the derivative of each node to what was saved and to the gradients that arrived."""
    specs, call_block, add = composer.specs, composer.call, composer.add
    at = 0
    for node in order:
        call = node.call
        saved = [*range(at, at + len(node.saved))]
        at += len(saved)
        if call.output_count == 1:
            grad = grads.get((node, 0))
            if grad is None:
                continue
            saved.append(grad)
            key: tuple = (specs[grad],)
        else:
            arrived = [grads.get((node, nr)) for nr in range(call.output_count)]
            present = [grad for grad in arrived if grad is not None]
            if not present:
                continue
            saved += present
            key = tuple([None if grad is None else specs[grad] for grad in arrived])
        block, positions = call.pulled.get(key) or call.pulled_back(key)
        made = call_block(block, saved)
        edges = node.edges
        for position in positions:
            edge = edges[position]
            if edge is not None and edge[0] is not None:
                known = grads.get(edge)
                grads[edge] = made if known is None else add(known, made)
            made += 1
