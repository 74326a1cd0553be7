"""The pool: every chunk once, any number of threads, forks, exits, signals, busy machines."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from facula.engines.native import target, threads
from facula.engines.native.executor import Executor, Step
from facula.engines.native.pool_code import MOST_UNITS, Word
from tests.native.small_kernels import address, count

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the pool needs POSIX threads")
I64 = np.dtype(np.int64)


@pytest.fixture(autouse=True)
def as_before():
    before = threads.get_count()
    yield
    threads.set_count(before)


def counting_plan(chunks: int, steps: int = 1, cost: float = 1e9) -> Executor:
    step = Step(address(count), chunks, cost, (1, 0))
    return Executor([step] * steps, [], [(I64, 1)], [(I64, chunks)])


def run(plan: Executor, chunks: int, slow: int = 50) -> np.ndarray:
    y = np.zeros(chunks, np.int64)
    assert plan.run([np.array([slow])], [y]) == 0
    return y


@pytest.mark.parametrize("number", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("chunks", [1, 2, 3, 7, 64, MOST_UNITS + 1, 70_000])
def test_every_chunk_is_done_once(number, chunks):
    threads.set_count(number)
    assert threads.get_count() == number
    steps = 3 if chunks > 1000 else 60
    plan = counting_plan(chunks, steps)
    for _ in range(3):
        assert (run(plan, chunks) == steps).all()
        time.sleep(0.0005)  # now and then the workers sleep


def test_plans_of_several_python_threads():
    threads.set_count(3)
    wrong = []

    def work(chunks):
        plan = counting_plan(chunks, 20)
        for _ in range(50):
            if not (run(plan, chunks) == 20).all():
                wrong.append(chunks)

    workers = [threading.Thread(target=work, args=(n,)) for n in (2, 9, 33)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_workers_sleep():
    threads.set_count(4)
    plan = counting_plan(8)
    run(plan, 8)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.02
    assert (run(plan, 8) == 1).all()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_workers_take_no_signals():
    threads.set_count(4)
    run(counting_plan(8), 8)
    blocked = {}
    for task in Path("/proc/self/task").iterdir():
        line = next(x for x in (task / "status").read_text().splitlines() if "SigBlk" in x)
        blocked[int(task.name)] = int(line.split()[1], 16)
    interrupt = 1 << 1  # SIGINT
    assert sum(bool(mask & interrupt) for mask in blocked.values()) >= 3
    assert not blocked[os.getpid()] & interrupt


def in_process(script: str, timeout: float = 60) -> str:
    head = (
        "import os, sys, threading, time\nimport numpy as np\n"
        "from facula.engines.native import threads\n"
        "from tests.native.test_threads import counting_plan, run\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", head + script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr[-2000:])
    return done.stdout


def test_children_of_a_fork_have_their_own_workers():
    script = """
threads.set_count(3)
plan = counting_plan(16, 5)
stop = threading.Event()
def others():  # a fork may come while a thread holds every lock
    mine = counting_plan(16, 50)
    while not stop.is_set():
        run(mine, 16)
busy = threading.Thread(target=others); busy.start()
for _ in range(20):
    assert (run(plan, 16) == 5).all()
    child = os.fork()
    if child == 0:
        fresh = counting_plan(16, 5)
        good = all((run(fresh, 16) == 5).all() for _ in range(20))
        tasks = len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 3
        os._exit(0 if good and tasks == 3 and threads.get_count() == 3 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (run(plan, 16) == 5).all()
stop.set(); busy.join()
print("good")
"""
    assert in_process(script) == "good\n"


@pytest.mark.parametrize(
    "end",
    ["", "sys.exit(0)", "os._exit(0)", "threading.Timer(0.01, lambda: None).start()"],
)
def test_exits(end):
    """The interpreter ends at once, with workers awake or asleep."""
    script = "threads.set_count(4)\nplan = counting_plan(64, 50)\nrun(plan, 64)\nprint('ran')\n"
    for pause in ("", "time.sleep(0.01)\n"):
        begin = time.perf_counter()
        out = in_process(script + "sys.stdout.flush()\n" + pause + end)
        assert out == "ran\n" and time.perf_counter() - begin < 30


def test_exit_while_a_daemon_thread_computes():
    script = """
threads.set_count(3)
def forever():
    plan = counting_plan(64, 50)
    while True:
        run(plan, 64, 1000)
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.1)
print("over")
"""
    assert in_process(script) == "over\n"


def per_run(plan: Executor, chunks: int, slow: int, times: int) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        run(plan, chunks, slow)
    return (time.perf_counter() - begin) / times


def test_a_busy_machine_does_not_make_threads_a_loss():
    """With every core taken by others, sharing costs little more than working alone."""
    chunks, slow = 8, 4000  # several microseconds a chunk
    alone, shared = counting_plan(chunks, 10, 1.0), counting_plan(chunks, 10, 40_000.0)
    threads.set_count(max(2, target.cores()))
    run(shared, chunks)
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(target.cores())]
    try:
        time.sleep(0.3)
        ratios = [
            per_run(shared, chunks, slow, 40) / per_run(alone, chunks, slow, 40) for _ in range(9)
        ]
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert np.median(ratios) < 4, ratios
    assert threads.pool().words[Word.BUSY] == 0
