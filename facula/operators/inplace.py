"""In-place operations: the checks PyTorch makes before a tensor is written, and the write."""

from __future__ import annotations

from facula.autograd.modes import modes
from facula.autograd.node import AccumulateGrad
from facula.operators import views
from facula.operators.basic import cast, expand_copy, write_view

OVERLAP = (
    "unsupported operation: more than one element of the written-to tensor refers to a single "
    "memory location. Please clone() the tensor before performing the operation."
)


_MADE = {
    "no_grad": "A view was created in no_grad mode and is being modified inplace with grad mode "
    "enabled. Given that this use case is ambiguous and error-prone, it is forbidden. Move both "
    "the view and the inplace operation inside the no_grad block, or both outside.",
    "several": "Output {nr} of {name} is a view and is being modified inplace. This view is the "
    "output of a function that returns multiple views. Such functions do not allow the output "
    "views to be modified inplace. You should replace the inplace operation by an out-of-place "
    "one.",
}


def check_writable(target, new=None) -> None:
    """Refuse to write memory seen twice, and what :func:`check_history` refuses."""
    alias = target._alias
    if alias is not None and target._value.spec.numel:
        for size, stride in zip(target._value.spec.shape, alias.strides, strict=True):
            if stride == 0 and size > 1:
                raise RuntimeError(OVERLAP)
    if modes.grad:
        check_history(target, new)


def check_history(target, new=None) -> None:
    """Refuse to change a leaf that requires gradients, or a view of one, in place.

    ``new`` is what is written: where it or the target has a gradient history, views made within
    ``no_grad`` and views of functions that return several are refused, too.
    """
    alias = target._alias
    if alias is not None and alias.made:
        target._sync()
        if target._node is not None or getattr(new, "_node", None) is not None:
            name = target._node.name() if target._node is not None else "a function"
            name = name.partition("Backward")[0]
            raise RuntimeError(_MADE[alias.made].format(nr=target._nr, name=name))
    if target._node.__class__ is AccumulateGrad:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation."
        )
    base = None if alias is None else alias.base
    if base is not None and base._node.__class__ is AccumulateGrad:
        raise RuntimeError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation."
        )


def _check_result(own, new) -> None:
    """Whether a result of spec ``new`` may be written into a tensor of spec ``own``."""
    if new.dtype.category > own.dtype.category:
        raise RuntimeError(
            f"result type {new.dtype.legacy} can't be cast to the desired output type "
            f"{own.dtype.legacy}"
        )
    lead = own.ndim - len(new.shape)
    fits = lead >= 0 and all(
        n in (1, size) for n, size in zip(new.shape, own.shape[lead:], strict=True)
    )
    if not fits:
        raise RuntimeError(
            f"output with shape {list(own.shape)} doesn't match the broadcast shape "
            f"{list(new.shape)}"
        )


def write(target, result, constant=False):
    """Write ``result`` into ``target`` and everything that shares its memory; returns ``target``.

    The result is cast to the target's dtype. Errors are PyTorch's: a leaf that requires gradients
    (or a view of one) cannot be written while gradients are recorded, nor can a result of a higher
    dtype category or of another shape, nor memory in which elements overlap.
    """
    own, new = target._value.spec, result._value.spec
    if constant:  # one number everywhere may also be written to memory seen twice
        if modes.grad:
            check_history(target, result)
    elif modes.grad or target._alias is not None:
        check_writable(target, result)
    if new is not own:
        _check_result(own, new)
        if new.dtype is not own.dtype or new.weak:
            result = cast(result, own.dtype)
        if new.shape != own.shape:
            result = expand_copy(result, own.shape)
    elif result._alias is not None:
        result._sync()
    views.assign(target, result, write_view)
    return target
