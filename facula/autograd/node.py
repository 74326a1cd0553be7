"""The gradient graph: one node per recorded operation, as PyTorch's ``grad_fn``."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from itertools import count
from typing import Any

from facula.autograd.handle import wrap
from facula.base.dtypes import FLOAT

sequence = count()

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward."
)


# How many operands PyTorch's nodes show where ours have others: a number stands for a tensor there,
# weights that are not given keep their places, and indices and conditions have none.
_PLACES = {
    **dict.fromkeys(("AddBackward0", "SubBackward0", "MulBackward0", "DivBackward0"), 2),
    **dict.fromkeys(("WhereBackward0", "MaskedFillBackward1"), 2),
    **dict.fromkeys(("EmbeddingBackward0", "NllLossBackward0", "IndexSelectBackward0"), 1),
    **dict.fromkeys(("GatherBackward0", "MaskedFillBackward0"), 1),
    **dict.fromkeys(("ConvolutionBackward0", "NativeLayerNormBackward0"), 3),
    "NativeBatchNormBackward0": 3,
}


class Node:
    """One operation in the gradient graph.

    ``call`` says which operation with which static arguments; ``edges`` lead to the nodes of its
    operands; ``saved`` holds the values its derivative needs, until they are freed.
    """

    __slots__ = ("__weakref__", "call", "edges", "extra", "hooks", "saved", "sequence")

    call: Any
    edges: tuple
    saved: tuple | None
    hooks: Any

    def name(self) -> str:
        """PyTorch's name of the node, e.g. ``AddmmBackward0``."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple:
        """Nodes of the operands as (node, output number) pairs; (None, 0) where none is needed."""
        order = self.call.edge_order if self.call is not None else None
        edges = self.edges if order is None else [self.edges[i] for i in order]
        found = [(None, 0) if e is None or e[0] is None else e for e in edges if e is not None]
        places = _PLACES.get(self.name())
        if places is not None and len(found) != places:
            missing = places - len(found)
            first = -missing if missing < 0 and self.name() == "WhereBackward0" else 0
            found = found[first : first + places] + [(None, 0)] * missing
        return tuple(found)

    @property
    def metadata(self) -> dict:
        """A dictionary for the user's own notes on the node."""
        if self.extra is None:
            self.extra = {}
        return self.extra

    @property
    def line(self) -> str | None:
        """The stack of the forward call, if anomaly detection was on."""
        return (self.extra or {}).get("traceback_")

    @line.setter
    def line(self, text: str) -> None:
        self.metadata["traceback_"] = text

    def register_hook(self, hook):
        """Call ``hook(grad_inputs, grad_outputs)`` after this node ran in a backward pass."""
        return _hooks_of(self).add("post", hook)

    def register_prehook(self, hook):
        """Call ``hook(grad_outputs)`` before this node runs in a backward pass."""
        return _hooks_of(self).add("pre", hook)

    def _register_hook_dict(self, hooks):
        _hooks_of(self).post = hooks

    def __repr__(self) -> str:
        return f"<{self.name()} object at {hex(id(self))}>"

    def outputs(self) -> int:
        return self.call.output_count

    def free(self) -> None:
        """Let go of the saved values; a node that needed none can be used again.

        Views save at most the numbers that say where they start; those are kept.
        """
        if (self.saved and self.call.frees) or self.call.once:
            self.saved = None


class NodeHooks:
    """Hooks of one node: before, after, and on the gradient of single outputs."""

    __slots__ = ("outputs", "post", "pre", "retained")

    def __init__(self):
        self.pre: OrderedDict = OrderedDict()
        self.post: OrderedDict = OrderedDict()
        self.outputs: dict[int, OrderedDict] = {}
        self.retained: dict[int, weakref.ref] = {}

    def add(self, kind: str, hook):
        return RemovableHandle(getattr(self, kind), hook)

    def add_output(self, nr: int, hook):
        return RemovableHandle(self.outputs.setdefault(nr, OrderedDict()), hook)


def _hooks_of(node) -> NodeHooks:
    if node.hooks is None:
        node.hooks = NodeHooks()
    return node.hooks


hooks_of = _hooks_of


class RemovableHandle:
    """Removes a hook again: ``handle.remove()``, or at the end of a ``with`` block."""

    _ids = count()

    def __init__(self, hooks_dict, hook=None, *, extra_dict=None):
        self.id = next(RemovableHandle._ids)
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.extra = extra_dict or []
        if hook is not None:
            hooks_dict[self.id] = hook

    def remove(self) -> None:
        """Take the hook away; calling it twice does no harm."""
        hooks = self.hooks_dict_ref()
        if hooks is not None:
            hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


_node_classes: dict[str, type[Node]] = {}


def node_class(name: str) -> type[Node]:
    """The class of nodes called ``name``: its name is what ``type(t.grad_fn).__name__`` shows."""
    found = _node_classes.get(name)
    if found is None:
        found = _node_classes[name] = type(name, (Node,), {"__slots__": ()})
    return found


def make_node(cls, call, edges, saved) -> Node:
    node = object.__new__(cls)
    node.call = call
    node.edges = edges
    node.saved = saved
    node.hooks = None
    node.extra = None
    node.sequence = next(sequence)
    return node


class AccumulateGrad(Node):
    """The end of the graph: adds a gradient to its leaf's ``grad``."""

    __slots__ = ("_variable", "post_accumulate", "spec")

    def __init__(self, tensor):
        self.call = None
        self.edges = ()
        self.saved = ()
        self.hooks = None
        self.extra = None
        self.sequence = -1
        self.spec = tensor._value.spec
        self._variable = weakref.ref(tensor)
        self.post_accumulate: OrderedDict | None = None

    @property
    def variable(self):
        """The leaf tensor, or None when it is gone."""
        return self._variable()

    def outputs(self) -> int:
        return 1


def _nobody():
    return None


def dead_end(tensor) -> AccumulateGrad:
    """The node of a view made within ``no_grad`` of a tensor that requires gradients.

    PyTorch says that such a view requires gradients, and is a leaf, but none ever arrive.
    """
    node = AccumulateGrad(tensor)
    node._variable = _nobody
    return node


def is_dead_end(node) -> bool:
    """Whether gradients that arrive at the node are dropped."""
    return node.__class__ is AccumulateGrad and node._variable is _nobody


def saved_handle(node: Node, position: int, value):
    """A saved value as a tensor that is connected to the graph it came from."""
    call = node.call
    if position < call.input_count:
        edge = node.edges[position]
        if edge is None or edge[0] is None:
            return _number_or_tensor(value)
        return wrap(value, edge[0], edge[1])
    if value.spec.dtype.category < FLOAT:  # indices are outputs without a gradient
        return wrap(value)
    return wrap(value, node, position - call.input_count)


def _number_or_tensor(value):
    """A saved number as itself; inside a trace values are nodes, or numbers of the body."""
    spec = getattr(value, "spec", None)
    if spec is None:
        return value
    number = getattr(value, "buffer", None) if spec.weak else None
    return wrap(value) if number is None else number
