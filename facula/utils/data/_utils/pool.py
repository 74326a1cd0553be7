"""The parent's side of worker processes: start, ask, receive, notice deaths, stop."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection, wait
from typing import Any

from facula.utils.data._utils import transport, worker

_ALIVE_CHECK_SECONDS = 5.0
_STOP_SECONDS = 5.0
STOP_SECONDS_AFTER_ERROR = 0.5


class WorkerPool:
    """A fixed set of worker processes, each with one pipe for orders and one for results."""

    def __init__(self, job: worker.Job, context: Any, timeout: float) -> None:
        self._timeout = timeout
        self._owner = os.getpid()
        self._orders: list[Connection] = []
        self._results: list[Connection] = []
        self._processes: list[Any] = []
        self.closed = False
        context = context or multiprocessing.get_context()
        try:
            for worker_id in range(job.num_workers):
                self._start(job, worker_id, context)
        except BaseException:
            self.close()
            raise

    def _start(self, job: worker.Job, worker_id: int, context: Any) -> None:
        tasks, orders = context.Pipe(duplex=False)
        results, answers = context.Pipe(duplex=False)
        transport.widen(answers)
        worker.parent_ends.update((orders, results))
        self._orders.append(orders)
        self._results.append(results)
        process = context.Process(
            target=worker.run_worker, args=(job, worker_id, tasks, answers), daemon=True
        )
        try:
            process.start()
        finally:
            # Only the worker may hold these ends, or its death would go unnoticed.
            tasks.close()
            answers.close()
        self._processes.append(process)

    def send(self, worker_id: int, number: int, order: Any) -> None:
        """Gives an order. A dead worker is reported when its answer is due, not here."""
        with contextlib.suppress(BrokenPipeError):
            transport.send(self._orders[worker_id], (number, order))

    def receive(self, worker_ids: list[int]) -> tuple[int, int, Any]:
        """The next answer of any of these workers: (worker, number of the order, reply).

        Errors: RuntimeError when a worker died or the loader's timeout has passed.
        """
        worker_id = -1
        try:
            worker_id = self._wait(worker_ids)
            number, reply = transport.receive(self._results[worker_id])
        except EOFError:
            message = self._obituary(worker_id)
            self.close(STOP_SECONDS_AFTER_ERROR)
            raise RuntimeError(message) from None
        except BaseException:
            # Half a message may have been read (Ctrl-C, timeout): the pipes are of no use now.
            self.close(STOP_SECONDS_AFTER_ERROR)
            raise
        return worker_id, number, reply

    def _wait(self, worker_ids: list[int]) -> int:
        deadline = time.monotonic() + self._timeout if self._timeout > 0 else None
        pipes = {self._results[w]: w for w in worker_ids}
        while True:
            pause = _ALIVE_CHECK_SECONDS
            if deadline is not None:
                pause = min(pause, max(0.0, deadline - time.monotonic()))
            ready = wait(list(pipes), pause)
            if ready:
                return pipes[ready[0]]
            for w in worker_ids:
                # A grandchild may keep the pipe of a dead worker open.
                if not self._processes[w].is_alive() and not self._results[w].poll():
                    raise RuntimeError(self._obituary(w))
            if deadline is not None and time.monotonic() >= deadline:
                raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")

    def _obituary(self, worker_id: int) -> str:
        process = self._processes[worker_id]
        process.join(1.0)
        code = process.exitcode
        head = f"DataLoader worker (pid(s) {process.pid}) exited unexpectedly"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                name = signal.Signals(-code).name
                hint = " (often: out of memory)" if name == "SIGKILL" else ""
                return f"{head}: killed by signal {name}{hint}"
        return f"{head} with exit code {code}; num_workers=0 runs the same code in this process"

    def close(self, patience: float = _STOP_SECONDS) -> None:
        """Stops all workers and waits until they are gone; safe to call again, or after a fork.

        A worker in the middle of a batch has `patience` seconds to end it before it is killed.
        """
        if self.closed or os.getpid() != self._owner:
            return
        self.closed = True
        # A worker leaves after its current batch when its pipes close.
        for end in (*self._orders, *self._results):
            worker.parent_ends.discard(end)
            end.close()
        deadline = time.monotonic() + patience
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
        for stop in (multiprocessing.Process.terminate, multiprocessing.Process.kill):
            for process in self._processes:
                if process.is_alive():
                    stop(process)
                    process.join(1.0)
        for process in self._processes:
            if not process.is_alive():
                process.close()
