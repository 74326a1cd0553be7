"""Operators called with arguments of changing kinds: a lookup for one must not serve another."""

from __future__ import annotations

import numpy as np
import pytest

import facula as torch


def test_multiplication_by_everything_in_turn():
    x, w = torch.ones(3), torch.full((3,), 2.0, requires_grad=True)
    cases = [
        (2.5, [2.5] * 3), (3, [3] * 3), (True, [1] * 3), (w, [2] * 3), (x, [1] * 3),
        (np.float32(1.5), [1.5] * 3), (1 + 1j, [1 + 1j] * 3),
    ]  # fmt: skip
    for _ in range(40):  # the lookup is made anew after some calls of another kind
        for other, wanted in cases:
            made = x * other
            assert made.tolist() == wanted
            assert made.requires_grad == (other is w)


def test_one_kind_often_after_another_kind_first():
    x = torch.arange(4.0)
    assert torch.pow(x, 2).tolist() == [0, 1, 4, 9]
    for _ in range(40):
        assert torch.pow(x, torch.full((4,), 2.0)).tolist() == [0, 1, 4, 9]
        assert torch.pow(x, 2.0).tolist() == [0, 1, 4, 9]


def test_settings_of_another_kind():
    x, w = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 2, 2)
    conv2d = torch.nn.functional.conv2d
    for _ in range(20):
        assert conv2d(x, w, None, (2, 2)).shape == (1, 1, 2, 2)
        assert conv2d(x, w, torch.ones(1), [2, 2]).shape == (1, 1, 2, 2)
        assert conv2d(x, w, stride=1, padding="same").shape == (1, 1, 4, 4)
        with pytest.raises(TypeError):
            conv2d(x, w, None, 1.5)
        with pytest.raises(TypeError):
            conv2d([1.0], w)


def test_writes_through_views_are_seen_by_written_out_lookups():
    base = torch.zeros(4)
    part = base[1:3]
    for i in range(1, 30):
        base += 1
        assert (part * part).tolist() == [i * i] * 2
        assert torch.relu(part).tolist() == [i] * 2
