"""gradcheck and gradgradcheck: derivatives against finite differences."""

from __future__ import annotations

import warnings

import numpy as np

from facula.autograd.backward import as_sequence
from facula.autograd.handle import TensorBase
from facula.autograd.public import grad
from facula.base import dtypes


class GradcheckError(RuntimeError):
    """The analytical and the numerical derivative differ."""


def _outputs(function, inputs):
    return [o for o in as_sequence(function(*inputs)) if isinstance(o, TensorBase)]


def _numerical(function, inputs, x, output, eps):
    """d output / d x by central differences: one column for each element of x."""
    array = np.array(x.detach()._buffer())
    flat = array.reshape(-1)
    columns = []
    steps = (eps, 1j * eps) if x.is_complex() else (eps,)
    for i in range(flat.size):
        total = 0
        for step in steps:
            results = []
            for sign in (1, -1):
                kept = flat[i]
                flat[i] = kept + sign * step
                x.data.copy_(_same(x, array))
                results.append(
                    np.array(_outputs(function, inputs)[output].detach()._buffer()).reshape(-1)
                )
                flat[i] = kept
            total = total + (results[0] - results[1]) / (2 * eps) * (1j if step is not eps else 1)
        columns.append(total)
    x.data.copy_(_same(x, array))
    return np.asarray(columns)


def _same(x, array):
    made = x.detach().clone()
    made.data = type(made)._from_array(np.array(array))
    return made


def _analytical(outputs, x, output):
    """The same by one backward pass for each element of the output."""
    out = outputs[output]
    n = out.numel()
    rows = []
    for i in range(n):
        seed = np.zeros(n, out.dtype.numpy)
        seed[i] = 1
        weight = type(out.detach())._from_array(seed.reshape(tuple(out.shape)))
        (found,) = grad(out, x, weight, retain_graph=True, allow_unused=True)
        zero = np.zeros(x.numel(), x.dtype.numpy)
        rows.append(zero if found is None else np.array(found._buffer()).reshape(-1))
    return np.asarray(rows).T.reshape(x.numel(), n)


def gradcheck(
    func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0,
    check_undefined_grad=True, check_grad_dtypes=False, check_batched_grad=False,
    check_batched_forward_grad=False, check_forward_ad=False, check_backward_ad=True,
    fast_mode=False, masked=None,
):  # fmt: skip
    """Compare the derivative of ``func`` with finite differences; inputs should be float64.

    >>> import facula as torch
    >>> x = torch.randn(3, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(torch.sin, (x,))
    True
    """
    inputs = as_sequence(inputs)
    checked = [x for x in inputs if isinstance(x, TensorBase) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck expects at least one input tensor to require gradient")
    for x in checked:
        if x.dtype not in (dtypes.float64, dtypes.complex128):
            warnings.warn("gradcheck inputs should be of double precision", stacklevel=2)
    outputs = _outputs(func, inputs)
    for position, out in enumerate(outputs):
        if not out.requires_grad:
            continue
        for x in checked:
            numerical = _numerical(func, inputs, x, position, eps)
            analytical = _analytical(outputs, x, position)
            if not np.allclose(analytical, numerical, rtol=rtol, atol=atol):
                if not raise_exception:
                    return False
                which = next(i for i, y in enumerate(inputs) if y is x)
                raise GradcheckError(
                    f"Jacobian mismatch for output {position} with respect to input {which},\n"
                    f"numerical:{numerical}\nanalytical:{analytical}\n"
                )
    return True


def gradgradcheck(
    func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3,
    gen_non_contig_grad_outputs=False, raise_exception=True, nondet_tol=0.0,
    check_undefined_grad=True, check_grad_dtypes=False, check_batched_grad=False,
    check_fwd_over_rev=False, check_rev_over_rev=True, fast_mode=False, masked=False,
):  # fmt: skip
    """Compare the second derivative of ``func`` with finite differences of the first."""
    inputs = as_sequence(inputs)
    outputs = [o for o in _outputs(func, inputs) if o.requires_grad]
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        grad_outputs = [
            type(o.detach())
            ._from_array(rng.standard_normal(tuple(o.shape)).astype(o.dtype.numpy))
            .requires_grad_()
            for o in outputs
        ]
    grad_outputs = list(as_sequence(grad_outputs))
    count = len(inputs)

    def first_derivative(*arguments):
        own, weights = arguments[:count], arguments[count:]
        outs = [o for o in _outputs(func, own) if o.requires_grad]
        wanted = [x for x in own if isinstance(x, TensorBase) and x.requires_grad]
        found = grad(outs, wanted, list(weights), create_graph=True, allow_unused=True)
        return tuple([g for g in found if g is not None])

    return gradcheck(
        first_derivative, (*inputs, *grad_outputs), eps=eps, atol=atol, rtol=rtol,
        raise_exception=raise_exception,
    )  # fmt: skip
