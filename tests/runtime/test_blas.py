"""Products of NumPy on one thread, within a context that several threads may enter."""

import threading

import pytest

from facula.engines.reference import blas


@pytest.fixture
def count():
    found = blas._functions()
    if found is None:
        pytest.skip("NumPy's BLAS does not tell its threads")
    before = found[0]()
    found[1](2)
    yield found[0]
    found[1](before)


def test_the_number_of_threads_is_one_inside_and_as_before_afterwards(count):
    with blas.one_thread:
        assert count() == 1
        with blas.one_thread:
            assert count() == 1
        assert count() == 1
    assert count() == 2


def test_whoever_leaves_last_restores_it(count):
    first_left, inside = threading.Event(), threading.Event()

    def other():
        with blas.one_thread:
            inside.set()
            first_left.wait(10)

    thread = threading.Thread(target=other)
    with blas.one_thread:
        thread.start()
        assert inside.wait(10)
    assert count() == 1
    first_left.set()
    thread.join()
    assert count() == 2
