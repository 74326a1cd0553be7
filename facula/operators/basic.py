"""Operators the rest is built on: copies, casts, fills, and the tools of the gradient machinery."""

from __future__ import annotations

from facula.autograd.handle import TensorBase
from facula.autograd.modes import modes
from facula.autograd.tools import tools
from facula.base.dtypes import COMPLEX, FLOAT, dtype
from facula.graph.primitives import elementwise, reduction
from facula.operators import kit, views
from facula.operators.operator import Number, Numbers, operator


@operator(name="Clone", derivative={"input": lambda g: g})
def identity(input):
    """A new tensor with the same value."""
    return input


@operator(name="ToCopy", derivative={"input": lambda g: g})
def cast(input, dtype: dtype):
    """The same numbers in another dtype."""
    return kit.as_dtype(input, dtype)


@operator(differentiable=False)
def full(size: tuple, value: Number, dtype: dtype):
    """A tensor filled with one number."""
    return kit.full(size, value, dtype)


@operator(name="Real", derivative={"input": lambda g: cast(g, g._value.spec.dtype.to_complex())})
def real_part(input):
    """The real part of a complex tensor, as a copy."""
    return kit.bind(elementwise.real, input)


@operator(
    name="Imag", derivative={"input": lambda g: cast(g, g._value.spec.dtype.to_complex()) * 1j}
)
def imag_part(input):
    """The imaginary part of a complex tensor, as a copy."""
    return kit.bind(elementwise.imag, input)


@operator(name="Conj", derivative={"input": lambda g: conj_copy(g)})
def conj_copy(input):
    """The complex conjugate; a real tensor is returned as it is."""
    return kit.bind(elementwise.conj, input)


def conj(x):
    """Conjugate for derivatives: nothing to do for real tensors and numbers."""
    if isinstance(x, TensorBase) and x._value.spec.dtype.category == COMPLEX:
        return conj_copy(x)
    return x.conjugate() if isinstance(x, complex) else x


@operator(name="Sum", derivative={"input": lambda g, call: expand_copy(g, call.in_specs[0].shape)})
def sum_to_size_copy(input, size: tuple):
    """Sum over the axes along which ``size`` was broadcast to the input's shape."""
    shape = input._value.spec.shape
    lead = len(shape) - len(size)
    axes = tuple(range(lead))
    axes += tuple([i + lead for i, n in enumerate(size) if n == 1 and shape[i + lead] != 1])
    if axes:
        input = kit.bind(reduction.total, input, axes=axes)
    return kit.reshape(input, size)


@operator(
    name="Expand", derivative={"input": lambda g, call: sum_to_size_copy(g, call.in_specs[0].shape)}
)
def expand_copy(input, size: tuple):
    """The input repeated to ``size``, as a value of its own."""
    return kit.broadcast_to(input, size)


@operator(
    name="=CopySlices",
    derivative={
        "root": lambda g, structure, numbers: _clear_view(g, structure, numbers),
        "value": lambda g, structure, numbers: _read_view(g, structure, numbers),
    },
)
def _write_view(root, value, structure: tuple, numbers: Numbers):
    return _written(root, value, views.steps_of(structure, numbers))


_write_view.once = True


def _written(root, value, chain):
    befores = [root]
    for step in chain[:-1]:
        befores.append(step.forward(befores[-1]))
    for step, before in zip(reversed(chain), reversed(befores), strict=True):
        value = step.write(before, value)
    return value


def write_view(root, value, chain):
    """``root`` with the elements that a chain of view steps selects replaced by ``value``."""
    return _write_view(root, value, *views.skeletons(chain))


@operator(
    name="CopySlices",
    derivative={"root": lambda g, structure, numbers: _clear_view(g, structure, numbers)},
)
def _clear_view(root, structure: tuple, numbers: Numbers):
    """``root`` with zeros where the chain looks."""
    chain = views.steps_of(structure, numbers)
    seen = root
    for step in chain:
        seen = step.forward(seen)
    own = seen._value.spec
    return _written(root, kit.full(own.shape, 0, own.dtype), chain)


@operator(name="AsStrided")
def _read_view(root, structure: tuple, numbers: Numbers):
    """What a chain of view steps selects from ``root``."""
    for step in views.steps_of(structure, numbers):
        root = step.forward(root)
    return root


def zero_like(x):
    """Zeros of a tensor's shape and dtype."""
    return tools.zeros(x._value.spec)


def one_like(x):
    """Ones of a tensor's shape and dtype, inside a body."""
    return kit.full(x._value.spec.shape, 1, x._value.spec.dtype)


@operator(name="=CopyBackwards", derivative={"self": lambda g: zero_like(g), "src": lambda g: g})
def copy(self, src):
    """``src`` in the shape and dtype of ``self``: what ``self.copy_(src)`` writes."""
    own = self._value.spec
    return kit.broadcast_to(kit.as_dtype(src, own.dtype), own.shape)


@operator(name="Fill", derivative={"self": lambda g: zero_like(g)})
def filled(self, value: Number):
    """One number in the shape and dtype of ``self``: what ``self.fill_(value)`` writes."""
    own = self._value.spec
    return kit.full(own.shape, value, own.dtype)


def _filled(value):
    def make(spec):
        if modes.trace is not None:
            return kit.full(spec.shape, value, spec.dtype)
        return full(spec.shape, value, spec.dtype)

    return make


def write_value(tensor, value) -> None:
    """Replace a tensor's value in place, outside the gradient graph."""
    from_value = views.wrap(value)
    before, modes.grad = modes.grad, False
    try:
        views.assign(tensor, from_value, write_view)
    finally:
        modes.grad = before


def is_real_float(x) -> bool:
    """Whether a tensor has a real floating dtype."""
    return x._value.spec.dtype.category == FLOAT


tools.sum_to_size = sum_to_size_copy
tools.real = real_part
tools.cast = cast
tools.ones = _filled(1)
tools.zeros = _filled(0)
tools.identity = identity
tools.write_value = write_value
tools.assign = lambda target, new: views.assign(target, new, write_view)
