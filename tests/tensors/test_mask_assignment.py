"""``x[mask] = number`` on tensors large and small, with views and gradients, against NumPy."""

import numpy as np
import pytest

import facula as torch


@pytest.mark.parametrize("shape", [(3, 4), (90, 100), (5000,), (2, 3000)])
def test_a_number_where_a_mask_says(shape):
    array = np.random.default_rng(0).normal(size=shape).astype("f")
    x, wanted = torch.tensor(array), array.copy()
    before = x + 0
    x[x > 0.5] = -1
    wanted[wanted > 0.5] = -1
    rows = wanted.reshape(shape[0], -1).sum(1) > 0
    x[torch.tensor(rows)] = 2.5
    wanted[rows] = 2.5
    np.testing.assert_array_equal(x.numpy(), wanted)
    np.testing.assert_array_equal(before.numpy(), array)


def test_views_and_shared_memory_see_it():
    array = np.arange(10000, dtype="f").reshape(100, 100)
    shared = torch.from_numpy(array)
    shared[shared > 5000] = 0
    assert array.max() == 5000
    x = torch.arange(10000.0).reshape(100, 100)
    view = x[10:60].t()
    view[view > 3000] = -7
    assert x[30, 1] == -7 and x[99, 99] == 9999 and (view > 3000).sum() == 0


def test_gradients_and_wrong_masks():
    x = torch.ones(100, 100, requires_grad=True)
    y = x * 2
    mask = torch.zeros(100, 100, dtype=torch.bool)
    mask[3:5] = True
    y[mask] = 9.0
    y.sum().backward()
    assert x.grad.sum() == 2 * 9800 and y[4].mean() == 9
    with pytest.raises(IndexError):
        y.detach()[mask[:50]] = 1.0
