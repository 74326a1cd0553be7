"""``torch.autograd.Function``: operations with a derivative written by the user."""

from __future__ import annotations

from typing import Any

from facula.autograd.handle import TensorBase, wrap
from facula.autograd.modes import enable_grad, modes, no_grad
from facula.autograd.node import FREED, Node, make_node
from facula.autograd.tools import tools
from facula.base.dtypes import FLOAT


class FunctionCtx:
    """What ``forward`` leaves for ``backward``."""

    def __init__(self):
        self._saved: tuple | None = ()
        self._unmarked: set[int] = set()
        self._dirty: tuple = ()
        self._materialize = True
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors) -> None:
        """Keep tensors for ``backward``; call it at most once, in ``forward``."""
        self._saved = tensors

    def save_for_forward(self, *tensors) -> None:
        """Accepted for forward-mode derivatives, which read the same tensors."""
        self._saved_forward = tensors

    @property
    def saved_tensors(self) -> tuple:
        """What ``save_for_backward`` kept."""
        if self._saved is None:
            raise RuntimeError(FREED)
        return self._saved

    def mark_non_differentiable(self, *tensors) -> None:
        """Outputs that have no gradient."""
        self._unmarked = {id(t) for t in tensors}

    def mark_dirty(self, *tensors) -> None:
        """Inputs that ``forward`` changed in place and returns."""
        self._dirty = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether missing gradients reach ``backward`` as zeros (the default) or as None."""
        self._materialize = value


class _Call:
    """Lets the sweep treat a custom function's node like that of an operator."""

    number = None
    entry = None
    edge_order = None
    saves = ()
    input_count = 0

    def __init__(self, cls, ctx, positions, specs, count, output_specs):
        self.cls = cls
        self.ctx = ctx
        self.positions = positions
        self.specs = specs
        self.count = count
        self.output_specs = output_specs
        self.output_count = len(output_specs)

    def pull_back(self, node, gs, saved):
        if self.ctx._saved is None:
            raise RuntimeError(FREED)
        if self.ctx._materialize:
            gs = [
                tools.zeros(s) if g is None and s is not None else g
                for g, s in zip(gs, self.output_specs, strict=True)
            ]
        found = self.cls.backward(self.ctx, *gs)
        found = list(found) if isinstance(found, (tuple, list)) else [found]
        if len(found) > self.count and all(g is None for g in found[self.count :]):
            found = found[: self.count]
        if len(found) != self.count:
            raise RuntimeError(
                f"function {self.cls.__name__}Backward returned an incorrect number of gradients "
                f"(expected {self.count}, got {len(found)})"
            )
        return [
            self._checked(found[p], s, i)
            for i, (p, s) in enumerate(zip(self.positions, self.specs, strict=True))
        ]

    def _checked(self, grad, spec, position):
        if grad is None:
            return None
        if not isinstance(grad, TensorBase):
            raise TypeError(
                f"function {self.cls.__name__}Backward returned a {type(grad).__name__}; expected "
                "a Tensor or None"
            )
        if grad._value.spec.shape != spec.shape:
            try:
                return tools.sum_to_size(grad, spec.shape)
            except (RuntimeError, IndexError):
                raise RuntimeError(
                    f"Function {self.cls.__name__}Backward returned an invalid gradient at index "
                    f"{position} - got {list(grad._value.spec.shape)} but expected shape "
                    f"compatible with {list(spec.shape)}"
                ) from None
        return grad


class _FunctionNode(Node):
    """Frees what the context saved when the graph is freed."""

    __slots__ = ()

    def __getattr__(self, name):
        return getattr(self.call.ctx, name)

    def free(self) -> None:
        if self.call.ctx._saved:
            self.call.ctx._saved = None


_classes: dict[type, type] = {}


def _node_class(cls):
    found = _classes.get(cls)
    if found is None:
        found = _classes[cls] = type(f"{cls.__name__}Backward", (_FunctionNode,), {"__slots__": ()})
    return found


class Function(FunctionCtx):
    """Base class of custom operations: static ``forward(ctx, ...)`` and ``backward(ctx, *grads)``.

    >>> import facula as torch
    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> x = torch.ones(1, requires_grad=True)
    >>> Double.apply(x).backward()
    >>> x.grad
    tensor([2.])
    """

    setup_context: Any = None

    @staticmethod
    def forward(*args, **kwargs):
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def backward(ctx, *grad_outputs):
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    @classmethod
    def apply(cls, *args):
        """Run ``forward``; its outputs get a node that calls ``backward``."""
        if "vjp" in cls.__dict__ and "backward" not in cls.__dict__:
            cls.backward = cls.vjp
        ctx = FunctionCtx()
        for argument in args:
            if isinstance(argument, TensorBase):
                argument._sync()
        ctx.needs_input_grad = tuple(
            [isinstance(a, TensorBase) and a._node is not None for a in args]
        )
        with no_grad():
            if cls.setup_context is not None:
                result = cls.forward(*args)
                cls.setup_context(ctx, args, result)
            else:
                result = cls.forward(ctx, *args)
        if not modes.grad or not any(ctx.needs_input_grad):
            return result
        return _connected(cls, ctx, args, result)

    @classmethod
    def name(cls) -> str:
        return cls.__name__


def _connected(cls, ctx, args, result):
    """The outputs of ``forward`` with their node attached."""
    outputs = result if isinstance(result, tuple) else (result,)
    positions = [i for i, a in enumerate(args) if isinstance(a, TensorBase)]
    tensors = [args[i] for i in positions]
    specs = [t._value.spec for t in tensors]
    tensor_outputs = [o for o in outputs if isinstance(o, TensorBase)]
    for out in tensor_outputs:
        out._sync()  # forward may have written through views
    output_specs = [o._value.spec if isinstance(o, TensorBase) else None for o in outputs]
    call = _Call(cls, ctx, positions, specs, len(args), output_specs)
    edges = tuple([(t._node, t._nr) for t in tensors])
    node = make_node(_node_class(cls), call, edges, ())
    dirty = {id(t) for t in ctx._dirty}
    replaced = {}
    final = []
    for nr, out in enumerate(outputs):
        if not isinstance(out, TensorBase) or id(out) in ctx._unmarked:
            final.append(out)
            continue
        if out._value.spec.dtype.category < FLOAT:
            final.append(out)
            continue
        if id(out) in dirty:
            _now_made_by(node, nr, out)
            final.append(out)
            continue
        given = any(out is t for t in tensors)
        made = _alias_of(out) if given else out
        made._node, made._nr = node, nr
        replaced[id(out)] = made
        final.append(made)
    saved = ctx._saved or ()
    ctx._saved = tuple([_saved_output(t, replaced, tensor_outputs) for t in saved])
    return tuple(final) if isinstance(result, tuple) else final[0]


def _now_made_by(node, nr, out) -> None:
    """Give a tensor that ``forward`` wrote in place its new history; its base too for a view."""
    alias = out._alias
    if alias is not None and alias.base is not None:
        out._sync()
        tools.assign(out, wrap(out._value, node, nr))
    else:
        out._node, out._nr = node, nr


def _saved_output(tensor, replaced, outputs):
    """A saved output is kept without a reference cycle: through a handle of its own."""
    if tensor is not None and any(tensor is o for o in outputs):
        source = replaced.get(id(tensor), tensor)
        return wrap(source._value, source._node, source._nr)
    return tensor


def _alias_of(tensor):
    with enable_grad():
        return tensor.detach()


def once_differentiable(backward):
    """Mark a ``backward`` whose result is not to be differentiated again."""

    def wrapped(ctx, *grads):
        with no_grad():
            return backward(ctx, *grads)

    return wrapped


InplaceFunction = Function
