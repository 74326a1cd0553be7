"""Worker processes: errors, deaths, early stops, and batches made without processes."""

import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import facula as torch
from facula.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info


def run(command):
    """A program of its own, which finds the same facula as this one."""
    root = os.path.dirname(os.path.dirname(torch.__file__))
    paths = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)


class Row(Dataset):
    """Samples that may fail on the way."""

    def __init__(self, size=8, fail=None):
        self.size = size
        self.fail = fail

    def __len__(self):
        return self.size

    def __getitem__(self, i):
        if i == 2 and self.fail is not None:
            self.fail()
        return i


class TwoPartError(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


def failing(error):
    def fail():
        raise error

    return fail


def gone(processes):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not any(process in multiprocessing.active_children() for process in processes):
            return True
        time.sleep(0.01)
    return False


@pytest.fixture(autouse=True)
def no_children_left():
    before = multiprocessing.active_children()
    yield
    gc.collect()  # a caught exception and the frames it names keep iterators in a cycle
    assert gone([p for p in multiprocessing.active_children() if p not in before])


@pytest.mark.parametrize(
    "error, kind",
    [
        (ValueError("bad sample"), ValueError),
        (KeyError("bad sample"), KeyError),
        (TwoPartError("bad", "sample"), RuntimeError),
    ],
)
def test_worker_error_keeps_type_and_traceback(error, kind):
    batches = iter(DataLoader(Row(fail=failing(error)), num_workers=2))
    assert [next(batches).item() for _ in range(2)] == [0, 1]
    with pytest.raises(kind) as caught:
        next(batches)
    text = str(caught.value)
    assert text.startswith(f"Caught {type(error).__name__} in DataLoader worker process 0.\n")
    assert "Original Traceback (most recent call last):\n" in text
    assert "in fail\n    raise error" in text
    assert "\\n" not in text
    # the pass goes on after the sample that failed
    assert next(batches).item() == 3


def test_local_exception_class_becomes_its_builtin_base():
    class Local(IndexError):
        pass

    with pytest.raises(IndexError, match="Caught Local in DataLoader worker process 0"):
        list(DataLoader(Row(fail=failing(Local("x"))), num_workers=1))


def test_unpicklable_batch_is_an_error_not_a_hang():
    with pytest.raises((AttributeError, TypeError, RuntimeError), match="worker process 0"):
        list(DataLoader(Row(), num_workers=1, collate_fn=lambda batch: lambda: batch))


def test_init_error():
    def init(worker_id):
        raise OSError("no database")

    with pytest.raises(OSError, match="no database"):
        list(DataLoader(Row(), num_workers=1, worker_init_fn=init))


@pytest.mark.parametrize(
    "fail, says",
    [
        (lambda: os._exit(3), "exit code 3"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL"),
    ],
)
def test_dead_worker_is_named(fail, says):
    with pytest.raises(RuntimeError, match=rf"DataLoader worker \(pid\(s\) \d+\) exited.*{says}"):
        list(DataLoader(Row(fail=fail), num_workers=2))


def test_timeout():
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.3 seconds"):
        list(DataLoader(Row(fail=lambda: time.sleep(60)), num_workers=2, timeout=0.3))
    assert time.monotonic() - start < 5


def test_early_break_ends_workers():
    for batch in DataLoader(Row(1000), num_workers=2, batch_size=4):
        assert batch.tolist() == [0, 1, 2, 3]
        break
    assert not multiprocessing.active_children()


def test_persistent_workers_stay_and_end_with_the_loader():
    loader = DataLoader(Row(6), num_workers=2, persistent_workers=True, batch_size=None)
    pids = {p.pid for p in multiprocessing.active_children()}
    assert not pids
    assert list(loader) == list(range(6))
    first = {p.pid for p in multiprocessing.active_children()}
    assert len(first) == 2
    assert list(loader) == list(range(6))
    assert {p.pid for p in multiprocessing.active_children()} == first
    del loader
    assert not multiprocessing.active_children()


def test_nested_loaders_do_not_keep_each_other_alive():
    outer = DataLoader(Row(4), num_workers=2)
    seen = [(a.item(), b.item()) for a in outer for b in DataLoader(Row(2), num_workers=1)]
    assert seen == [(a, b) for a in range(4) for b in range(2)]


def test_workers_die_with_a_killed_parent(tmp_path):
    program = textwrap.dedent("""
        import os, sys, time
        from facula.utils.data import DataLoader
        class Rows:
            def __len__(self): return 100
            def __getitem__(self, i): return os.getpid()
        batches = iter(DataLoader(Rows(), num_workers=2))
        print(next(batches).item(), next(batches).item(), flush=True)
        os.kill(os.getpid(), 9)
    """)
    done = run([sys.executable, "-c", program])
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2, done.stderr
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(alive, pids)):
        time.sleep(0.05)
    assert not any(map(alive, pids))


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = f"/proc/{pid}/stat"
    if os.path.exists(stat):
        with open(stat) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    return True


def test_interrupt_stops_workers():
    program = textwrap.dedent("""
        import os, signal, time, multiprocessing
        from facula.utils.data import DataLoader
        class Rows:
            def __len__(self): return 100
            def __getitem__(self, i):
                if i == 3: os.kill(os.getppid(), signal.SIGINT); time.sleep(30)
                return i
        start = time.monotonic()
        try:
            list(DataLoader(Rows(), num_workers=1))
        except KeyboardInterrupt:
            print("interrupted", time.monotonic() - start < 10, multiprocessing.active_children())
    """)
    done = run([sys.executable, "-c", program])
    assert done.stdout == "interrupted True []\n", done.stderr


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_start_methods(method, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import facula as torch
        from facula.utils.data import DataLoader, get_worker_info
        class Rows(torch.utils.data.Dataset):
            def __init__(self): self.table = torch.arange(12).reshape(6, 2)
            def __len__(self): return 6
            def __getitem__(self, i): return self.table[i], get_worker_info().id
        if __name__ == "__main__":
            loader = DataLoader(Rows(), 3, num_workers=2, multiprocessing_context="{method}")
            for x, who in loader: print(x.tolist(), who.tolist())
    """)
    )
    done = run([sys.executable, str(script)])
    assert done.stdout == (
        "[[0, 1], [2, 3], [4, 5]] [0, 0, 0]\n[[6, 7], [8, 9], [10, 11]] [1, 1, 1]\n"
    ), done.stderr


def test_large_and_odd_batches_cross_the_pipe():
    def collate(batch):
        i = batch[0]
        big = np.arange(3_000_000, dtype=np.int32) + i
        return {
            "big": torch.from_numpy(big),
            "strided": torch.from_numpy(big[:1000:3]),
            "flag": torch.tensor([True, False]),
            "half": torch.tensor([1.5, float(i)], dtype=torch.bfloat16),
            "array": np.full((700, 2), i, dtype=np.float64),
            "text": ["a", i],
            "empty": torch.zeros(0, 3),
            "grad": torch.ones(2, requires_grad=True),
        }

    for i, batch in enumerate(DataLoader(Row(5), num_workers=2, collate_fn=collate)):
        assert batch["big"].dtype == torch.int32
        assert np.array_equal(batch["big"].numpy(), np.arange(i, i + 3_000_000))
        assert batch["strided"].tolist() == list(range(i, i + 1000, 3))
        assert batch["flag"].tolist() == [True, False]
        assert batch["half"].dtype == torch.bfloat16
        assert batch["half"].tolist() == [1.5, i]
        assert isinstance(batch["array"], np.ndarray) and (batch["array"] == i).all()
        assert batch["text"] == ["a", i]
        assert tuple(batch["empty"].shape) == (0, 3)
        assert batch["grad"].requires_grad and batch["grad"].is_leaf
        batch["big"] += 1  # memory of the batch is ours to write


def test_non_leaf_with_gradient_cannot_leave_a_worker():
    def collate(batch):
        return torch.ones(2, requires_grad=True) * 2

    with pytest.raises(RuntimeError, match="non-leaf tensor which requires_grad"):
        list(DataLoader(Row(), num_workers=1, collate_fn=collate))


def test_out_of_order_gives_every_batch_once():
    def slow_first(batch):
        time.sleep(0.3 if batch == [0] else 0)
        return batch[0]

    loader = DataLoader(Row(12), num_workers=2, in_order=False, collate_fn=slow_first)
    seen = list(loader)
    assert sorted(seen) == list(range(12))
    assert seen != sorted(seen)


def test_stream_shards():
    class Shards(IterableDataset):
        def __iter__(self):
            info = get_worker_info()
            return iter(range(info.id, 10, info.num_workers))

    seen = [x for batch in DataLoader(Shards(), 2, num_workers=3) for x in batch.tolist()]
    assert sorted(seen) == list(range(10))


class Noisy(Dataset):
    """Adds noise from all three streams, sample by sample or, if `whole`, a batch at once."""

    def __init__(self, whole, noise=True):
        self.whole = whole
        self.noise = noise

    def __len__(self):
        return 10

    def __getitem__(self, i):
        if not self.noise:
            return i, float(i)
        return i, torch.rand(()).item() + random.random() + np.random.rand()

    def __getbatch__(self, indices):
        if not self.whole:
            return None
        rows = [self[i] for i in indices]
        return [
            torch.tensor([row[0] for row in rows]),
            torch.tensor([row[1] for row in rows], dtype=torch.float64),
        ]

    def __batch_is_deterministic__(self):
        return not self.noise


@pytest.mark.parametrize("noise", [True, False])
@pytest.mark.parametrize("options", [{}, {"persistent_workers": True}, {"prefetch_factor": 1}])
def test_imagined_workers_give_the_same_as_processes(noise, options):
    results = []
    for whole in (True, False):
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        loader = DataLoader(Noisy(whole, noise), 3, shuffle=True, num_workers=2, **options)
        rounds = []
        for _ in range(3):
            for k, (i, x) in enumerate(loader):
                rounds.append((i.tolist(), x.tolist(), str(x.dtype)))
                assert bool(multiprocessing.active_children()) is not whole
                if k == 1 and len(rounds) < 6:
                    break
        results.append((rounds, torch.rand(1).item(), random.random(), np.random.rand()))
    assert results[0] == results[1]


def test_imagined_worker_error_reads_like_a_workers():
    class Bad(Noisy):
        def __getbatch__(self, indices):
            if 5 in indices:
                raise ValueError("sample 5 is broken")
            return torch.tensor(list(indices))

    batches = iter(DataLoader(Bad(True, noise=False), 2, num_workers=2))
    assert [next(batches).tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="Caught ValueError in DataLoader worker process 0"):
        next(batches)
    assert next(batches).tolist() == [6, 7]


def test_overriding_getitem_switches_batch_code_off():
    class Doubled(TensorDataset):
        def __getitem__(self, i):
            return 2 * self.tensors[0][i]

    data = Doubled(torch.arange(4))
    for workers in (0, 1):
        assert [b.tolist() for b in DataLoader(data, 2, num_workers=workers)] == [[0, 2], [4, 6]]
