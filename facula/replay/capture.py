"""``facula.capture``: a whole function over tensors, modules and optimizers as one program."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from facula.amp.autocast_mode import _state
from facula.autograd.handle import TensorBase
from facula.autograd.modes import modes
from facula.base import dtypes
from facula.base.flags import flags
from facula.replay import trees
from facula.replay.errors import CaptureError
from facula.replay.outcome import Outcome
from facula.replay.recording import Recording
from facula.replay.replay import PLAIN, Replay, difference
from facula.replay.world import Cell
from facula.runtime.recorder import recorder
from facula.tensors import Tensor

_autocast = _state("cpu")
_TRIES = 6  # calls after which two in a row should have been the same program
_KEPT = (
    "A replay could not renew it: return it, or write it into a tensor made outside with copy_()"
)
_WAYS = 64  # programs one function may have


class Captured:
    """A function whose calls are replayed; see :func:`capture`."""

    def __init__(self, function: Callable):
        functools.update_wrapper(self, function)
        self.__wrapped__ = function
        self._called = False
        self._replays: dict[tuple, list[Replay]] = {}
        self._last: dict[tuple, Outcome] = {}
        self._tries: dict[tuple, int] = {}
        self._cells: dict[tuple, Cell] = {}
        self._count = 0

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return f"<captured {self.__wrapped__!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves: list = []
        key: list = [modes.grad, modes.inference, dtypes.defaults.floating]
        if _autocast.enabled:
            key.append(_autocast.dtype)
        for argument in args:
            if argument.__class__ is Tensor:  # what trees.enter does, without the call
                key.append(argument._value.spec)
                key.append(0 if argument._node is None else 1 if argument._grad is None else 2)
                leaves.append(argument)
            else:
                trees.enter(argument, key, leaves)
        if kwargs:
            key.append(tuple(kwargs))
            for argument in kwargs.values():
                trees.enter(argument, key, leaves)
        if len(leaves) > 1 and len({*map(id, leaves)}) != len(leaves):
            known = {id(leaf): i for i, leaf in enumerate(leaves)}
            key.append(tuple([known[id(leaf)] for leaf in leaves]))
        found = tuple(key)
        if recorder.capture is None and not flags.eager:
            for replay in self._replays.get(found, ()):
                if replay.fits(leaves):
                    done = replay.run(leaves)
                    if done is PLAIN:
                        return self.__wrapped__(*args, **kwargs)
                    if done is not None:
                        return done[0]
        return self._call(found, leaves, args, kwargs)

    def _call(self, key: tuple, leaves: list, args: tuple, kwargs: dict) -> Any:
        """An ordinary call, or one that is recorded as a whole."""
        first, self._called = not self._called, True
        if (
            first  # the first call creates what later ones find: optimizer state, lazy parameters
            or recorder.capture is not None
            or flags.eager
            or modes.trace is not None
            or self._count >= _WAYS
            or any(isinstance(x, TensorBase) and x._node is not None and x._grad is not None
                   for x in leaves)
        ):  # fmt: skip
            return self.__wrapped__(*args, **kwargs)
        outcome = self._record(leaves, args, kwargs)
        self._learn(key, leaves, outcome)
        return outcome.given

    def _record(self, leaves: list, args: tuple, kwargs: dict) -> Outcome:
        with recorder.lock:
            outcome = self._watched(leaves, args, kwargs)
        outcome.check_draws()
        outcome.check()
        outcome.give(leaves)
        outcome.release()
        return outcome

    def _watched(self, leaves: list, args: tuple, kwargs: dict) -> Outcome:
        recording = Recording(list(leaves), list(self._cells.values()))
        try:
            recording.begin()
            args, kwargs = _with_tokens(recording, args, kwargs)
            result = self.__wrapped__(*args, **kwargs)
            outcome = Outcome(recording, result)
        except BaseException:
            if recorder.capture is recording:
                recording.abandon()
            raise
        del result
        outcome.find_left_over()
        outcome.run()
        return outcome

    def _learn(self, key: tuple, leaves: list, outcome: Outcome) -> None:
        """Compare with earlier calls: a program seen twice is what the function does."""
        for cell in outcome.found:
            self._cells[cell.key()] = cell
        replays = self._replays.get(key, [])
        if not outcome.kept:
            for replay in replays:
                if difference(replay.outcome, outcome) is None:
                    replay.widen(outcome)
                    return
        if len(self._last) > _WAYS:
            self._last.clear()
        # Calls with the same floats are told apart from those with any floats: Python may
        # compute with them, and then each has a program of its own.
        situation = key, outcome.situation()
        exact = (*situation, tuple(outcome.float_values.values()))
        differs = ""
        for place in dict.fromkeys((exact, situation)):
            last = self._last.get(place)
            found = _why_not(last, outcome)
            if found is None:
                for seen in (self._last, self._tries):
                    seen.clear()
                self._keep(key, leaves, last, outcome)
                return
            differs = found if last is not None or not differs else differs
            self._last[place] = outcome
        self._tries[situation] = self._tries.get(situation, 0) + 1
        most = _TRIES * 4 if outcome.float_values else _TRIES
        if self._tries[situation] > most or (outcome.kept and differs.endswith(_KEPT)):
            raise CaptureError(f"the function cannot be captured: {differs}")

    def _keep(self, key: tuple, leaves: list, last: Outcome, outcome: Outcome) -> None:
        replay = Replay(outcome, [leaf for leaf in leaves if not isinstance(leaf, TensorBase)])
        replay.widen(last)
        self._replays.setdefault(key, []).insert(0, replay)
        self._count += 1
        if self._count == _WAYS:
            warnings.warn(
                f"a captured function has run in {_WAYS} different ways (shapes, numbers, modes); "
                "further ones run uncaptured",
                stacklevel=5,
            )


def _why_not(last: Outcome | None, outcome: Outcome) -> str | None:
    """None if two calls in a row were one program; else what is in the way."""
    if outcome.kept:
        again = last is not None and last.kept
        return f"it keeps {outcome.kept}. {_KEPT if again else ''}"
    if outcome.found or last is None or last.kept:
        return "it keeps finding other tensors to read"
    return difference(last, outcome)


def _with_tokens(recording: Recording, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """The arguments with floats replaced by objects that are recognised in the program."""
    if not recording.floats:
        return args, kwargs
    leaves = iter(recording.leaves)
    return trees.rebuild((args, kwargs), lambda leaf: next(leaves))


def capture(function: Callable | None = None) -> Any:
    """Replay ``function`` as one program, without running its Python again.

    ``function`` may do whole training steps: forward, ``backward()``, ``optimizer.step()``,
    ``zero_grad()``. Its first calls run as they are, and are compared; from then on a call takes
    the values of its arguments and of all tensors the function reads, runs one plan, and writes
    parameters, buffers, optimizer state, gradients and the result. Learning rates and step counts
    are asked for anew, random numbers drawn anew. Other kinds of arguments (shapes, dtypes, static
    values), other modes (train and eval, grad) are captured for themselves.

    What only Python can see is done while capturing, never in a replay: printing, counting,
    appending to lists. Reading a value (``item()``) raises CaptureError with the line. Results have
    no gradient function. Numbers that are neither arguments nor an optimizer's stay as they were.

    >>> import facula as torch
    >>> w = torch.zeros(1, requires_grad=True)
    >>> optimizer = torch.optim.SGD([w], lr=0.5)
    >>> @torch.capture
    ... def step(x):
    ...     loss = ((w - x) ** 2).sum()
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> [step(torch.tensor([2.0])).item() for _ in range(5)]
    [4.0, 0.0, 0.0, 0.0, 0.0]
    """
    if function is None:
        return capture
    return function if isinstance(function, Captured) else Captured(function)
