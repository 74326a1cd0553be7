"""The pool of native threads: started when first needed, anew after a fork, never joined.

The state that native code works with is described in pool_code.py. Workers run no Python,
hold no lock while they wait and block all signals, so the interpreter may exit around them.
"""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import threading
import time

import numpy as np

from facula.engines.native import jit, pool_code, target
from facula.engines.native.kernel import Kernel
from facula.engines.native.pool_code import Seat, Word

MOST = 128
_POSIX = hasattr(signal, "pthread_sigmask")  # elsewhere every kernel runs on its caller
SPIN = 100_000  # ns that a worker looks for work before it sleeps
_WORKER = jit.with_others(Kernel("pool", "pool worker", pool_code.worker))
_FUNCTIONS = {
    Word.YIELD: "sched_yield",
    Word.CLOCK: "clock_gettime",
    Word.LOCK: "pthread_mutex_lock",
    Word.UNLOCK: "pthread_mutex_unlock",
    Word.WAIT: "pthread_cond_wait",
    Word.BROADCAST: "pthread_cond_broadcast",
}


class Pool:
    """The pool of this process; its memory is never freed, as workers look at it to the end."""

    def __init__(self) -> None:
        memory = np.zeros(Word.SEATS + MOST * Seat.SIZE + 8, np.int64)
        self.words = memory[-(memory.ctypes.data // 8) % 8 :]  # from where a cache line begins
        self.address: int = self.words.ctypes.data
        self.count = 0
        self.started = 0
        self.reset()

    def reset(self) -> None:
        """No workers yet: as at first, and in the child of a fork, where they do not exist."""
        self.lock = threading.Lock()
        self.started = 0
        self.words[:] = 0
        self.words[Word.SPIN] = SPIN
        if not _POSIX:
            return
        library = ctypes.CDLL(None)
        for place, name in _FUNCTIONS.items():
            self.words[place] = ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
        self.words[Word.CLOCK_ID] = time.CLOCK_MONOTONIC

    def start(self) -> None:
        """Starts the workers that are missing; the limit tells native code how many to use."""
        with self.lock:
            self.count = self.count or min(target.cores(), MOST)
            if _POSIX and self.started < self.count - 1:
                (entry,) = jit.load([_WORKER])
                before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
                try:
                    while self.started < self.count - 1 and self._start_one(entry):
                        self.started += 1
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self.words[Word.LIMIT] = min(self.count, self.started + 1)

    def _start_one(self, entry: int) -> bool:
        library, thread = ctypes.CDLL(None), ctypes.c_size_t()
        place = Word.SEATS + (self.started + 1) * Seat.SIZE
        self.words[place + Seat.NUMBER] = self.started + 1
        self.words[place + Seat.POOL] = self.address
        seat = self.address + 8 * place
        library.pthread_mutex_init(ctypes.c_void_p(seat + 8 * Seat.MUTEX), None)
        library.pthread_cond_init(ctypes.c_void_p(seat + 8 * Seat.CONDITION), None)
        function, argument = ctypes.c_void_p(entry), ctypes.c_void_p(seat)
        if library.pthread_create(ctypes.byref(thread), None, function, argument):
            return False
        library.pthread_detach(thread)
        return True


@functools.cache
def pool() -> Pool:
    """The one pool; workers are started when a plan first has use for them."""
    made = Pool()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=made.reset)
    return made


def set_count(count: int) -> None:
    """Let at most ``count`` threads share a kernel, the one that calls it included."""
    now = pool()
    now.count = max(1, min(count, MOST))
    if now.words[Word.LIMIT]:  # it is in use; otherwise it starts when a plan needs it
        now.start()


def get_count() -> int:
    """How many threads may share a kernel."""
    return pool().count or target.cores()
