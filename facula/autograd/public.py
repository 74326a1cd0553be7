"""``torch.autograd``'s functions: backward, grad, and what tensors need of them."""

from __future__ import annotations

import weakref
from collections import OrderedDict

from facula.autograd.backward import as_sequence, run_backward
from facula.autograd.handle import TensorBase
from facula.autograd.node import AccumulateGrad, RemovableHandle, is_dead_end
from facula.autograd.tools import tools

weak = weakref.ref


def _gradients(tensors, grads):
    if grads is None:
        return [None] * len(tensors)
    return list(as_sequence(grads))


def backward(
    tensors,
    grad_tensors=None,
    retain_graph=None,
    create_graph=False,
    grad_variables=None,
    inputs=None,
) -> None:
    """Add the gradients of ``tensors`` to the ``grad`` of the leaves (or of ``inputs``)."""
    tensors = as_sequence(tensors)
    grads = _gradients(tensors, grad_tensors if grad_variables is None else grad_variables)
    retain = create_graph if retain_graph is None else retain_graph
    targets = None
    if inputs is not None:
        given = as_sequence(inputs)
        if not given:
            raise RuntimeError("'inputs' argument to backward() cannot be empty.")
        targets = [_target(x) for x in given]
        for (node, _), tensor in zip(targets, given, strict=True):
            if not isinstance(node, AccumulateGrad):
                tensor.retain_grad()
    run_backward(tensors, grads, retain, create_graph, targets, accumulate=True)


def _target(tensor):
    tensor._sync()
    if tensor._node is None:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return tensor._node, tensor._nr


def grad(
    outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True,
    allow_unused=None, is_grads_batched=False, materialize_grads=False,
):  # fmt: skip
    """Gradients of ``outputs`` with respect to ``inputs``, as a tuple.

    >>> import facula as torch
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> torch.autograd.grad(x * x, x)
    (tensor(6.),)
    """
    outputs, inputs = as_sequence(outputs), as_sequence(inputs)
    if allow_unused is None:
        allow_unused = materialize_grads
    retain = create_graph if retain_graph is None else retain_graph
    targets = [_target(x) for x in inputs]
    grads = _gradients(outputs, grad_outputs)
    results = run_backward(outputs, grads, retain, create_graph, targets, accumulate=False)
    results = [None if is_dead_end(t[0]) else r for r, t in zip(results, targets, strict=True)]
    if materialize_grads:
        results = [
            _zeros_for(x, create_graph) if r is None else r
            for r, x in zip(results, inputs, strict=True)
        ]
    elif not allow_unused and any(r is None for r in results):
        position = next(i for i, r in enumerate(results) if r is None)
        raise RuntimeError(
            f"The differentiated Tensor at index {position} appears to not have been used in the "
            "graph. Set allow_unused=True if this is the desired behavior."
        )
    return tuple(results)


def _zeros_for(tensor, requires_grad: bool):
    """The gradient of an input that was not used."""
    zeros = tools.zeros(tensor._value.spec)
    if requires_grad:
        zeros._node = AccumulateGrad(zeros)
    return zeros


def check_grad(tensor, value) -> None:
    """What may be assigned to ``tensor.grad``."""
    if value is None:
        return
    if not isinstance(value, TensorBase):
        raise TypeError(
            "assigned grad expected to be a Tensor or None but got grad of type "
            f"{type(value).__name__}"
        )
    if value is tensor:
        raise RuntimeError("can't assign Variable as its own grad")
    own, new = tensor._value.spec, value._value.spec
    if new.shape != own.shape:
        raise RuntimeError(
            f"attempting to assign a gradient of size '{list(new.shape)}' to a tensor of size "
            f"'{list(own.shape)}'. Please ensure that the gradient and the tensor are the same size"
        )
    if new.dtype is not own.dtype:
        raise RuntimeError(
            f"attempting to assign a gradient with dtype {new.dtype!r} to a tensor of dtype "
            f"{own.dtype!r}. The gradient must have the tensor's dtype: convert it with "
            f".to({own.dtype!r})"
        )


def register_post_accumulate(tensor, hook) -> RemovableHandle:
    """A hook that runs after a leaf's gradient was accumulated."""
    node = tensor._node
    if not isinstance(node, AccumulateGrad):
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    if node.post_accumulate is None:
        node.post_accumulate = OrderedDict()
    return RemovableHandle(node.post_accumulate, hook)
