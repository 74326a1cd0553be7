"""Gradients as functions of functions: grad, vjp, jvp, Jacobians, Hessians."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

from facula import operators as ops
from facula import tensors
from facula.autograd import public as autograd
from facula.autograd.modes import enable_grad
from facula.func.trees import leaves, mapped, rebuilt, tensors_of
from facula.tensors import Tensor

Argnums = int | tuple[int, ...]

_BASIS_ELEMENTS = 1 << 20  # of unit vectors that are made at once


def _tracked(x: Any) -> Any:
    """A tensor with a place of its own in the gradient graph; an outer one stays connected."""
    if not isinstance(x, Tensor) or not (x.is_floating_point() or x.is_complex()):
        return x
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_()


def _plain(x: Any, outer: bool) -> Any:
    """Without history, unless an outer gradient is being taken."""
    return x if outer or not isinstance(x, Tensor) else x.detach()


def _shown(tree: Any, outer: bool) -> Any:
    """What the user gets of a tree of results."""
    return mapped(lambda x: _plain(x, outer), tree)


def _outer(*trees: Any) -> bool:
    """Whether some tensor is part of a gradient graph already."""
    return any(isinstance(x, Tensor) and x.requires_grad for tree in trees for x in leaves(tree))


def _picked(args: tuple, argnums: Argnums) -> tuple[tuple, list[int]]:
    """The arguments with the chosen ones tracked, and which those are."""
    chosen = [argnums] if isinstance(argnums, int) else list(argnums)
    chosen = [n + len(args) if n < 0 else n for n in chosen]
    for n in chosen:
        if not 0 <= n < len(args):
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
    new = [mapped(_tracked, a) if i in chosen else a for i, a in enumerate(args)]
    return tuple(new), chosen


def _pull_back(
    outputs: list[Tensor], inputs: list[Tensor], weights: Any, traced: bool = True
) -> list[Tensor]:
    """Gradients of outputs, zeros where nothing depends on an input.

    ``traced`` says whether they are to be differentiated again, which costs some time.
    """
    pairs = [(o, w) for o, w in zip(outputs, weights, strict=True) if o.requires_grad]
    if not pairs:
        return [tensors.zeros_like(x.detach()) for x in inputs]
    found = autograd.grad(
        [o for o, _ in pairs],
        inputs,
        [w for _, w in pairs],
        retain_graph=True,
        create_graph=traced,
        allow_unused=True,
    )
    pulled = zip(found, inputs, strict=True)
    return [tensors.zeros_like(x.detach()) if g is None else g for g, x in pulled]


def grad_and_value(func: Callable, argnums: Argnums = 0, has_aux: bool = False) -> Callable:
    """A function that returns (gradient, value) of a function with a scalar result."""

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with enable_grad():
            outer = _outer(args, kwargs)
            new, chosen = _picked(args, argnums)
            result = func(*new, **kwargs)
            value, aux = result if has_aux else (result, None)
            if not isinstance(value, Tensor) or value.dim():
                shape = getattr(value, "shape", type(value).__name__)
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got "
                    f"{shape}"
                )
            trees = [new[n] for n in chosen]
            flat = tensors_of(trees, "arguments to differentiate by")
            found = _pull_back([value], flat, [None], outer)
            grads = rebuilt(trees, [_plain(g, outer) for g in found])
        answer = grads[0] if isinstance(argnums, int) else tuple(grads)
        value = _plain(value, outer)
        if has_aux:
            return answer, (value, _shown(aux, outer))
        return answer, value

    return wrapped


def grad(func: Callable, argnums: Argnums = 0, has_aux: bool = False) -> Callable:
    """A function that returns the gradient of a function with a scalar result.

    >>> import facula as torch
    >>> torch.func.grad(lambda x: x**3)(torch.tensor(2.0))
    tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        answer, value = both(*args, **kwargs)
        return (answer, value[1]) if has_aux else answer

    return wrapped


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """(value, function from weights of the value to gradients of ``primals``)."""
    with enable_grad():
        outer = _outer(primals)
        tracked = mapped(_tracked, primals)
        result = func(*tracked)
    value, aux = result if has_aux else (result, None)
    outputs = tensors_of(value, "results")
    inputs = tensors_of(tracked, "arguments to differentiate by")

    def pull_back(*cotangents: Any) -> Any:
        weights = leaves(cotangents[0] if len(cotangents) == 1 else cotangents)
        keep = outer or _outer(cotangents)
        with enable_grad():
            found = _pull_back(outputs, inputs, weights, keep)
        grads = rebuilt(tracked, [_plain(g, keep) for g in found])
        return tuple(grads)

    shown = _shown(value, outer)
    return (shown, pull_back, _shown(aux, outer)) if has_aux else (shown, pull_back)


def jvp(func: Callable, primals: tuple, tangents: tuple, *, has_aux: bool = False) -> tuple:
    """(value, how it changes when ``primals`` change along ``tangents``)."""
    with enable_grad():
        outer = _outer(primals, tangents)
        tracked = mapped(_tracked, tuple(primals))
        result = func(*tracked)
        value, aux = result if has_aux else (result, None)
        outputs = tensors_of(value, "results")
        inputs = tensors_of(tracked, "primals")
        # The derivative of the pull-back in its (linear) weights is the push-forward.
        weights = [tensors.zeros_like(o.detach()).requires_grad_() for o in outputs]
        pulled = _pull_back(outputs, inputs, weights)
        moved = _pull_back(pulled, weights, leaves(tuple(tangents)), outer)
    shown = _shown(value, outer)
    change = rebuilt(value, [_plain(m, outer) for m in moved])
    return (shown, change, _shown(aux, outer)) if has_aux else (shown, change)


def _basis(shape: tuple, dtype: Any) -> Iterator[Tensor]:
    """One after the other, the tensors of a shape that are 1 in one place and 0 elsewhere.

    Each is a value that is given, so what is computed from them is one program for all of them.
    """
    count = math.prod(shape)
    at_once = max(1, _BASIS_ELEMENTS // max(count, 1))
    places = tensors.arange(count)
    for begin in range(0, count, at_once):
        some = tensors.arange(begin, min(begin + at_once, count))
        yield from (some[:, None] == places).to(dtype).reshape(-1, *shape).unbind(0)


def _rows(output: Tensor, inputs: list[Tensor], traced: bool) -> list[Tensor]:
    """The Jacobian of one output by each input: shape of the output, then of the input."""
    if not output.numel():
        return [tensors.zeros(*output.shape, *x.shape, dtype=x.dtype) for x in inputs]
    basis = _basis(output.shape, output.dtype)
    rows = [_pull_back([output], inputs, [one], traced) for one in basis]
    columns = zip(*rows, strict=True)
    return [ops.stack(list(c)).reshape(*output.shape, *c[0].shape) for c in columns]


def _columns(outputs: list[Tensor], inputs: list[Tensor], traced: bool) -> list[list[Tensor]]:
    """The same for every output, an element of the inputs at a time."""
    weights = [tensors.zeros_like(o.detach()).requires_grad_() for o in outputs]
    pulled = _pull_back(outputs, inputs, weights)
    found: list[list[Tensor]] = [[] for _ in outputs]
    for n, x in enumerate(inputs):
        moved = [
            _pull_back([pulled[n]], weights, [one], traced) for one in _basis(x.shape, x.dtype)
        ]
        for k, out in enumerate(outputs):
            shape = (*out.shape, *x.shape)
            columns = [m[k] for m in moved]
            found[k].append(
                ops.stack(columns, -1).reshape(shape)
                if columns
                else tensors.zeros(*shape, dtype=out.dtype)
            )
    return found


def jacrev(
    func: Callable,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable:
    """A function that returns the Jacobian, computed one row at a time."""

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with enable_grad():
            outer = _outer(args, kwargs)
            new, chosen = _picked(args, argnums)
            result = func(*new, **kwargs)
            value, aux = result if has_aux else (result, None)
            trees = [new[n] for n in chosen]
            inputs = tensors_of(trees, "arguments to differentiate by")

            def of_one(output: Tensor) -> Any:
                found = rebuilt(trees, [_plain(r, outer) for r in _rows(output, inputs, outer)])
                return found[0] if isinstance(argnums, int) else tuple(found)

            jacobian = mapped(of_one, value)
        return (jacobian, _shown(aux, outer)) if has_aux else jacobian

    return wrapped


def jacfwd(
    func: Callable,
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
    chunk_size: int | None = None,
) -> Callable:
    """A function that returns the Jacobian, computed one column at a time."""

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with enable_grad():
            outer = _outer(args, kwargs)
            new, chosen = _picked(args, argnums)
            result = func(*new, **kwargs)
            value, aux = result if has_aux else (result, None)
            trees = [new[n] for n in chosen]
            inputs = tensors_of(trees, "arguments to differentiate by")
            columns = iter(_columns(tensors_of(value, "results"), inputs, outer))

            def of_one(output: Tensor) -> Any:
                found = rebuilt(trees, [_plain(c, outer) for c in next(columns)])
                return found[0] if isinstance(argnums, int) else tuple(found)

            jacobian = mapped(of_one, value)
        return (jacobian, _shown(aux, outer)) if has_aux else jacobian

    return wrapped


def hessian(func: Callable, argnums: Argnums = 0) -> Callable:
    """A function that returns the matrix of second derivatives."""
    return jacfwd(jacrev(func, argnums), argnums)
