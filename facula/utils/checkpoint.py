"""Activation checkpointing: run a part of the network again in backward instead of keeping it."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from facula import autograd, tensors
from facula.autograd.modes import enable_grad, is_grad_enabled, no_grad
from facula.tensors import Tensor


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function did not give what the first one gave."""


def noop_context_fn() -> tuple[Any, Any]:
    """The default `context_fn`: nothing around the first run, nothing around the second."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """Calls `function(*args, **kwargs)` without keeping its intermediate values for backward.

    Backward runs the function a second time, with the random state of the first
    (`preserve_rng_state=True`), and differentiates that run.
    `use_reentrant=True`: positional arguments only, one of them must require a gradient, and
    `backward()` rather than `autograd.grad()` must be used. `False`: any arguments; parameters the
    function uses are found by themselves.
    Differs from PyTorch: gradients of gradients (`create_graph=True`) through a checkpoint are
    refused; `early_stop` and `debug` change nothing.
    Errors: CheckpointError when the second run gives other shapes or dtypes.

    >>> import facula as torch
    >>> from facula.utils.checkpoint import checkpoint
    >>> x = torch.ones(2, requires_grad=True)
    >>> checkpoint(lambda t: (t * t).sum(), x, use_reentrant=False).backward()
    >>> x.grad
    tensor([2., 2.])
    """
    if use_reentrant is None:
        _warn_default("checkpoint")
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if not use_reentrant:
        if determinism_check not in ("default", "none"):
            raise ValueError(
                f"determinism_check should be 'default' or 'none', got {determinism_check!r}"
            )
        run = _Run(function, args, kwargs, preserve, context_fn, determinism_check == "default")
        return run.first()
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if context_fn is not noop_context_fn or debug:
        raise ValueError(
            "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
        )
    if not any(isinstance(arg, Tensor) and arg.requires_grad for arg in args):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2
        )
    return CheckpointFunction.apply(function, preserve, *args)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Runs modules one after the other in `segments` parts, all but the last checkpointed.

    `functions` is an `nn.Sequential` or a list of functions.
    """
    if use_reentrant is None:
        _warn_default("checkpoint_sequential")
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    steps = list(functions.children() if hasattr(functions, "children") else functions)
    size = len(steps) // segments
    for i in range(segments - 1):
        input = checkpoint(
            _chain(steps[i * size : (i + 1) * size]),
            input,
            use_reentrant=use_reentrant,
            preserve_rng_state=preserve,
        )
    return _chain(steps[(segments - 1) * size :])(input)


class CheckpointFunction(autograd.Function):
    """The re-entrant form: backward runs a whole backward of its own."""

    @staticmethod
    def forward(ctx: Any, function: Callable, preserve: bool, *args: Any) -> Any:
        ctx.function = function
        ctx.random = _random_state() if preserve else None
        ctx.args = [None if isinstance(arg, Tensor) else arg for arg in args]
        ctx.places = [i for i, arg in enumerate(args) if isinstance(arg, Tensor)]
        ctx.save_for_backward(*(args[i] for i in ctx.places))
        with no_grad():
            return function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        args = list(ctx.args)
        for i, tensor in zip(ctx.places, ctx.saved_tensors):
            args[i] = _stand_in(tensor)
        with enable_grad(), _random_as(ctx.random):
            outputs = ctx.function(*args)
        if isinstance(outputs, Tensor):
            outputs = (outputs,)
        pairs = [
            (out, grad)
            for out, grad in zip(outputs, grads)
            if isinstance(out, Tensor) and out.requires_grad
        ]
        if not pairs:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        autograd.backward([out for out, _ in pairs], [grad for _, grad in pairs])
        return (None, None, *(a.grad if isinstance(a, Tensor) else None for a in args))


class _Run:
    """One checkpointed call: what is needed to repeat it."""

    def __init__(
        self,
        function: Callable,
        args: tuple,
        kwargs: dict,
        preserve: bool,
        context_fn: Callable[[], tuple[Any, Any]],
        check: bool,
    ) -> None:
        self.function = function
        self.arguments: Any = (args, kwargs)
        self.random = _random_state() if preserve else None
        self.contexts = context_fn()
        self.check = check
        self.inputs: list[Tensor] = []
        self.leaves: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.described: list[tuple] = []

    def first(self) -> Any:
        """Runs the function and hides its graph behind one node that can run it again."""
        if not is_grad_enabled():
            with self.contexts[0]:
                args, kwargs = self.arguments
                return self.function(*args, **kwargs)
        inputs = [t for t in _tensors_in(self.arguments) if t.requires_grad]
        stand_ins = [_stand_in(tensor) for tensor in inputs]
        with self.contexts[0]:
            result = self.call(inputs, stand_ins)
        outputs = _tensors_in(result)
        leaves = _leaves_below(outputs, stand_ins)
        if not inputs and not leaves:
            return result
        self.described = [_description(out) for out in outputs]
        self.outputs = [out.detach() for out in outputs]
        # Kept here, not by the node: they must stay the very objects inside the arguments.
        self.inputs, self.leaves = inputs, leaves
        wrapped = _Recompute.apply(self, *inputs, *leaves)
        self.outputs = []
        wrapped = wrapped if isinstance(wrapped, tuple) else (wrapped,)
        return _replaced(result, outputs, list(wrapped))

    def call(self, inputs: list[Tensor], stand_ins: list[Tensor]) -> Any:
        """The function on its arguments, with some tensors replaced."""
        args, kwargs = _replaced(self.arguments, inputs, stand_ins)
        return self.function(*args, **kwargs)

    def again(self, grads: tuple) -> list:
        """Repeats the call and gives the gradients of inputs and leaves."""
        stand_ins = [_stand_in(tensor) for tensor in self.inputs]
        with enable_grad(), _random_as(self.random), self.contexts[1]:
            outputs = _tensors_in(self.call(self.inputs, stand_ins))
        described = [_description(out) for out in outputs]
        if self.check and described != self.described:
            raise CheckpointError(
                "checkpoint: running the function again gave other tensors than the first time "
                f"(shape, dtype, requires_grad):\nfirst:  {self.described}\nsecond: {described}\n"
                "The function must do the same both times; see determinism_check."
            )
        pairs = [(o, g) for o, g in zip(outputs, grads) if o.requires_grad and g is not None]
        return list(
            autograd.grad(
                [out for out, _ in pairs],
                [*stand_ins, *self.leaves],
                [grad for _, grad in pairs],
                # A tensor made outside but used inside shares its graph with the outer backward.
                retain_graph=True,
                allow_unused=True,
            )
        )


class _Recompute(autograd.Function):
    """The node that stands for a checkpointed call."""

    @staticmethod
    def forward(ctx: Any, run: _Run, *watched: Tensor) -> Any:
        ctx.run = run
        fixed = [o for o, (*_, grad) in zip(run.outputs, run.described) if not grad]
        ctx.mark_non_differentiable(*fixed)
        return tuple(run.outputs) if len(run.outputs) != 1 else run.outputs[0]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        if is_grad_enabled():
            raise RuntimeError(
                "checkpoint: create_graph=True through a checkpointed function is not supported; "
                "call the function directly where gradients of gradients are needed"
            )
        return (None, *ctx.run.again(grads))


def _warn_default(name: str) -> None:
    warnings.warn(
        f"{name}: the use_reentrant parameter should be passed explicitly; it is taken as True. "
        "use_reentrant=False is recommended.",
        stacklevel=3,
    )


def _chain(steps: Sequence[Callable]) -> Callable:
    def run(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return value

    return run


def _random_state() -> Any:
    return tensors.default_generator.get_state()


@contextlib.contextmanager
def _random_as(state: Any) -> Iterator[None]:
    """Runs the body on another state of the default generator and puts the present one back."""
    if state is None:
        yield
        return
    before = _random_state()
    tensors.default_generator.set_state(state)
    try:
        yield
    finally:
        tensors.default_generator.set_state(before)


def _stand_in(tensor: Tensor) -> Tensor:
    """The same value as a fresh leaf, so that a graph ends there."""
    return tensor.detach().requires_grad_(tensor.requires_grad)


def _description(tensor: Tensor) -> tuple:
    return tuple(tensor.shape), tensor.dtype, tensor.requires_grad


def _tensors_in(value: Any) -> list[Tensor]:
    """The tensors inside tuples, lists and dicts, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (tuple, list)):
        return []
    return [tensor for part in value for tensor in _tensors_in(part)]


def _replaced(value: Any, old: Sequence[Tensor], new: Sequence[Tensor]) -> Any:
    """The same structure with tensors of `old`, by identity, exchanged for those of `new`."""
    if isinstance(value, Tensor):
        return next((n for o, n in zip(old, new) if o is value), value)
    if isinstance(value, dict):
        return type(value)((key, _replaced(part, old, new)) for key, part in value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_replaced(part, old, new) for part in value))
    if isinstance(value, (tuple, list)):
        return type(value)(_replaced(part, old, new) for part in value)
    return value


def _leaves_below(outputs: Sequence[Tensor], known: Sequence[Tensor]) -> list[Tensor]:
    """The leaf tensors that outputs depend on, apart from the known ones."""
    leaves: list[Tensor] = []
    todo = [out.grad_fn for out in outputs if out.grad_fn is not None]
    direct = [out for out in outputs if out.grad_fn is None and out.requires_grad]
    seen: set[Any] = set()
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            direct.append(node.variable)
        todo.extend(below for below, _ in node.next_functions if below is not None)
    for leaf in direct:
        if not any(leaf is other for other in (*known, *leaves)):
            leaves.append(leaf)
    return leaves
