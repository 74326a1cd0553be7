"""Plans run as their steps say, whatever kind of objects they are given."""

import threading
import time

import numpy as np
import pytest

from facula.engines.native import executor, objects, threads
from facula.engines.native.executor import STATUS_SLOT, Executor, Step
from tests.native.small_kernels import WIDTH, address, affine, complain, count, whole

CHUNKS = 8
F32 = (np.dtype(np.float32), CHUNKS * WIDTH)


@pytest.fixture(params=["native", "python"])
def binding(request, monkeypatch):
    """Objects are read by native code, or by Python where their layout is not known."""
    if request.param == "python":
        monkeypatch.setattr(objects, "readable", lambda: False)
    elif not objects.readable():
        pytest.skip("the layout of objects is not known here")


def numbers(seed=0):
    return np.random.default_rng(seed).standard_normal(F32[1]).astype(np.float32)


def two_steps(cost):
    """y = (x * s + 1) * s + 1, through a temporary."""
    temporary = np.empty(F32[1], np.float32)
    steps = [Step(address(affine), CHUNKS, cost, (0, 1, 3))]
    steps.append(Step(address(affine), CHUNKS, cost, (3, 1, 2)))
    return Executor(steps, [temporary.ctypes.data], [F32, float], [F32]), temporary


@pytest.mark.parametrize("cost", [10.0, 60_000.0])
def test_steps_run_in_order(binding, cost):
    plan, _keep = two_steps(cost)
    x, y = numbers(), np.zeros(F32[1], np.float32)
    for s in (2.0, -0.5):
        assert plan.run([x, s], [y]) == 0
        want = (x.astype(np.float64) * s + 1) * s + 1
        np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(F32[1],), (2, -1, 4), (1, F32[1], 1)])
def test_only_the_number_of_elements_counts(binding, shape):
    plan, _keep = two_steps(10.0)
    x, y = numbers(), np.zeros(F32[1], np.float32).reshape(shape)
    assert plan.run([x.reshape(shape), 1.0], [y]) == 0
    np.testing.assert_allclose(y.reshape(-1), x + 2, rtol=1e-5, atol=1e-5)


class Sub(np.ndarray):
    pass


@pytest.mark.parametrize(
    "odd",
    [
        lambda x: np.stack([x, x], axis=1)[:, 0],
        lambda x: x[::-1].copy()[::-1],
        lambda x: x.astype(">f4"),
        lambda x: x.view(Sub),
        lambda x: np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32),
        lambda x: x.reshape(64, -1).T.copy().T,
    ],
)
@pytest.mark.parametrize("s", [2.0, 2, np.float32(2), np.float64(2), np.array(2.0), True + 1])
def test_odd_arrays_and_numbers_are_bound_by_python(binding, odd, s):
    plan, _keep = two_steps(10.0)
    x, y = numbers(), np.zeros(F32[1], np.float32)
    assert plan.run([odd(x), s], [y]) == 0
    np.testing.assert_allclose(y, (x * 2 + 1) * 2 + 1, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", [0, -1, 5, True, -(2**63), 2**63 - 2, np.int64(4), np.array(-1)])
def test_whole_numbers(binding, n):
    plan = Executor([Step(address(whole), 1, 10.0, (0, 1))], [], [int], [(np.dtype(np.int64), 1)])
    y = np.zeros((), np.int64)
    assert plan.run([n], [y]) == 0
    assert int(y) == int(n) + 1


def test_errors(binding):
    plan, _keep = two_steps(10.0)
    x, y = numbers(), np.zeros(F32[1], np.float32)
    fixed = y.copy()
    fixed.flags.writeable = False
    for inputs, outputs, message in [
        ([x], [y], "2 inputs was given 1"),
        ([x, 1.0], [], "1 outputs was given 0"),
        ([x[1:], 1.0], [y], "input 0 of a plan"),
        ([x.astype(np.float64), 1.0], [y], "input 0 of a plan"),
        ([x, "two"], [y], "input 1 of a plan"),
        ([x, None], [y], "input 1 of a plan"),
        ([None, 1.0], [y], "input 0 of a plan"),
        ([x, 1.0], [y.astype(np.float64)], "output 0 of a plan"),
        ([x, 1.0], [y[::-1]], "output 0 of a plan"),
        ([x, 1.0], [fixed], "output 0 of a plan"),
    ]:
        with pytest.raises(TypeError, match=message):
            plan.run(inputs, outputs)
    assert plan.run([x, 1.0], [y]) == 0
    with pytest.raises(IndexError):
        Executor([Step(address(affine), 1, 1.0, (0, 1, 3))], [], [F32, float], [F32])
    whole_plan = Executor([], [], [int], [])
    with pytest.raises((OverflowError, TypeError)):
        whole_plan.run([2**63], [])


def test_bad_indices_stop_the_plan(binding):
    y = np.zeros(1, np.int64)
    steps = [Step(address(whole), 1, 1.0, (0, 1)), Step(address(complain), 1, 1.0, (STATUS_SLOT,))]
    steps.append(Step(address(whole), 1, 1.0, (1, 1)))
    plan = Executor(steps, [], [int], [(y.dtype, 1)])
    for _ in range(2):
        assert plan.run([4], [y]) == 2
        assert plan.status.tolist() == [1, 7, 5]
        assert y[0] == 5


@pytest.mark.parametrize("empty", [([], [], []), ([], [F32], [])])
def test_empty_plans(binding, empty):
    steps, inputs, outputs = empty
    assert Executor(steps, [], inputs, outputs).run([numbers() for _ in inputs], []) == 0


def test_times_are_those_of_the_steps(binding):
    y, steps = np.zeros(1, np.int64), []
    for slow in (0, 1):
        steps.append(Step(address(count), 1, 1.0, (2, slow)))
    i64 = (y.dtype, 1)
    plan = Executor(steps, [], [i64, i64], [i64])
    taken = plan.times([np.array([100]), np.array([1_000_000])], [y])
    assert taken.shape == (2,) and taken[1] > 20 * taken[0] >= 0 and y[0] == 2
    assert taken[1] > 250_000  # no CPU does a million dependent steps in less


def test_threads_of_the_program_take_turns(binding):
    """One plan called from several Python threads at once."""
    slow, y = np.array([20_000]), np.zeros(1, np.int64)
    steps = [Step(address(count), 1, executor.RELEASE, (1, 0))] * 4
    plan = Executor(steps, [], [(slow.dtype, 1)], [(y.dtype, 1)])
    failed = []

    def work():
        for _ in range(20):
            if plan.run([slow], [y]):
                failed.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failed and y[0] == 4 * 20 * 4


def test_other_threads_run_meanwhile():
    """A long plan lets other Python threads run."""
    slow, y = np.array([50_000_000]), np.zeros(1, np.int64)
    plan = Executor([Step(address(count), 1, 1e9, (1, 0))], [], [(slow.dtype, 1)], [(y.dtype, 1)])
    ticks, over = [], threading.Event()

    def tick():
        while not over.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    begin = time.perf_counter()
    plan.run([slow], [y])
    end = time.perf_counter()
    over.set()
    other.join()
    assert end - begin > 0.01
    assert sum(begin < t < end for t in ticks) >= 3


def test_a_plan_keeps_its_memory():
    plan, _keep = two_steps(60_000.0)
    call, x, y = plan.run, numbers(), np.zeros(F32[1], np.float32)
    del plan
    assert call([x, 1.0], [y]) == 0
    np.testing.assert_allclose(y, x + 2, rtol=1e-5, atol=1e-5)


def test_count_of_references_does_not_change():
    import sys

    plan, _keep = two_steps(10.0)
    items = [numbers(), 1.5]
    y = np.zeros(F32[1], np.float32)
    before = [sys.getrefcount(i) for i in (*items, y)]
    for _ in range(1000):
        plan.run(items, [y])
    assert [sys.getrefcount(i) for i in (*items, y)] == before


def test_the_pool_is_started_when_needed():
    plan, _keep = two_steps(60_000.0)
    plan.run([numbers(), 1.0], [np.zeros(F32[1], np.float32)])
    assert threads.pool().words[16] == threads.get_count() or threads.pool().words[16] == 1
