"""Operator: a function users call; its body in primitives, its PyTorch name, its derivative.

Calling an operator costs a microsecond or two: its arguments are turned into a key (specs of the
tensors, static arguments), the key finds a :class:`Call` made when the same kind of call was first
seen, and the recorder appends that call's block. Only the first call of a kind runs the body. What
happens is written here; operators in use do it in one function each (see written.py).

A body sees tensors and numbers. It may use other operators and bind primitives (``kit``). Python
floats become inputs of the program, so a body gets them as 0-d tensors and cannot branch on them;
parameters annotated ``Number`` treat ints and bools the same way. All else is static.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from itertools import count
from operator import itemgetter
from types import FunctionType, MethodType
from typing import Any

from facula.autograd.handle import TensorBase, classes, wrap
from facula.autograd.modes import anomaly_seen, detours, modes, tracing
from facula.autograd.node import make_node, node_class, sequence
from facula.autograd.sweep import fitted, zero_grads
from facula.base.caches import Cache
from facula.base.dtypes import FLOAT
from facula.graph.build import Trace
from facula.graph.spec import WEAK
from facula.operators import lookup, pullback, views
from facula.operators.arguments import fill, template_of
from facula.operators.written import missing, written
from facula.runtime.recorder import Entry, recorder
from facula.runtime.value import Value

Number = Any  # annotation: ints and bools given here are inputs of the program, not static
Numbers = Any  # the same, for a parameter that takes a sequence of numbers
Operand = Any  # the same, for parameters that take a tensor or a number
_NUMERIC = ("Number", "Numbers", "Operand")
_OFTEN = (16, 256, 4096)  # writing a function costs as much as hundreds of calls
_new = object.__new__


class Call:
    """One kind of call of one operator: specs and static arguments fixed, body traced."""

    __slots__ = (
        "edge_order", "entry", "frees", "in_specs", "input_count", "layouts", "make_node", "name",
        "node_class", "number", "once", "only", "operator", "out_specs", "output_count", "pick",
        "pulled", "rebuild", "saves", "saves_outputs", "single", "template", "wanted",
    )  # fmt: skip
    _numbers = count()

    def __init__(self, operator: Operator, template: list, specs, wanted: tuple[int, ...]):
        self.operator = operator
        self.frees = True
        self.once = operator.once
        self.template = template
        self.in_specs = tuple(specs)
        self.input_count = len(specs)
        self.wanted = wanted  # operands that need a gradient
        self.number = next(Call._numbers)
        self.entry: Entry | None = None
        self.pulled: dict = {}  # its derivative as blocks, by the specs of the gradients given
        self.name = None
        self.node_class = None
        # of views, by those of their source; numbers in the arguments would make them differ
        self.layouts: dict | None = None if operator.numeric else {}

    def pull_back(self, node, gs, saved):
        """Gradients of the operands from those of the outputs."""
        found = pullback.gradients(self, zero_grads(gs, self.out_specs), saved)
        return fitted(found, self.in_specs)

    def pulled_back(self, given):
        """What ``pulled`` keeps: the derivative as a block, and the operands it gives gradients."""
        found = self.pulled[given] = pullback.block(self, given)
        return found

    def finish(self, outputs, rebuild) -> None:
        self.out_specs = tuple([node.spec for node in outputs])
        self.output_count = len(outputs)
        self.rebuild = rebuild
        self.single = rebuild is None or self.operator.only_first
        self.edge_order = None
        if self.wanted:
            self.saves = pullback.saved_positions(self)
            if self.operator.keeps:
                self.frees = not all(
                    i < self.input_count and self.in_specs[i].weak for i in self.saves
                )
            self.saves_outputs = any(i >= self.input_count for i in self.saves)
            self.pick = picker(self.saves)
            self.only = self.saves[0] if len(self.saves) == 1 else None
            name = self.operator.name
            self.name = name(self.in_specs, self.template) if callable(name) else name
            self.node_class = node_class(self.name)
            self.make_node = _node_maker(self.node_class)
            self.edge_order = self.operator.edge_order or None
            if self.edge_order and len(self.edge_order) != self.input_count:
                self.edge_order = None


def _node(call, values, tensors):
    """The gradient node of a call that was just recorded.

    ``values`` are those of its operands and, if it saves any, of its outputs.
    """
    node = _new(call.node_class)  # what make_node() does
    node.call = call
    if len(tensors) == 1:
        (tensor,) = tensors
        node.edges = ((tensor._node, tensor._nr),)
    else:
        edges = []
        for tensor in tensors:
            edges.append(None if tensor is None else (tensor._node, tensor._nr))
        node.edges = tuple(edges)
    pick = call.pick
    node.saved = () if pick is None else pick(values)
    node.hooks = node.extra = None
    node.sequence = next(sequence)
    if anomaly_seen and modes.anomaly:
        node.line = pullback.current_stack()
    return node


@cache
def _node_maker(cls):
    """``_node`` for one class of nodes.

    A copy of its code: the interpreter notes in the code where the attributes of a class are.
    """
    return FunctionType(_node.__code__.replace(), globals(), "_node")


def _wrapped(call, values, tensors, results):
    """The results of a call as tensors, with a gradient node if they need one."""
    if call.node_class is None:
        return [wrap(value) for value in results]
    node = call.make_node(call, [*values, *results] if call.saves_outputs else values, tensors)
    outputs, made = [], classes.tensor
    for nr, value in enumerate(results):
        tensor = _new(made)  # what wrap() does, without the call
        tensor._value = value
        tensor._node = node if value.spec.dtype.category >= FLOAT else None
        tensor._nr = nr
        tensor._alias = tensor._grad = None
        outputs.append(tensor)
    return outputs


def picker(positions):
    """A function from a list to the tuple of its items at ``positions``; None for no position."""
    if not positions:
        return None
    if len(positions) == 1:
        (only,) = positions
        return lambda values: (values[only],)
    return itemgetter(*positions)


def _unpack(result):
    """Outputs of a body as a list, and how to put them together again (None: a single tensor)."""
    if isinstance(result, TensorBase):
        return [result], None
    return list(result), type(result)


def _result(call, results, values, tensors):
    """The tensor of a call's first result: what wrap() does, with the node of the call."""
    tensor = _new(classes.tensor)
    tensor._value = results[0]
    tensor._alias = None
    if call.node_class is None:
        tensor._node = None
    else:
        if call.saves_outputs:
            values += results
        tensor._node = call.make_node(call, values, tensors)
    tensor._nr = 0
    tensor._grad = None
    return tensor


class _Tables(Cache):
    """Calls of an operator by settings; the settings of the last call are forgotten with them."""

    def __init__(self, operator):
        super().__init__(500)
        self.operator = operator
        self.clear()

    def clear(self) -> None:
        super().clear()
        self.operator.known = ({}, *[missing] * self.operator.arity)


class Operator:
    """See the module's text. Made by the decorator :func:`operator`."""

    def __init__(self, body, *, name, derivative, view, differentiable, edge_order, only_first):
        self.body = body
        self.only_first = only_first
        self.__name__ = body.__name__
        self.__module__ = body.__module__
        self.__doc__ = body.__doc__
        self.__wrapped__ = body
        # Read from the code object: inspect.signature is too slow for hundreds of operators.
        code = body.__code__
        self.positional = code.co_argcount
        count = code.co_argcount + code.co_kwonlyargcount
        self.names = list(code.co_varnames[:count])
        given = dict(
            zip(reversed(self.names[: self.positional]), reversed(body.__defaults__ or ()))
        )
        given.update(body.__kwdefaults__ or {})
        self.defaults = [given.get(name, inspect.Parameter.empty) for name in self.names]
        roles = body.__annotations__
        self.roles = [roles.get(name) in _NUMERIC for name in self.names]
        self.numeric = any(self.roles)  # calls that differ only in numbers share one program
        self.arity = count
        self.strange = 0  # calls that went the general way
        self.name = name
        self.rules = pullback.parse(derivative, self.names)
        self.view = view
        self.once = False  # its node serves one backward pass, whether or not it saved anything
        self.keeps = view is not None  # saved Python numbers survive a backward pass
        self.differentiable = differentiable
        self.edge_order = edge_order
        self.cache = Cache(2000)  # calls by all that distinguishes them
        self.tables = _Tables(self)  # the same by settings, then by operands

    @property
    def __signature__(self):
        return inspect.signature(self.body)

    def __repr__(self) -> str:
        return f"<facula operator {self.__name__}>"

    def __reduce__(self):
        return self.__name__  # copied and pickled by reference, as a function is

    def __get__(self, instance, owner=None):
        return self if instance is None else MethodType(self, instance)

    exchangeable = True  # whether the class may become one with a ``__call__`` written out

    def __call__(self, *args, **kwargs):
        if kwargs or len(args) != self.arity:
            if "out" in kwargs and "out" not in self.names:
                return self.into(kwargs.pop("out"), self(*args, **kwargs))
            args = self._bind(args, kwargs)
        if detours.count and modes.trace is not None:
            made = self.in_trace(args)
            return made[0] if self.only_first else made
        if self.view is not None:
            return self._call_view(args)
        call, values, tensors = lookup.general(self, args)
        self._count(args)
        if not call.single:
            return self.several(call, values, tensors)
        return _result(call, recorder.record(call.entry, values), values, tensors)

    def table(self, settings) -> tuple:
        """(calls by specs of the operands and needs, the settings they share)."""
        found = self.tables.get(settings)
        if found is None:
            found = self.tables.put(settings, {})
        known = self.known = (found, *settings)
        return known

    def learn(self, table, short, key):
        """The call that the general way has found for ``key``, if any; ``table`` will have it."""
        call = self.cache.get(key)
        if call is not None:
            if len(table) >= self.cache.limit:
                table.clear()
            table[short] = call
        return call

    def _count(self, args) -> None:
        """Give the operator a class of its own when calls like this one keep coming."""
        self.strange += 1
        if self.strange in _OFTEN and self.exchangeable:
            function = written(self, args)
            if function is not None:
                self.__class__ = type("Operator", (Operator,), {"__call__": function})

    def again(self, given, more, out):
        """A call that its written-out function was not made for: ``given`` may lack arguments."""
        named = {} if out is missing else {"out": out}
        count = next((i for i, a in enumerate(given) if a is missing), None)
        if count is not None and not more:
            later = zip(self.names[count:], given[count:], strict=True)
            named.update({name: a for name, a in later if a is not missing})
            given = given[:count]
        return Operator.__call__(self, *given, *more, **named)

    def several(self, call, values, tensors):
        """Record a call and return its results, however many there are."""
        results = recorder.record(call.entry, values)
        outputs = _wrapped(call, values, tensors, results)
        if call.rebuild is tuple:
            return tuple(outputs)
        return outputs[0] if call.rebuild is None else _rebuild(call.rebuild, outputs)

    @staticmethod
    def into(out, result):  # operators.out_argument, which builds on operators, puts its own here
        raise NotImplementedError

    def _call_view(self, args):
        """A view operator: its results share the storage of its first operand."""
        alias = getattr(args[0], "_alias", None)
        if alias is None or alias.storage.array is None:
            call, values, tensors = lookup.general(self, args)
            self._count(args)
            if not call.single:
                return self.several_views(call, values, tensors, args)
            out = _result(call, recorder.record(call.entry, values), values, tensors)
            return views.attach(out, tensors[0], self, args, None, call.layouts)
        # The memory is shared with NumPy: nothing is read until the view's value is needed.
        call, values, tensors = lookup.general(self, args, False)
        results = [Value(spec) for spec in call.entry.specs]
        outputs = _wrapped(call, values, tensors, results)
        for i, out in enumerate(outputs):
            views.attach(out, tensors[0], self, args, None if call.single else i, call.layouts)
        if any(out._alias is None for out in outputs):
            return self(args[0].clone(), *args[1:])
        return outputs[0] if call.single else _rebuild(call.rebuild, outputs)

    def several_views(self, call, values, tensors, args):
        """Record a call of a view operator that has several results."""
        results = recorder.record(call.entry, values)
        outputs = _wrapped(call, values, tensors, results)
        source, known = tensors[0], call.layouts
        for i, out in enumerate(outputs):
            views.attach(out, source, self, args, i, known)
        return _rebuild(call.rebuild, outputs)

    def _bind(self, args, kwargs) -> list:
        """All arguments in the order of the signature, defaults filled in."""
        if len(args) > self.positional:
            raise TypeError(
                f"{self.__name__}() takes {self.positional} positional arguments but "
                f"{len(args)} were given"
            )
        full = list(args)
        used = 0
        for name, default in zip(self.names[len(args) :], self.defaults[len(args) :], strict=True):
            if name in kwargs:
                full.append(kwargs[name])
                used += 1
            elif default is inspect.Parameter.empty:
                raise TypeError(
                    f'{self.__name__}() missing 1 required positional argument: "{name}"'
                )
            else:
                full.append(default)
        if used != len(kwargs):
            unknown = next((k for k in kwargs if k not in self.names), None)
            if unknown is None:
                twice = next(k for k in kwargs if k in self.names[: len(args)])
                raise TypeError(f"{self.__name__}() got multiple values for argument '{twice}'")
            raise TypeError(f"{self.__name__}() got an unexpected keyword argument '{unknown}'")
        return full

    def prepare(self, args, values, needs) -> Call:
        """Trace the body for a kind of call seen for the first time."""
        counter = count()
        template = [template_of(a, role, counter) for a, role in zip(args, self.roles, strict=True)]
        specs = [value.spec for value in values]
        wanted = tuple([i for i, s in enumerate(specs) if needs >> i & 1])
        call = Call(self, template, specs, wanted)
        trace = Trace()
        operands = [wrap(trace.input(spec)) for spec in specs]
        outputs, rebuild = _unpack(traced(trace, self.body_with, template, operands))
        out_nodes = [t._value for t in outputs]
        if not any(node.spec.dtype.category >= FLOAT for node in out_nodes):
            call.wanted = ()
        block = trace.block(out_nodes)
        call.entry = Entry(block, self.__name__)
        call.finish(out_nodes, rebuild)
        return call

    def body_with(self, template, operands):
        """Run the body with a template's operands filled in."""
        return self.call_body([fill(t, operands) for t in template])

    def call_body(self, args):
        keywords = dict(zip(self.names[self.positional :], args[self.positional :], strict=True))
        return self.body(*args[: self.positional], **keywords)

    def in_trace(self, args):
        """Inside a trace the body runs at once; with gradients on, its node is attached."""
        if modes.grad and not self.differentiable:
            modes.grad = False
            try:
                return self.call_body(args)
            finally:
                modes.grad = True
        if not (modes.grad and self.rules is not None):
            return self.call_body(args)
        counter = count()
        operands: list = []
        template = [
            template_of(a, role, counter, operands)
            for a, role in zip(args, self.roles, strict=True)
        ]
        wanted = tuple([i for i, t in enumerate(operands) if getattr(t, "_node", None) is not None])
        if not wanted:
            return self.call_body(args)
        modes.grad = False
        try:
            outputs, rebuild = _unpack(self.call_body(args))
        finally:
            modes.grad = True
        specs = [t._value.spec if isinstance(t, TensorBase) else WEAK[type(t)] for t in operands]
        call = Call(self, template, specs, wanted)
        call.finish([t._value for t in outputs], rebuild)
        edges = tuple([(t._node, t._nr) if isinstance(t, TensorBase) else None for t in operands])
        everything = [t._value if isinstance(t, TensorBase) else t for t in (*operands, *outputs)]
        node = make_node(call.node_class, call, edges, tuple([everything[i] for i in call.saves]))
        for nr, out in enumerate(outputs):
            if out._value.spec.dtype.category >= FLOAT:
                outputs[nr] = wrap(out._value, node, nr)
        return outputs[0] if rebuild is None else _rebuild(rebuild, outputs)


def traced(trace: Trace, function: Callable, *args):
    """Run ``function`` with its primitives going into ``trace`` and gradients off."""
    with tracing(trace):
        return function(*args)


def _rebuild(cls, outputs):
    if cls is tuple:
        return tuple(outputs)
    if cls is list:
        return outputs
    return cls(outputs) if not hasattr(cls, "_fields") else cls(*outputs)


def operator(
    body=None,
    *,
    name=None,
    derivative=None,
    view=None,
    differentiable=True,
    edge_order=None,
    only_first=False,
):
    """Make a body an operator.

    ``derivative`` maps parameter names to rules; a rule's own parameter names say what it needs:
    ``g`` (gradient of the first output), ``gs``, ``out``, ``outs``, or a parameter of the body.
    Without it the derivative is composed from those of the operators the body uses.
    ``name`` is the gradient node's name without "Backward0". With ``only_first`` users get the
    first result; the others are what the derivative needs of the computation.
    """

    def make(body):
        base = name
        if base is None:
            base = "".join(part.capitalize() for part in body.__name__.split("_"))
        full = base if callable(base) or base[0] == "=" else f"{base}Backward0"
        if isinstance(full, str) and full[0] == "=":
            full = full[1:]
        return Operator(
            body,
            name=full,
            derivative=derivative,
            view=view,
            differentiable=differentiable,
            edge_order=edge_order,
            only_first=only_first,
        )

    return make if body is None else make(body)


pullback.make_operator.append(operator)
