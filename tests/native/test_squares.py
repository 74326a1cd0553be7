"""Operands read across the direction of writing, against NumPy."""

import numpy as np
import pytest

import facula as torch
from facula.base.flags import flags
from facula.engines.native import target
from facula.engines.native.lowering import squares
from facula.runtime import plans

SHAPES = [(8, 8), (16, 16), (17, 33), (64, 9), (9, 64), (40, 1100), (1100, 40), (31, 15), (3, 50)]


@pytest.fixture(autouse=True)
def native(monkeypatch):
    monkeypatch.setattr(flags, "engine", "native")
    plans.forget()
    yield
    plans.forget()


@pytest.fixture
def found(monkeypatch):
    """The programs that were computed in squares."""
    seen = []
    real = squares.find

    def find(program):
        result = real(program)
        if result is not None:
            seen.append(program)
        return result

    monkeypatch.setattr(squares, "find", find)
    return seen


def numbers(*shape, kind="float32", seed=0):
    array = np.random.default_rng(seed).normal(size=shape) * 40
    return array > 0 if kind == "bool" else array.astype(kind)


@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "int64", "uint8", "bool"])
def test_transposed_copies(kind, found):
    for shape in SHAPES:
        array = numbers(*shape, kind=kind if kind != "uint8" else "int64").astype(kind)
        x = torch.tensor(array)
        np.testing.assert_array_equal(x.t().contiguous().numpy(), array.T)
        np.testing.assert_array_equal(torch.rot90(x).numpy(), np.rot90(array))
        np.testing.assert_array_equal(torch.rot90(x, 3).numpy(), np.rot90(array, 3))
    assert found


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_vectors_of_any_width(bits, monkeypatch):
    monkeypatch.setattr(
        target, "lanes", lambda element: bits // (64 if element == "double" else 32)
    )
    x, y = numbers(45, 70), numbers(70, 45, seed=1)
    got = (torch.tensor(x).t() * 2 + torch.tensor(y)).numpy()
    np.testing.assert_array_equal(got, x.T * np.float32(2) + y)


def test_several_operands_and_other_dimensions(found):
    x, y, z = numbers(5, 37, 21), numbers(21, 37, 5, seed=1), numbers(21, seed=2)
    a, b, c = torch.tensor(x), torch.tensor(y), torch.tensor(z)
    got = (a.permute(0, 2, 1) + b.permute(2, 0, 1) * c[:, None]).numpy()
    wanted = x.transpose(0, 2, 1) + y.transpose(2, 0, 1) * z[:, None]
    np.testing.assert_allclose(got, wanted, 1e-6)
    image = numbers(2, 19, 23, 35)
    got = torch.tensor(image).permute(0, 2, 3, 1).contiguous().numpy()
    np.testing.assert_array_equal(got, image.transpose(0, 2, 3, 1))
    mixed = (
        torch.tensor(numbers(30, 20, kind="float64")).t() > torch.tensor(y[:20, :30, 0])
    ).numpy()
    np.testing.assert_array_equal(mixed, numbers(30, 20, kind="float64").T > y[:20, :30, 0])
    assert len(found) >= 2


def test_an_operand_that_is_written_over(found):
    y = numbers(300, 200, seed=1)
    x, wanted = torch.tensor(numbers(200, 300)), y.copy()
    total = torch.tensor(y)
    for _ in range(4):
        total = total + x.t()
        wanted = wanted + numbers(200, 300).T
    np.testing.assert_array_equal(total.numpy(), wanted)
