"""Views of a tensor's bits, storages under tensors, and parts of complex numbers that are set."""

from __future__ import annotations

import numpy as np
import pytest

import facula as torch


def test_the_bits_are_shared():
    x = torch.ones(3)
    bits = x.view(torch.int32)
    assert bits.tolist() == np.ones(3, np.float32).view(np.int32).tolist()
    bits[0] = 0
    x[1] = 0
    assert x.tolist() == [0.0, 0.0, 1.0] and bits[1].item() == 0
    assert x.view(torch.uint8).shape == (12,)
    assert torch.ones(4, 2).view(torch.complex64).tolist() == [[1 + 1j]] * 4
    with pytest.raises(RuntimeError, match="stride"):
        torch.ones(2, 4).t().view(torch.float64)
    with pytest.raises(RuntimeError, match="divisible"):
        torch.ones(3).view(torch.float64)


def test_bits_of_bfloat16():
    assert torch.ones(2, dtype=torch.bfloat16).view(torch.int16).tolist() == [0x3F80] * 2
    assert torch.tensor([0x3F80], dtype=torch.int16).view(torch.bfloat16).tolist() == [1.0]
    assert torch.ones(1, dtype=torch.bfloat16).view(torch.uint8).tolist() == [0x80, 0x3F]


def test_tensors_over_a_storage():
    x = torch.arange(6.0)
    y = torch.empty(0).set_(x.storage(), 1, (2, 2), (2, 1))
    y[0, 0] = 9
    assert y.tolist() == [[9, 2], [3, 4]] and x[1].item() == 9
    z = torch.empty(0).set_(x.untyped_storage())
    z[0] = 5
    assert x.tolist() == [5, 9, 2, 3, 4, 5]
    assert x.storage().int().tolist() == [5, 9, 2, 3, 4, 5] and x.storage().resizable()
    assert x.new(size=(2, 3)).shape == (2, 3)


def test_setting_parts_of_complex_numbers():
    z = torch.zeros(2, dtype=torch.complex64)
    z.real = 1
    z.imag = torch.tensor([2.0, 3.0])
    assert z.tolist() == [1 + 2j, 1 + 3j]
