"""Printed tensors match recorded PyTorch 2.13 output and, where it is installed, PyTorch."""

import math
import random

import numpy as np
import pytest

from facula.tensors import printing
from facula.tensors.printing import format_sparse_coo, format_tensor


@pytest.fixture(autouse=True)
def _default_options():
    printing.set_printoptions(profile="default")
    yield
    printing.set_printoptions(profile="default")


F32 = np.float32
RECORDED = [
    # values, dtype name, options, what PyTorch 2.13 printed
    (F32(1.5), "float32", {}, "tensor(1.5000)"),
    (F32([1, 2, 3]), "float32", {}, "tensor([1., 2., 3.])"),
    (F32([0.5, np.nan, np.inf, -2]), "float32", {}, "tensor([ 0.5000,     nan,     inf, -2.0000])"),
    (F32([np.nan, 1]), "float32", {}, "tensor([nan, 1.])"),
    (F32([1e-5, 1]), "float32", {}, "tensor([1.0000e-05, 1.0000e+00])"),
    (F32([1e9, 1]), "float32", {}, "tensor([1.0000e+09, 1.0000e+00])"),
    (np.float64([0.1, 0.2]), "float64", {}, "tensor([0.1000, 0.2000], dtype=torch.float64)"),
    (np.int64([[1, -20], [3, 4]]), "int64", {}, "tensor([[  1, -20],\n        [  3,   4]])"),
    (np.int32([7]), "int32", {}, "tensor([7], dtype=torch.int32)"),
    (np.array([True, False]), "bool", {}, "tensor([ True, False])"),
    (np.complex64([1 + 2j, -0.5j]), "complex64", {}, "tensor([1.+2.0000j, -0.-0.5000j])"),
    (F32([1.25]), "bfloat16", {}, "tensor([1.2500], dtype=torch.bfloat16)"),
    (F32(np.zeros((0, 3))), "float32", {}, "tensor([], size=(0, 3))"),
    (np.zeros(0, np.int64), "int64", {}, "tensor([], dtype=torch.int64)"),
    (
        np.arange(2000, dtype=np.int64),
        "int64",
        {},
        "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])",
    ),
    (F32([1, 2]), "float32", {"sci_mode": True, "precision": 2}, "tensor([1.00e+00, 2.00e+00])"),
    (F32([0]), "float32", {"sci_mode": True}, "tensor([0.])"),
    (
        np.arange(12).reshape(2, 2, 3),
        "int64",
        {},
        "tensor([[[ 0,  1,  2],\n         [ 3,  4,  5]],\n\n        [[ 6,  7,  8],\n"
        "         [ 9, 10, 11]]])",
    ),
    (np.arange(4), "int64", {"threshold": 3, "edgeitems": 0}, "tensor([...], size=(4,))"),
]


@pytest.mark.parametrize(("values", "dtype", "options", "expected"), RECORDED)
def test_recorded_output(values, dtype, options, expected):
    printing.set_printoptions(**options)
    assert format_tensor(np.asarray(values), dtype) == expected


def test_facts_after_the_values():
    ones = F32([1, 1])
    assert format_tensor(ones, "float32", requires_grad=True) == (
        "tensor([1., 1.], requires_grad=True)"
    )
    assert format_tensor(ones, "float32", requires_grad=True, grad_fn_name="MulBackward0") == (
        "tensor([1., 1.], grad_fn=<MulBackward0>)"
    )
    assert format_tensor(ones, "float32", default_dtype="float64") == (
        "tensor([1., 1.], dtype=torch.float32)"
    )
    assert format_tensor(ones, "float32", class_name="Sub") == "Sub([1., 1.])"
    assert format_tensor(None, "int64", shape=(2,), device="meta") == (
        "tensor(..., device='meta', size=(2,), dtype=torch.int64)"
    )


def test_sparse_literal():
    text = format_sparse_coo(np.array([[0, 1], [2, 0]]), np.float64([3, 4]), (2, 3), "float64")
    assert text == (
        "tensor(indices=tensor([[0, 1],\n"
        "                       [2, 0]]),\n"
        "       values=tensor([3., 4.]),\n"
        "       size=(2, 3), nnz=2, dtype=torch.float64, layout=torch.sparse_coo)"
    )


def test_printoptions_are_restored_after_the_block():
    with printing.printoptions(precision=1):
        assert format_tensor(F32([0.25]), "float32") == "tensor([0.2])"
    assert format_tensor(F32([0.25]), "float32") == "tensor([0.2500])"


DTYPES = [
    *("float32", "float64", "float16", "bfloat16", "complex64", "complex128", "bool"),
    *("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64"),
]
CHOICES = {
    "precision": [0, 1, 2, 4, 8],
    "threshold": [0, 5, 1000, math.inf],
    "edgeitems": [0, 1, 2, 3],
    "linewidth": [1, 20, 40, 80, 200],
    "profile": ["default", "short", "full"],
    "sci_mode": [True, False, None],
}


def _reals(pick, draw, shape):
    values = np.asarray(draw.standard_normal(shape))
    values = pick.choice(
        [
            lambda: values * 10.0 ** pick.randint(-12, 12),
            lambda: np.round(values * 10 ** pick.randint(0, 9)),
            lambda: values * 10.0 ** draw.integers(-6, 6, shape),
            lambda: values * 0,
            lambda: abs(values),
            lambda: values,
        ]
    )()
    if pick.random() < 0.3:
        odds = draw.random(shape)
        values = np.where(odds < 0.1, np.nan, np.where(odds < 0.2, -np.inf, values))
    return np.asarray(values)


def _random_tensor(torch, pick, draw, dtype, shape):
    if dtype == "bool":
        values = draw.integers(0, 2, shape)
    elif "int" in dtype:
        high = pick.choice([2, 100])
        values = draw.integers(0 if dtype[0] == "u" else -high, high, shape)
    elif "complex" in dtype:
        values = np.empty(shape, np.complex128)
        values.real, values.imag = _reals(pick, draw, shape), _reals(pick, draw, shape)
    else:
        values = _reals(pick, draw, shape)
    return torch.from_numpy(np.asarray(values)).to(getattr(torch, dtype))


@pytest.mark.parametrize("seed", range(4))
def test_random_tensors_print_as_in_pytorch(seed):
    torch = pytest.importorskip("torch")
    pick, draw = random.Random(seed), np.random.default_rng(seed)
    try:
        for _ in range(300):
            dtype = pick.choice(DTYPES)
            lengths = [0, 1, 2, 3, 7, 8, 20]
            shape = tuple(pick.choice(lengths) for _ in range(pick.choice([0, 1, 1, 2, 2, 3])))
            tensor = _random_tensor(torch, pick, draw, dtype, shape)
            options = {k: pick.choice(v) for k, v in CHOICES.items() if pick.random() < 0.2}
            for library in (torch, printing):
                library.set_printoptions(profile="default")
                library.set_printoptions(**options)
            default = pick.choice(["float32", "float64"])
            torch.set_default_dtype(getattr(torch, default))
            array = tensor.float().numpy() if dtype == "bfloat16" else tensor.numpy()
            assert format_tensor(array, dtype, default_dtype=default) == repr(tensor)
    finally:
        torch.set_printoptions(profile="default")
        torch.set_default_dtype(torch.float32)
