"""Runs that leave their tail to a worker: the head first, nothing lost, nothing seen too early."""

import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from facula.engines.native import objects, threads
from facula.engines.native.executor import STATUS_SLOT, Executor, Step
from facula.engines.native.executor_code import LEFT
from tests.native.small_kernels import address, complain, count

if not hasattr(os, "fork"):
    pytest.skip("the pool needs POSIX threads", allow_module_level=True)
if not objects.readable():
    pytest.skip("the layout of objects is not known here", allow_module_level=True)

I64 = np.dtype(np.int64)
SLOW = 2_000_000  # turns of a loop: some milliseconds


@pytest.fixture(autouse=True)
def as_before():
    before = threads.get_count()
    yield
    threads.set_count(before)


def quick_then_slow(chunks: int = 4, cost: float = 1e6) -> Executor:
    """The head counts in the first output, quickly; the tail in the second one, slowly."""
    quick = Step(address(count), chunks, cost, (2, 0))
    slow = Step(address(count), chunks, cost, (3, 1))
    return Executor([quick, slow], [], [(I64, 1)] * 2, [(I64, chunks)] * 2, head=1)


def arrays(chunks: int = 4, slow: int = SLOW):
    given = [np.array([1]), np.array([slow])]
    return given, [np.zeros(chunks, np.int64) for _ in range(2)]


def left(plan: Executor, given, made) -> bool:
    """Run the plan; whether it has left its tail (the first time the pool may have to start)."""
    code = plan.call(given, made, True)
    if code not in (0, LEFT):
        assert plan.run_again(code, given, made) == 0
    return code == LEFT


@pytest.mark.parametrize("number", [2, 3, 5])
@pytest.mark.parametrize("pause", [0.0, 0.01])
def test_the_head_is_done_before_the_tail(number, pause):
    threads.set_count(number)
    threads.pool().start()
    plan = quick_then_slow()
    early = 0
    for _ in range(5):
        time.sleep(pause)  # workers sleep after a while
        given, made = arrays()
        if left(plan, given, made):
            assert (made[0] == 1).all()
            early += not made[1].all()
            plan.finish()
        assert (made[0] == 1).all() and (made[1] == 1).all()
    assert early


def test_one_thread_leaves_nothing():
    threads.set_count(1)
    given, made = arrays(slow=100)
    assert not left(quick_then_slow(), given, made)
    assert (made[1] == 1).all()


def test_finishing_twice_is_no_harm():
    threads.set_count(2)
    threads.pool().start()
    plan = quick_then_slow()
    plan.finish()
    given, made = arrays()
    left(plan, given, made)
    plan.finish()
    plan.finish()
    assert (made[1] == 1).all()


def test_errors_of_the_head_are_seen_at_once():
    threads.set_count(2)
    threads.pool().start()
    steps = [Step(address(complain), 1, 10.0, (STATUS_SLOT,)), Step(address(count), 4, 1e6, (0, 1))]
    plan = Executor(steps, [], [(I64, 1)], [(I64, 4)], head=1)
    for _ in range(20):
        made = np.zeros(4, np.int64)
        assert plan.call([np.array([SLOW])], [made], True) == 1
        assert not made.any() and plan.status.tolist() == [1, 7, 5]
        plan.finish()


def test_errors_of_the_last_step_of_a_head_are_never_taken_for_its_end():
    threads.set_count(2)
    threads.pool().start()
    steps = [
        Step(address(count), 1, 10.0, (0, 1)),
        Step(address(complain), 1, 10.0, (STATUS_SLOT,)),
        Step(address(count), 4, 1e6, (0, 2)),
    ]
    plan = Executor(steps, [], [(I64, 1)], [(I64, 1), (I64, 4)], head=2)
    for i in range(5000):
        made = [np.zeros(n, np.int64) for n in (1, 4)]
        assert plan.call([np.array([i % 2 * 3000])], made, True) == 2
        plan.finish()
        assert not made[1].any()


def test_many_short_tails():
    threads.set_count(2)
    threads.pool().start()
    plan = quick_then_slow(7, cost=50_000.0)
    for i in range(2000):
        given, made = arrays(7, slow=i % 50)
        left(plan, given, made)
        plan.finish()
        assert (made[0] == 1).all() and (made[1] == 1).all()


HEAD = """
import os, sys, threading, time
import numpy as np
import facula as torch
torch.set_num_threads(2)
from facula.runtime.recorder import recorder
torch.manual_seed(0)
x = torch.randn(64, 256)
big = torch.nn.Sequential(*[torch.nn.Linear(256, 256) for _ in range(6)])
optimizer = torch.optim.SGD(big.parameters(), lr=0.01, momentum=0.9)
def step():
    optimizer.zero_grad()
    loss = big(x).pow(2).mean()
    loss.backward()
    optimizer.step()
    return loss
def leave():
    for _ in range(2000):  # a worker whose core is busy is left nothing for some milliseconds
        step()
        if recorder.late:
            return
        time.sleep(0.001)
    raise AssertionError("nothing is ever left to a worker")
for _ in range(5):
    step()
leave()  # some of the last step is still being computed
def sums():
    return [p.detach().double().sum().item() for p in big.parameters()]
"""


def in_process(script: str, timeout: float = 60) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HEAD + script],
        env={
            **os.environ,
            "FACULA_ENGINE": "native",
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        },
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr[-2000:])
    return done.stdout


def test_functions_run_at_exit_leave_nothing():
    script = """
import atexit
late = []
def last():
    sums()
    for _ in range(3):
        step()
    late.append(len(recorder.late))
    print("late", late)
# Handlers are called in the opposite order: this one comes after the engine's own.
native = sys.modules["facula.engines.native.executable"]
atexit.unregister(native._end)
atexit.register(last)
atexit.register(native._end)
"""
    assert in_process(script) == "late [0]\n"


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "os._exit(0)"])
def test_the_interpreter_may_end_meanwhile(end):
    assert in_process("print('ran', flush=True)\n" + end) == "ran\n"


def test_a_fork_waits_for_it():
    script = """
step()
child = os.fork()
if child == 0:
    mine = sums()
    step(); more = sums()
    os._exit(0 if mine != more and np.isfinite(more).all() else 1)
assert os.waitpid(child, 0)[1] == 0
print("good")
"""
    assert in_process(script) == "good\n"


def test_a_fork_of_another_thread_waits_until_nothing_runs():
    """The child can compute: no lock is held there by a thread that it does not have."""
    script = """
codes = []
def forks():
    for _ in range(5):
        time.sleep(0.01)
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(0 if np.isfinite(sums()).all() else 1)
        codes.append(os.waitpid(child, 0)[1])
import signal
forker = threading.Thread(target=forks)
forker.start()
while forker.is_alive():
    step()
forker.join()
assert codes == [0] * 5, codes
print("good")
"""
    assert in_process(script) == "good\n"


def test_other_threads_see_complete_values():
    script = """
found = []
def read():
    for _ in range(30):
        found.append(sums())
reader = threading.Thread(target=read)
reader.start()
for _ in range(200):
    step()
reader.join()
assert np.isfinite(np.array(found)).all()
print("good")
"""
    assert in_process(script) == "good\n"


def test_memory_of_numpy_is_not_written_meanwhile():
    """The arrays a run reads, and those that NumPy shares, can be changed as soon as it returns."""
    script = """
data = np.random.default_rng(0).standard_normal((64, 256)).astype(np.float32)
def train(waiting):
    torch.manual_seed(0)
    net = torch.nn.Sequential(*[torch.nn.Linear(256, 256) for _ in range(4)])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    memory = data.copy()
    x, mask = torch.from_numpy(memory), torch.ones(64, 256)
    for i in range(20):
        optimizer.zero_grad()
        loss = net(x * mask).pow(2).mean()
        loss.backward()
        optimizer.step()
        if waiting:
            recorder.land()
        memory += 0.1
        mask[i] = 0.5
        net[0].weight.data[0, i] = 0.25
    return [p.detach().numpy().tobytes() for p in net.parameters()]
assert train(False) == train(True)
print("good")
"""
    assert in_process(script) == "good\n"


def test_failures_and_refusals_in_between_leave_complete_values():
    """A call that is refused comes back when the values it was about to read are still late."""
    script = """
def train(waiting):
    torch.manual_seed(0)
    table = torch.nn.Embedding(50, 256)
    rest = torch.nn.Sequential(*[torch.nn.Linear(256, 256) for _ in range(4)])
    parameters = [*table.parameters(), *rest.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.01)
    @torch.capture
    def step(index):
        optimizer.zero_grad()
        loss = rest(table(index)).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss
    good, bad = torch.arange(40), torch.full((40,), 50)
    found = []
    for i in range(12):
        step(good)
        if waiting:
            recorder.land()
        if i % 3 == 2:
            try:
                step(bad)
                raise AssertionError("no error")
            except IndexError:
                buffers = [p._value.buffer for p in parameters]
                assert all(buffer is not None for buffer in buffers)
                found += [buffer.tobytes() for buffer in buffers]
                found += [p.detach().numpy().tobytes() for p in parameters]
    return found[-len(parameters):]
assert train(False) == train(True)
print("good")
"""
    assert in_process(script) == "good\n"


def test_random_training_reads_and_writes_nothing_too_early():
    """Where what a run leaves is not there before it is waited for: see late_plans.py."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.native.late_training", "0", "20"],
        env={**os.environ, "FACULA_ENGINE": "native"},
        cwd=pathlib.Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.stdout == "good\n", done.stderr[-3000:]


def test_interrupts_lose_nothing():
    """Ctrl-C at any moment leaves values that are whole."""
    script = """
import signal
main = threading.get_ident()
for i in range(60):
    def interrupt():
        signal.pthread_kill(main, signal.SIGINT)
    timer = threading.Timer(0.0005 * (i % 7) + 0.0003, interrupt)
    try:
        timer.start()
        while True:
            step()
    except KeyboardInterrupt:
        pass
    timer.join()
    assert np.isfinite(sums()).all()
print("good")
"""
    assert in_process(script) == "good\n"


def test_threads_that_replay_and_record():
    """Captured steps in one thread, recorded ones in others: each as if it were alone."""
    script = """
sys.setswitchinterval(1e-4)
def make(seed):
    torch.manual_seed(seed)
    net = torch.nn.Sequential(*[torch.nn.Linear(128, 128) for _ in range(3)])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    def step(x):
        optimizer.zero_grad()
        loss = net(x).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss
    return net, torch.capture(step) if seed != 1 else step, torch.randn(32, 128)
def train(net, step, x):
    for i in range(30):
        loss = step(x)
        if i % 7 == 3:
            loss.item()
    return [p.detach().numpy().tobytes() for p in net.parameters()]
expected = [train(*make(seed)) for seed in range(3)]
jobs, found = [make(seed) for seed in range(3)], {}
def work(number):
    found[number] = train(*jobs[number])
others = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
for other in others: other.start()
work(0)
for other in others: other.join()
assert [found[number] for number in range(3)] == expected
print("good")
"""
    assert in_process(script) == "good\n"


def test_threads_that_all_compute():
    """Several Python threads each train a network: one run is in flight at a time."""
    script = """
results = {}
def train(seed):
    rng = np.random.default_rng(seed)
    w = torch.from_numpy(rng.standard_normal((256, 256)).astype(np.float32) * 0.01).clone()
    for _ in range(30):
        w = w - 0.01 * (w @ w)
    results[seed] = w.numpy().copy()
expected = {}
for seed in range(3):
    train(seed)
    expected[seed] = results[seed]
workers = [threading.Thread(target=train, args=(seed,)) for seed in range(3)]
for worker in workers: worker.start()
for worker in workers: worker.join()
for seed in range(3):
    np.testing.assert_allclose(results[seed], expected[seed], rtol=1e-4, atol=1e-6)
print("good")
"""
    assert in_process(script) == "good\n"
