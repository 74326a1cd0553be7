"""The worker's side: a process that turns keys into batches until it is told to stop."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import signal
import threading
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

from facula.utils.data._utils import fetch, seeds, transport
from facula.utils.data._utils.errors import WorkerError

# Every pipe end this process keeps as a parent. A forked worker closes its copies: while they are
# open the processes at the other ends cannot see that this process is gone.
parent_ends: weakref.WeakSet[Connection] = weakref.WeakSet()
_ORPHAN_CHECK_SECONDS = 5.0


@dataclasses.dataclass
class WorkerInfo:
    """What `get_worker_info()` tells about a worker; `dataset` is the worker's own copy."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Who this worker process is; None in the main process."""
    return _worker_info


@contextlib.contextmanager
def acting_as(info: WorkerInfo):
    """Runs the body as if this process were the given worker."""
    global _worker_info
    before, _worker_info = _worker_info, info
    try:
        yield
    finally:
        _worker_info = before


@dataclasses.dataclass
class Job:
    """Everything a worker needs to know, sent once when it starts."""

    dataset: Any
    iterable: bool
    auto_collation: bool
    collate_fn: Callable
    drop_last: bool
    base_seed: int
    num_workers: int
    init_fn: Callable | None

    def make_fetcher(self) -> fetch.Fetcher:
        """A fetcher over this process's copy of the dataset; for a stream, a new pass."""
        return fetch.make_fetcher(
            self.dataset, self.iterable, self.auto_collation, self.collate_fn, self.drop_last
        )

    def makes_new_arrays(self) -> bool:
        """Whether the arrays of a batch are surely not kept by user code."""
        return fetch.can_batch(self.auto_collation, self.collate_fn)

    def info(self, worker_id: int) -> WorkerInfo:
        """The worker's identity as user code sees it."""
        return WorkerInfo(worker_id, self.num_workers, self.base_seed + worker_id, self.dataset)


@dataclasses.dataclass(frozen=True)
class Restart:
    """Order and answer: a new epoch begins; everything answered before belongs to the last one."""


@dataclasses.dataclass(frozen=True)
class StreamEnd:
    """Answer: this worker's copy of the stream has no more batches."""


def run_worker(job: Job, worker_id: int, tasks: Connection, results: Connection) -> None:
    """The life of a worker process."""
    # Ctrl-C reaches the whole group; the parent gets it and stops the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for end in list(parent_ends):
        end.close()
    parent_ends.clear()
    global _worker_info
    _worker_info = job.info(worker_id)
    seeds.seed_worker(job.base_seed, worker_id)
    inbox: queue.SimpleQueue = queue.SimpleQueue()
    outbox: queue.SimpleQueue = queue.SimpleQueue()
    stopped = threading.Event()
    for target, args in (
        (_read_tasks, (tasks, inbox, stopped)),
        (_send_results, (outbox, results)),
    ):
        threading.Thread(target=target, args=args, daemon=True).start()
    _serve(_Server(job, worker_id), inbox, outbox, stopped)


class _Server:
    """Answers orders, keeping the fetcher and an error of the start-up code."""

    def __init__(self, job: Job, worker_id: int) -> None:
        self.job = job
        self.where = f"in DataLoader worker process {worker_id}"
        self.fetcher: fetch.Fetcher | None = None
        self.broken: WorkerError | None = None
        try:
            if job.init_fn is not None:
                job.init_fn(worker_id)
        except Exception:
            self.broken = WorkerError(self.where)
        self.restart()

    def restart(self) -> None:
        """Begins a pass over the dataset; an error in doing so answers every order of the pass."""
        self.fetcher = None
        if self.broken is None:
            try:
                self.fetcher = self.job.make_fetcher()
            except Exception:
                self.broken = WorkerError(self.where)

    def answer(self, order: Any) -> Any:
        """The reply to one order; errors become replies too."""
        if isinstance(order, Restart):
            self.restart()
            return order
        if self.fetcher is None:
            return self.broken
        try:
            return self.fetcher(order)
        except Exception as error:
            if self.job.iterable and isinstance(error, StopIteration):
                return StreamEnd()
            return WorkerError(self.where)


def _serve(
    server: _Server, inbox: queue.SimpleQueue, outbox: queue.SimpleQueue, stopped: threading.Event
) -> None:
    while True:
        item = inbox.get()
        if item is None or stopped.is_set():
            return
        number, order = item
        reply = server.answer(order)
        try:
            message = transport.Message((number, reply), server.job.makes_new_arrays())
        except Exception:
            portable = reply if isinstance(reply, WorkerError) else WorkerError(server.where)
            message = transport.Message((number, portable.as_portable()))
        # Drop our references before waiting: a batch must not live until the next one is made.
        del item, order, reply
        outbox.put(message)
        del message


def _read_tasks(tasks: Connection, inbox: queue.SimpleQueue, stopped: threading.Event) -> None:
    """Moves orders from the pipe to the inbox, so that the parent never waits for a busy worker."""
    parent = os.getppid()
    try:
        while True:
            while not wait([tasks], _ORPHAN_CHECK_SECONDS):
                if os.getppid() != parent:
                    os._exit(1)
            inbox.put(transport.receive(tasks))
    except (EOFError, OSError):
        stopped.set()
        inbox.put(None)


def _send_results(outbox: queue.SimpleQueue, results: Connection) -> None:
    """Moves batches to the pipe, so that the worker goes on while the parent is busy."""
    with contextlib.suppress(OSError):
        while True:
            outbox.get().send(results)
