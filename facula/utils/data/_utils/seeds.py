"""Seeds of workers: each worker's own random streams, equal to PyTorch's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from facula import tensors
from facula.runtime.generator import exchange
from facula.runtime.streams import Stream


def seed_worker(base_seed: int, worker_id: int) -> None:
    """Seeds the global generators of facula, `random` and NumPy as that worker has them."""
    seed = base_seed + worker_id
    random.seed(seed)
    tensors.manual_seed(seed)
    words = np.random.SeedSequence([worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0])
    np.random.seed(words.generate_state(4))


class WorkerStreams:
    """The random streams of one worker, kept in this process and swapped in while it works.

    With `only_own` the worker surely draws from facula's default generator alone: the states of
    `random` and NumPy, which take long to copy, stay as they are.
    """

    def __init__(self, base_seed: int, worker_id: int, only_own: bool = False) -> None:
        self._base_seed = base_seed
        self._worker_id = worker_id
        self._only_own = only_own
        self._own = Stream((base_seed + worker_id) % 2**64)
        self._states: tuple | None = None

    @contextmanager
    def active(self) -> Iterator[None]:
        """Runs the body on the worker's streams; this process's own are untouched after it."""
        outside = None if self._only_own else _get_states()
        own = exchange(self._own)
        try:
            if outside is not None:
                if self._states is None:
                    seed_worker(self._base_seed, self._worker_id)
                else:
                    _set_states(self._states)
            yield
        finally:
            self._own = exchange(own)
            if outside is not None:
                self._states = _get_states()
                _set_states(outside)


def _get_states() -> tuple:
    return random.getstate(), np.random.get_state()


def _set_states(states: tuple) -> None:
    python, numpy = states
    random.setstate(python)
    np.random.set_state(numpy)
