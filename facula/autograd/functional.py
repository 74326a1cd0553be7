"""``torch.autograd.functional``: Jacobians, Hessians and their products."""

from __future__ import annotations

from facula.autograd.backward import as_sequence
from facula.autograd.handle import TensorBase
from facula.autograd.modes import enable_grad
from facula.autograd.public import grad


def _prepared(inputs, create_graph):
    single = isinstance(inputs, TensorBase)
    tensors = as_sequence(inputs)
    if create_graph:
        return single, tuple(
            [x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in tensors]
        )
    return single, tuple([x.detach().requires_grad_() for x in tensors])


def _one(single, values):
    return values[0] if single else tuple(values)


def _or_zeros(found, inputs):
    return [x.detach() * 0 if g is None else g for g, x in zip(found, inputs, strict=True)]


def _done(values, create_graph):
    return values if create_graph else [v.detach() for v in values]


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(outputs, product of a vector with the Jacobian)."""
    with enable_grad():
        single, inputs = _prepared(inputs, create_graph)
        outputs = func(*inputs)
        one = isinstance(outputs, TensorBase)
        outs = as_sequence(outputs)
        found = grad(
            outs,
            inputs,
            None if v is None else as_sequence(v),
            create_graph=create_graph,
            retain_graph=True,
            allow_unused=True,
        )
        found = _or_zeros(found, inputs)
    return _one(one, _done(outs, create_graph)), _one(single, _done(found, create_graph))


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(outputs, product of the Jacobian with a vector), by differentiating the vjp."""
    with enable_grad():
        _, inputs = _prepared(inputs, create_graph)
        outputs = func(*inputs)
        one = isinstance(outputs, TensorBase)
        outs = as_sequence(outputs)
        dummies = [(o.detach() * 0).requires_grad_() for o in outs]
        found = grad(outs, inputs, dummies, create_graph=True, allow_unused=True)
        pairs = [(g, i) for i, g in enumerate(found) if g is not None]
        vectors = [x.detach() * 0 + 1 for x in inputs] if v is None else as_sequence(v)
        out = grad(
            [g for g, _ in pairs],
            dummies,
            [vectors[i] for _, i in pairs],
            create_graph=create_graph,
            allow_unused=True,
        )
        out = _or_zeros(out, dummies)
    return _one(one, _done(outs, create_graph)), _one(one, _done(out, create_graph))


def jacobian(
    func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"
):
    """The Jacobian of ``func``: shape of the output followed by the shape of the input."""
    with enable_grad():
        single, inputs = _prepared(inputs, create_graph)
        outputs = func(*inputs)
        one = isinstance(outputs, TensorBase)
        rows = []
        for out in as_sequence(outputs):
            flat = out.reshape(-1)
            per_input = [[] for _ in inputs]
            for i in range(out.numel()):
                found = grad(
                    flat[i], inputs, retain_graph=True, create_graph=create_graph, allow_unused=True
                )
                for column, g in zip(per_input, _or_zeros(found, inputs), strict=True):
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
    single = isinstance(inputs, TensorBase)

    def first(*given):
        out = func(*given)
        return tuple(_or_zeros(grad(out, given, create_graph=True, allow_unused=True), given))

    found = jacobian(first, as_sequence(inputs), create_graph=create_graph)
    return found[0][0] if single else found


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(output, product of a vector with the Hessian)."""
    with enable_grad():
        single, inputs = _prepared(inputs, create_graph)
        out = func(*inputs)
        first = grad(out, inputs, create_graph=True, allow_unused=True)
        pairs = [(g, i) for i, g in enumerate(first) if g is not None and g.requires_grad]
        vectors = [x.detach() * 0 + 1 for x in inputs] if v is None else as_sequence(v)
        found = grad(
            [g for g, _ in pairs],
            inputs,
            [vectors[i] for _, i in pairs],
            create_graph=create_graph,
            allow_unused=True,
        )
        found = _or_zeros(found, inputs)
    return _done([out], create_graph)[0], _one(single, _done(found, create_graph))


hvp = vhp
