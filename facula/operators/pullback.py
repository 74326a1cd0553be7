"""How a call's derivative is applied: which values it saves, and the gradients of its operands."""

from __future__ import annotations

import traceback

from facula.autograd.handle import TensorBase, wrap
from facula.autograd.modes import modes, tracing
from facula.autograd.node import AccumulateGrad
from facula.autograd.sweep import Sweep
from facula.autograd.tools import tools
from facula.base.caches import Cache
from facula.graph.build import Trace


class Rule:
    """A derivative rule and the names of what it needs."""

    __slots__ = ("function", "names")

    def __init__(self, function):
        self.function = function
        self.names = function.__code__.co_varnames[: function.__code__.co_argcount]


class Rules:
    """The rules of one operator: one for each parameter, or a joint one for all."""

    __slots__ = ("by_name", "joint")

    def __init__(self, by_name, joint):
        self.by_name = by_name
        self.joint = joint

    def needed(self, wanted_names) -> set[str]:
        if self.joint is not None:
            return set(self.joint.names)
        return {n for w in wanted_names if w in self.by_name for n in self.by_name[w].names}


def parse(derivative, names) -> Rules | None:
    """The rules of an operator from what its decorator was given."""
    if derivative is None:
        return None
    if callable(derivative):
        return Rules({}, Rule(derivative))
    unknown = set(derivative) - set(names)
    if unknown:
        raise ValueError(f"derivative for unknown parameters {sorted(unknown)}")
    return Rules({n: Rule(f) for n, f in derivative.items()}, None)


def _slots(template):
    """Positions of the operands in one argument's template."""
    if isinstance(template, list):
        return [i for t in template for i in _slots(t)]
    index = getattr(template, "index", None)
    return [index] if type(index) is int else []


def parameter_slots(call) -> dict[str, list[int]]:
    """Operand positions of each parameter of the call's operator."""
    return {
        name: _slots(template)
        for name, template in zip(call.operator.names, call.template, strict=True)
    }


def wanted_names(call) -> list[str]:
    """Parameters with at least one operand that needs a gradient."""
    return [n for n, slots in parameter_slots(call).items() if any(s in call.wanted for s in slots)]


def saved_positions(call) -> tuple[int, ...]:
    """Which of operands + outputs the derivative needs; composed ones need all operands."""
    rules = call.operator.rules
    if rules is None:
        return tuple(range(call.input_count))
    needed = rules.needed(wanted_names(call))
    slots = parameter_slots(call)
    positions = {s for name in needed if name in slots for s in slots[name]}
    if "out" in needed:
        positions.add(call.input_count)
    if "outs" in needed:
        positions.update(range(call.input_count, call.input_count + call.output_count))
    return tuple(sorted(positions))


def gradients(call, gs, saved: dict) -> list:
    """Gradients of all operands (None where there is none).

    ``gs`` are the gradients of the outputs (None where nothing arrived), ``saved`` maps positions
    to tensors or numbers. Works inside a trace and on recorded tensors alike.
    """
    operator = call.operator
    if operator.rules is None:
        return _composed(call, gs, saved) if modes.trace is not None else _recorded(call, gs, saved)
    names = parameter_slots(call)
    templates = dict(zip(operator.names, call.template, strict=True))
    count = call.input_count
    known = {"gs": gs, "g": gs[0], "out": saved.get(count), "call": call}
    known["outs"] = [saved.get(count + i) for i in range(call.output_count)]

    def argument(name):
        return known[name] if name in known else _filled(templates[name], saved)

    results: list = [None] * count
    wanted = wanted_names(call)
    if operator.rules.joint is not None:
        rule = operator.rules.joint
        given = [wanted if n == "needs" else argument(n) for n in rule.names]
        found = rule.function(*given)
        if not isinstance(found, dict):
            raise TypeError(
                f"{operator.__name__}: a joint derivative returns {{parameter: gradient}}"
            )
    else:
        found = {}
        for name in wanted:
            rule = operator.rules.by_name.get(name)
            if rule is not None:
                found[name] = rule.function(*[argument(n) for n in rule.names])
    for name in wanted:
        grads = found.get(name)
        for position, slot in enumerate(names[name]):
            grad = grads[position] if isinstance(grads, (list, tuple)) else grads
            if grad is not None and slot in call.wanted:
                results[slot] = grad
    return results


def block(call, given):
    """(block from saved values and gradients to gradients, the operands these are for).

    ``given`` are the specs of the outputs' gradients, None where none arrives.
    """
    trace = Trace()
    known = (*call.in_specs, *call.out_specs)
    with tracing(trace):
        saved = {p: wrap(trace.input(known[p])) for p in call.saves}
        gs = [None if s is None else wrap(trace.input(s)) for s in given]
        found = call.pull_back(None, gs, saved)
    positions = [i for i, g in enumerate(found) if g is not None]
    return trace.block([found[i]._value for i in positions]), positions


def _filled(template, saved):
    if isinstance(template, list):
        return [_filled(t, saved) for t in template]
    index = getattr(template, "index", None)
    return saved.get(index) if type(index) is int else template


def _recorded(call, gs, saved):
    """The composed gradients as one recorded call, which can itself be differentiated.

    Bodies run inside traces only; so the composition becomes the body of an operator.
    """
    made = _gradient_operators.get(call.number)
    if made is None:
        found: list = []  # which operands have a gradient, known once the body has run

        def body(operands, gs):
            grads = _composed(call, gs, dict(enumerate(operands)))
            found[:] = [i for i, g in enumerate(grads) if g is not None]
            return [grads[i] for i in found]

        body.__name__ = f"{call.operator.__name__}_gradient"
        made = _gradient_operators.put(call.number, (make_operator[0](body), found))
    operator, found = made
    grads = operator([saved[i] for i in range(call.input_count)], list(gs))
    results: list = [None] * call.input_count
    for i, grad in zip(found, grads, strict=True):
        results[i] = grad
    return results


_gradient_operators = Cache(1000)
make_operator: list = []  # filled in by the operator module, which stands above this one


def _composed(call, gs, saved):
    """Run the body again with gradients on, and sweep back through what it recorded."""
    operator = call.operator
    operands = []
    targets = {}
    before, modes.grad = modes.grad, True
    try:
        for i in range(call.input_count):
            handle = saved[i]
            if i in call.wanted and isinstance(handle, TensorBase):
                # A node of its own, so that the sweep can stop at this operand.
                handle = _leaf(handle) if handle._node is None else tools.identity(handle)
                targets[i] = (handle._node, handle._nr)
            operands.append(handle)
        outputs = operator.body_with(call.template, operands)
    finally:
        modes.grad = before
    outputs = [outputs] if isinstance(outputs, TensorBase) else list(outputs)
    pairs = [
        (o, g) for o, g in zip(outputs, gs, strict=True) if g is not None and o._node is not None
    ]
    sweep = Sweep([(o._node, o._nr) for o, _ in pairs], stop=set(targets.values()))
    found = sweep.run([g for _, g in pairs])
    return [found.get(targets[i]) if i in targets else None for i in range(call.input_count)]


def _leaf(handle):
    leaf = wrap(handle._value)
    leaf._node = AccumulateGrad(leaf)
    return leaf


def current_stack() -> str:
    """The user's stack, for anomaly detection."""
    return "".join(traceback.format_stack()[:-4])
