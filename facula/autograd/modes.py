"""The modes that operations look at: gradients on or off, tracing, inference, anomaly detection."""

from __future__ import annotations

import functools
import inspect
import threading
from typing import Any

from facula.graph.build import Trace


class Modes(threading.local):
    """The current modes of a thread: each thread has its own, as in PyTorch."""

    def __init__(self):
        self.grad = True
        self.inference = False
        self.anomaly = False
        self.anomaly_nan = True
        self.trace: Trace | None = None


modes = Modes()
anomaly_seen: list[bool] = []  # filled when any thread first asks for anomaly detection


class _Detours:
    """How many traces and profilers are on, in all threads together.

    It is almost always zero, and several times cheaper to look at than ``modes.trace`` of the
    thread: while it is not, operations take the long way and look there.
    """

    __slots__ = ("count", "lock")

    def __init__(self):
        self.count = 0
        self.lock = threading.Lock()

    def add(self, change: int) -> None:
        """One more (1) or one less (-1)."""
        with self.lock:
            self.count += change


detours = _Detours()


class tracing:
    """Within it, operations go into a trace instead of the recording, without gradients."""

    def __init__(self, trace: Trace):
        self._trace = trace

    def __enter__(self):
        detours.add(1)
        self._before = modes.trace, modes.grad
        modes.trace, modes.grad = self._trace, False

    def __exit__(self, *exc):
        modes.trace, modes.grad = self._before
        detours.add(-1)


class _ContextDecorator:
    """A context manager that can also decorate functions, generators and classes."""

    def __call__(self, function):
        if inspect.isclass(function):
            return self._decorate_class(function)
        if inspect.isgeneratorfunction(function):
            return self._decorate_generator(function)

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self.clone():
                return function(*args, **kwargs)

        return wrapped

    def _decorate_class(self, cls):
        cls.__init__ = self(cls.__init__)
        return cls

    def _decorate_generator(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            generator = function(*args, **kwargs)
            sent: Any = None
            while True:
                with self.clone():
                    try:
                        item = generator.send(sent)
                    except StopIteration as stop:
                        return stop.value
                sent = yield item

        return wrapped

    def clone(self):
        return type(self)()


class no_grad(_ContextDecorator):
    """Within it, operations record no gradients.

    >>> import facula as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    _wanted = False

    def __new__(cls, function=None):
        self = super().__new__(cls)
        return self(function) if callable(function) else self

    def __enter__(self):
        self._before = modes.grad
        modes.grad = self._wanted

    def __exit__(self, *exc):
        modes.grad = self._before


class enable_grad(no_grad):
    """Within it, operations record gradients even inside ``no_grad``."""

    _wanted = True


class set_grad_enabled(_ContextDecorator):
    """Switch gradients on or off: at once when called, and back when used as a context."""

    def __init__(self, mode: bool):
        self.mode = bool(mode)
        self._before = modes.grad
        modes.grad = self.mode

    def __call__(self, function):
        modes.grad = self._before
        return super().__call__(function)

    def __enter__(self):
        modes.grad = self.mode

    def __exit__(self, *exc):
        modes.grad = self._before

    def clone(self):
        return set_grad_enabled(self.mode)


class inference_mode(_ContextDecorator):
    """Like ``no_grad``; tensors made within it never take part in gradients."""

    def __new__(cls, mode=True):
        self = super().__new__(cls)
        if callable(mode):
            self.mode = True
            return self(mode)
        return self

    def __init__(self, mode: bool = True):
        self.mode = bool(mode)

    def __enter__(self):
        self._before = (modes.grad, modes.inference)
        modes.inference = self.mode
        if self.mode:
            modes.grad = False

    def __exit__(self, *exc):
        modes.grad, modes.inference = self._before

    def clone(self):
        return inference_mode(self.mode)


def is_grad_enabled() -> bool:
    """Whether operations record gradients now."""
    return modes.grad


def is_inference_mode_enabled() -> bool:
    """Whether ``inference_mode`` is on."""
    return modes.inference
