"""``torch.autograd.functional``: Jacobians, Hessians and their products."""

from __future__ import annotations

from facula.autograd.handle import TensorBase
from facula.autograd.modes import enable_grad
from facula.autograd.public import grad


def _tensors(given, what):
    """(whether it is one tensor, all of them as a tuple); TypeError for anything else."""
    if isinstance(given, TensorBase):
        return True, (given,)
    if not isinstance(given, tuple):
        raise TypeError(
            f"The {what} must be either a Tensor or a tuple of Tensors but got {type(given)}."
        )
    for i, x in enumerate(given):
        if not isinstance(x, TensorBase):
            raise TypeError(
                f"The {what} must be either a Tensor or a tuple of Tensors but the value at index "
                f"{i} has type {type(x)}."
            )
    return False, given


def _prepared(inputs, create_graph, name):
    single, tensors = _tensors(inputs, f"inputs given to {name}")
    if create_graph:
        return single, tuple(
            [x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in tensors]
        )
    return single, tuple([x.detach().requires_grad_() for x in tensors])


def _results(func, inputs, name, strict):
    """(whether one tensor is returned, the outputs), which have to depend on inputs if strict."""
    one, outputs = _tensors(func(*inputs), f"outputs of the function given to {name}")
    for i, out in enumerate(outputs):
        if strict and not out.requires_grad:
            raise RuntimeError(
                f"Output {i} of the user-provided function does not require gradients. The outputs "
                "must be computed in a differentiable manner from the input when running in strict "
                "mode."
            )
    return one, outputs


def _one_number(outputs, name):
    """The only output, which must have a single element."""
    if len(outputs) != 1 or outputs[0].numel() != 1:
        raise RuntimeError(
            f"The function given to {name} should return a single Tensor with a single element"
        )
    return outputs[0]


def _vectors(v, like, name):
    """The vector of a product, checked; ones where it may be left out."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(
                f"{name}: the vector v can only be None for a single Tensor with a single element"
            )
        return [like[0].detach() * 0 + 1]
    vectors = _tensors(v, f"vector v given to {name}")[1]
    if len(vectors) != len(like):
        raise RuntimeError(
            f"v is a tuple of invalid length: should be {len(like)} but got {len(vectors)}."
        )
    for i, (a, b) in enumerate(zip(vectors, like, strict=True)):
        if a.shape != b.shape:
            raise RuntimeError(
                f"Entry {i} in v has invalid size: should be {b.shape} but got {a.shape}"
            )
    return list(vectors)


def _grad(outputs, inputs, vectors, create_graph, strict=False):
    """``grad`` with zeros for inputs that no output depends on; refused if strict."""
    pairs = [(o, v) for o, v in zip(outputs, vectors, strict=True) if o.requires_grad]
    found = [None] * len(inputs)
    if pairs:
        found = grad(
            [o for o, _ in pairs], inputs, [v for _, v in pairs], create_graph=create_graph,
            retain_graph=True, allow_unused=True,
        )  # fmt: skip
    if strict and any(g is None for g in found):
        place = next(i for i, g in enumerate(found) if g is None)
        raise RuntimeError(
            f"The output of the user-provided function is independent of input {place}. This is "
            "not allowed in strict mode."
        )
    return _or_zeros(found, inputs)


def _one(single, values):
    return values[0] if single else tuple(values)


def _or_zeros(found, inputs):
    return [x.detach() * 0 if g is None else g for g, x in zip(found, inputs, strict=True)]


def _done(values, create_graph):
    return values if create_graph else [v.detach() for v in values]


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(outputs, product of a vector with the Jacobian)."""
    with enable_grad():
        single, inputs = _prepared(inputs, create_graph, "vjp")
        one, outs = _results(func, inputs, "vjp", strict)
        found = _grad(outs, inputs, _vectors(v, outs, "vjp"), create_graph, strict)
    return _one(one, _done(outs, create_graph)), _one(single, _done(found, create_graph))


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(outputs, product of the Jacobian with a vector), by differentiating the vjp."""
    with enable_grad():
        _, inputs = _prepared(inputs, create_graph, "jvp")
        vectors = _vectors(v, inputs, "jvp")
        one, outs = _results(func, inputs, "jvp", strict)
        dummies = [(o.detach() * 0).requires_grad_() for o in outs]
        found = _grad(outs, inputs, dummies, True, strict)
        out = _grad(found, dummies, vectors, create_graph)
    return _one(one, _done(outs, create_graph)), _one(one, _done(out, create_graph))


def jacobian(
    func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"
):
    """The Jacobian of ``func``: shape of the output followed by the shape of the input."""
    if strict and vectorize:
        raise RuntimeError("jacobian: strict=True and vectorize=True are not supported together")
    with enable_grad():
        single, inputs = _prepared(inputs, create_graph, "jacobian")
        one, outputs = _results(func, inputs, "jacobian", strict)
        rows = []
        for out in outputs:
            flat = out.reshape(-1)
            per_input = [[] for _ in inputs]
            for i in range(out.numel()):
                found = _grad([flat[i]], inputs, [None], create_graph, strict)
                for column, g in zip(per_input, found, strict=True):
                    column.append(g)
            blocks = [
                _stacked(column, out, x, create_graph)
                for column, x in zip(per_input, inputs, strict=True)
            ]
            rows.append(_one(single, blocks))
    return _one(one, rows)


def _stacked(column, out, x, create_graph):
    shape = tuple(out.shape) + tuple(x.shape)
    if not column:
        return x.detach().new_zeros(shape)
    joined = type(column[0]).stack(column).reshape(shape)
    return joined if create_graph else joined.detach()


def hessian(
    func,
    inputs,
    create_graph=False,
    strict=False,
    vectorize=False,
    outer_jacobian_strategy="reverse-mode",
):
    """The matrix of second derivatives of a function with one output."""
    single, inputs = _tensors(inputs, "inputs given to hessian")

    def first(*given):
        outputs = _results(func, given, "hessian", strict)[1]
        return tuple(_grad([_one_number(outputs, "hessian")], given, [None], True, strict))

    found = jacobian(first, inputs, create_graph, strict, vectorize)
    return found[0][0] if single else found


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(output, product of a vector with the Hessian)."""
    with enable_grad():
        single, inputs = _prepared(inputs, create_graph, "vhp")
        vectors = _vectors(v, inputs, "vhp")
        out = _one_number(_results(func, inputs, "vhp", strict)[1], "vhp")
        first = _grad([out], inputs, [None], True, strict)
        found = _grad(first, inputs, vectors, create_graph, strict)
    return _done([out], create_graph)[0], _one(single, _done(found, create_graph))


hvp = vhp
