"""The iterators behind `iter(loader)`: in this process, with workers, and with imagined workers."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Iterator
from typing import Any

from facula.utils.data._utils import fetch, pool, seeds, worker
from facula.utils.data._utils.errors import WorkerError
from facula.utils.data.sampler import draw_seed


class _BaseDataLoaderIter(Iterator):
    """One pass over a loader: keeps the sampler's position and the job every worker gets."""

    def __init__(self, loader: Any) -> None:
        # Fields are copied, the loader is not kept: a loader may keep its iterator
        # (persistent_workers), and workers must stop when the last reference to it goes.
        self._index_sampler = loader._index_sampler
        self._keys = iter(self._index_sampler)
        self._num_workers = loader.num_workers
        self._prefetch = (loader.prefetch_factor or 0) * loader.num_workers
        self._job = worker.Job(
            dataset=loader.dataset,
            iterable=loader._is_stream,
            auto_collation=loader._auto_collation,
            collate_fn=loader.collate_fn,
            drop_last=loader.drop_last,
            # Always drawn, also without workers: it fixes the place of every later random number.
            base_seed=draw_seed(loader.generator),
            num_workers=loader.num_workers,
            init_fn=loader.worker_init_fn,
        )

    def __iter__(self) -> _BaseDataLoaderIter:
        return self

    def __len__(self) -> int:
        return len(self._index_sampler)


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Fetches each batch in this process when it is asked for."""

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self._fetch = self._job.make_fetcher()

    def __next__(self) -> Any:
        return self._fetch(next(self._keys))


class _LocalWorkersDataLoaderIter(_BaseDataLoaderIter):
    """Gives what worker processes would give, made in this process by the dataset's batch code.

    Keys are taken from the sampler as far ahead as with real workers, and every imagined worker
    has its own random streams, so draws and batches are the same.
    """

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self._fetch = self._job.make_fetcher()
        # A dataset that draws nothing needs no streams of its own.
        self._streams: list[seeds.WorkerStreams] = []
        dataset, seed = loader.dataset, self._job.base_seed
        if not dataset.__batch_is_deterministic__():
            only_own = getattr(dataset, "__batch_draws_are_own__", False)
            self._streams = [
                seeds.WorkerStreams(seed, worker_id, only_own)
                for worker_id in range(self._num_workers)
            ]
        self._several = fetch.batches_method(dataset)
        self._ahead: deque[Any] = deque()
        self._ready: deque[Any] = deque()
        self._begin()

    def _begin(self) -> None:
        self._turn = 0
        self._ready.clear()
        self._ahead.extend(itertools.islice(self._keys, self._prefetch))

    def _reset(self, loader: Any) -> None:
        """Starts the next pass with the same imagined workers (`persistent_workers`)."""
        while self._streams and self._ahead:
            # Real workers would have made these batches, and drawn their random numbers.
            self._make(self._ahead.popleft())
        self._ahead.clear()
        self._keys = iter(loader._index_sampler)
        self._begin()

    def _make(self, keys: Any) -> Any:
        worker_id = self._turn
        self._turn = (worker_id + 1) % self._num_workers
        try:
            if not self._streams:
                return self._fetch(keys)
            with (
                self._streams[worker_id].active(),
                worker.acting_as(self._job.info(worker_id)),
            ):
                return self._fetch(keys)
        except Exception:
            return WorkerError(f"in DataLoader worker process {worker_id}")

    def _make_several(self) -> None:
        """Makes the next batches: as many of those ahead as the dataset likes to make at once."""
        if self._several is not None and len(self._ahead) > 1:
            made = self._several(list(self._ahead), self._streams_of)
            if made:
                self._turn = (self._turn + len(made)) % self._num_workers
                for _ in made:
                    self._ahead.popleft()
                self._ready.extend(made)
                return
        self._ready.append(self._make(self._ahead.popleft()))

    def _streams_of(self, number: int) -> contextlib.AbstractContextManager:
        """The random streams for the batch that is this far ahead."""
        return self._streams[(self._turn + number) % self._num_workers].active()

    def __next__(self) -> Any:
        if not self._ready:
            if not self._ahead:
                raise StopIteration
            self._make_several()
        batch = self._ready.popleft()
        for keys in self._keys:
            self._ahead.append(keys)
            break
        if isinstance(batch, WorkerError):
            batch.reraise()
        return batch


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Gives orders to worker processes in turn and delivers their batches in order."""

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self._in_order = loader.in_order
        self._persistent = loader.persistent_workers
        self._open_pool(loader)
        self._begin()

    def _open_pool(self, loader: Any) -> None:
        self._pool = pool.WorkerPool(self._job, loader.multiprocessing_context, loader.timeout)

    def _begin(self) -> None:
        """Starts a pass: gives every worker its first orders."""
        self._sent = 0
        self._open: dict[int, int] = {}  # number of an unanswered order -> worker, oldest first
        self._active = [True] * self._num_workers
        self._turn = 0
        for _ in range(self._prefetch):
            self._order()

    def _reset(self, loader: Any) -> None:
        """Starts the next pass with the same workers (`persistent_workers`)."""
        self._keys = iter(loader._index_sampler)
        if self._pool.closed:  # after an error
            self._open_pool(loader)
        else:
            for worker_id in range(self._num_workers):
                self._pool.send(worker_id, -1, worker.Restart())
            for worker_id in range(self._num_workers):
                while not isinstance(self._pool.receive([worker_id])[2], worker.Restart):
                    pass  # an answer to an order of the pass before
        self._begin()

    def _choose(self) -> int | None:
        """The worker for the next order: in turn, or the least busy one without `in_order`."""
        turns = ((self._turn + i) % self._num_workers for i in range(self._num_workers))
        active = [w for w in turns if self._active[w]]
        if not active:
            return None
        return active[0] if self._in_order else min(active, key=list(self._open.values()).count)

    def _order(self) -> None:
        try:
            keys = next(self._keys)
        except StopIteration:
            return
        worker_id = self._choose()
        if worker_id is None:
            return
        self._turn = (worker_id + 1) % self._num_workers
        self._pool.send(worker_id, self._sent, keys)
        self._open[self._sent] = worker_id
        self._sent += 1

    def __next__(self) -> Any:
        try:
            return self._advance()
        except KeyboardInterrupt:
            # The traceback keeps this iterator alive, its workers must not be.
            self._pool.close(pool.STOP_SECONDS_AFTER_ERROR)
            raise

    def _advance(self) -> Any:
        while self._open:
            worker_id, reply = self._next_reply()
            if isinstance(reply, worker.StreamEnd):
                self._active[worker_id] = False
                # Its other orders would get the same answer.
                self._open = {n: w for n, w in self._open.items() if w != worker_id}
                self._order()
                continue
            self._order()
            if isinstance(reply, WorkerError):
                reply.reraise()
            return reply
        if not self._persistent:
            self._pool.close()
        raise StopIteration

    def _next_reply(self) -> tuple[int, Any]:
        if self._pool.closed:
            raise RuntimeError("the workers of this DataLoader iterator were stopped by an error")
        if self._in_order:
            candidates = [next(iter(self._open.values()))]
        else:
            candidates = sorted(set(self._open.values()))
        worker_id, number, reply = self._pool.receive(candidates)
        del self._open[number]
        return worker_id, reply

    def __del__(self) -> None:
        # Also runs half-built, in forked children and while the interpreter shuts down.
        with contextlib.suppress(Exception):
            self._pool.close()


def workers_can_be_local(loader: Any) -> bool:
    """Whether the loader's workers can be imagined: the dataset makes whole batches itself.

    User code (samples, transforms, collate_fn, worker_init_fn) always gets real processes.
    """
    dataset = loader.dataset
    if loader._is_stream or loader.worker_init_fn is not None:
        return False
    if not fetch.can_batch(loader._auto_collation, loader.collate_fn):
        return False
    whole = fetch.batch_method(dataset)
    if whole is None or not hasattr(dataset, "__batch_is_deterministic__") or not len(dataset):
        return False
    try:
        # One sample tells whether the dataset knows its transforms; any trouble is left to the
        # real worker, whose error message the user expects.
        with seeds.WorkerStreams(0, 0).active():
            return whole([0]) is not None
    except Exception:
        return False
