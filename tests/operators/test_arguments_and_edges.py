"""Other names of arguments, out=, and edge cases as PyTorch has them; values worked out here."""

from __future__ import annotations

import numpy as np
import pytest

import facula as torch

X = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]])


def x():
    return torch.tensor(X)


METHODS = {
    "permute": (lambda t: t.permute(dims=(1, 0)), X.T),
    "reshape": (lambda t: t.reshape(shape=(9,)), X.reshape(9)),
    "view": (lambda t: t.view(size=(9,)), X.reshape(9)),
    "expand": (lambda t: t.expand(size=(2, 3, 3)), np.stack([X, X])),
    "repeat": (lambda t: t.repeat(repeats=(1, 2)), np.tile(X, (1, 2))),
    "tile": (lambda t: t.tile(dims=(2,)), np.tile(X, 2)),
    "flip": (lambda t: t.flip(dims=(0,)), X[::-1]),
    "sum_to_size": (lambda t: t.sum_to_size(size=(1, 3)), X.sum(0, keepdims=True)),
    "resize_": (lambda t: t.resize_(size=(3, 3)), X),
    "swapaxes": (lambda t: t.swapaxes(axis0=0, axis1=1), X.T),
    "split": (lambda t: t.split(split_size=2)[0], X[:2]),
    "tensor_split": (lambda t: t.tensor_split(indices=(1,))[1], X[1:]),
    "hsplit": (lambda t: t.hsplit(sections=3)[1], X[:, 1:2]),
}


@pytest.mark.parametrize("name", METHODS)
def test_names_of_methods(name):
    call, wanted = METHODS[name]
    np.testing.assert_array_equal(call(x()).numpy(), wanted)


FUNCTIONS = {
    "clone": (lambda: torch.clone(input=x()), X),
    "detach": (lambda: torch.detach(input=x()), X),
    "remainder": (lambda: torch.remainder(input=x(), other=2), X % 2),
    "split_with_sizes": (lambda: torch.split_with_sizes(x(), split_sizes=[1, 2])[1], X[1:]),
    "linalg.cholesky": (lambda: torch.linalg.cholesky(input=x()), np.linalg.cholesky(X)),
    "linalg.norm": (lambda: torch.linalg.norm(input=x()), np.linalg.norm(X)),
    "linalg.vector_norm": (lambda: torch.linalg.vector_norm(input=x()), np.linalg.norm(X)),
    "one_hot": (
        lambda: torch.nn.functional.one_hot(input=torch.tensor([2, 0])),
        [[0, 0, 1], [1, 0, 0]],
    ),
    "new type": (lambda: x().to(torch.promote_types(type1=torch.int8, type2=torch.float64)), X),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_names_of_functions(name):
    call, wanted = FUNCTIONS[name]
    np.testing.assert_allclose(call().numpy(), wanted, rtol=1e-12)


INTO = {
    "linalg.inv": (lambda out: torch.linalg.inv(x(), out=out), np.linalg.inv(X)),
    "linalg.norm": (lambda out: torch.linalg.norm(x(), out=out), np.linalg.norm(X)),
    "linalg.solve": (lambda out: torch.linalg.solve(x(), x(), out=out), np.eye(3)),
    "fft.hfft": (lambda out: torch.fft.hfft(x(), out=out), np.fft.hfft(X)),
    "softmax": (
        lambda out: torch.softmax(x(), 0, out=out),
        np.exp(X) / np.exp(X).sum(0),
    ),
    "where": (lambda out: torch.where(x() > 1, x(), 0.0, out=out), np.where(X > 1, X, 0)),
    "tensordot": (lambda out: torch.tensordot(x(), x(), out=out), (X * X).sum()),
    "norm": (lambda out: torch.norm(x(), out=out), np.linalg.norm(X)),
    "full": (lambda out: torch.full((2,), 3, out=out), [3.0, 3.0]),
    "eye": (lambda out: torch.eye(2, out=out), np.eye(2)),
    "linspace": (lambda out: torch.linspace(0, 1, 3, out=out), [0, 0.5, 1]),
    "logspace": (lambda out: torch.logspace(0, 2, 3, out=out), [1, 10, 100]),
    "normal": (lambda out: torch.normal(1.0, 0.0, (2,), out=out), [1, 1]),
    "bernoulli": (lambda out: torch.bernoulli(torch.ones(2), out=out), [1, 1]),
    "zeros": (lambda out: torch.zeros(2, out=out), [0, 0]),
}


@pytest.mark.parametrize("name", INTO)
def test_results_go_into_out(name):
    call, wanted = INTO[name]
    out = torch.empty(0, dtype=torch.float64)
    assert call(out) is out
    np.testing.assert_allclose(out.numpy(), wanted, rtol=1e-12, atol=1e-12)


def test_out_keeps_its_memory_and_gives_the_dtype():
    whole = torch.ones(6)
    torch.full((3,), 7, out=whole[:3])
    assert whole.tolist() == [7, 7, 7, 1, 1, 1]
    assert torch.randint(5, 6, (2,), out=torch.empty(0)).tolist() == [5.0, 5.0]
    with pytest.raises(RuntimeError, match="does not match dtype of out parameter"):
        torch.full((2,), 1.0, dtype=torch.float32, out=torch.empty(2, dtype=torch.float64))
    places = torch.empty(0, dtype=torch.int64)
    assert torch.nonzero(torch.tensor([0, 3]), out=places) is places
    assert places.tolist() == [[1]]


def test_range_warns():
    with pytest.warns(UserWarning, match="deprecated"):
        assert torch.range(0, 2, out=torch.empty(0)).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "make",
    [
        lambda own: torch.zeros(2, dtype=own), lambda own: torch.tensor([1], dtype=own),
        lambda own: torch.full((2,), 1, dtype=own), lambda own: torch.arange(3, dtype=own),
        lambda own: torch.ones_like(x(), dtype=own), lambda own: x().to(own),
        lambda own: x().to(dtype=own), lambda own: x().type(own), lambda own: x().sum(dtype=own),
        lambda own: x().new_zeros(2, dtype=own), lambda own: torch.eye(2, dtype=own),
        lambda own: torch.as_tensor([1], dtype=own), lambda own: torch.linspace(0, 1, 2, dtype=own),
    ],
)  # fmt: skip
def test_types_of_python_are_dtypes(make):
    for own, wanted in {float: torch.float64, int: torch.int64, complex: torch.complex128}.items():
        assert make(own).dtype is wanted
    with pytest.raises(TypeError):
        make(str)


def test_data_that_is_refused_or_fits():
    assert torch.tensor([2**64, 1], dtype=torch.float64).tolist() == [2.0**64, 1.0]
    assert torch.tensor([torch.tensor([1]), torch.tensor([2.5])]).tolist() == [1.0, 2.5]
    assert torch.tensor(-1, dtype=torch.uint8).item() == 255
    for data in (300, [-129], float("nan")):
        with pytest.raises(RuntimeError, match="without overflow"):
            torch.tensor(data, dtype=torch.int8)
    with pytest.raises(ValueError, match="Overflow"):
        torch.tensor(2**65)
    with pytest.raises(ValueError, match="only one element"):
        torch.tensor([torch.ones(2), torch.ones(2)])
    with pytest.raises(RuntimeError, match="infer dtype"):
        torch.tensor({})


def test_conversions_to_python_numbers():
    for convert in (int, float, complex):
        with pytest.raises(ValueError, match="only one element"):
            convert(torch.ones(2))
    assert int(torch.tensor(3 + 0j)) == 3
    with pytest.raises(RuntimeError):
        int(torch.tensor(3 + 1j))
    with pytest.raises(RuntimeError):
        "a" in torch.ones(2)  # noqa: B015


def test_one_tensor_is_no_list_of_tensors():
    for name in "cat stack hstack vstack dstack column_stack".split():
        with pytest.raises(TypeError, match="must be tuple of Tensors"):
            getattr(torch, name)(x())
    empty = torch.empty(0)
    assert torch.cat([empty, empty], dim=1).shape == (0,)


def test_refused_factories():
    for make, error in {
        lambda: torch.empty([2, 4, 2**29, 2**29]): RuntimeError,
        lambda: x().as_strided((2, 2), (-1, 1)): RuntimeError,
        lambda: x().as_strided((2, 2), (1,)): RuntimeError,
        lambda: torch.linspace(0, 1j, 3, dtype=torch.float32): RuntimeError,
        lambda: torch.normal(torch.zeros(2), torch.tensor([1.0, -1.0])): RuntimeError,
        lambda: torch.full((2,), None): TypeError,
        lambda: torch.asarray([1], copy=False): ValueError,
        lambda: torch.rand(2, dtype=torch.int64): NotImplementedError,
    }.items():
        with pytest.raises(error):
            make()
    assert torch.linspace(0, 1j, 3).dtype is torch.complex64


def test_signs_of_nan_are_zero():
    odd = torch.tensor([float("nan"), -2.0, 0.0, 3.0] * 9)
    for _ in range(3):  # interpreted at first, compiled later
        assert torch.sign(odd)[:4].tolist() == [0.0, -1.0, 0.0, 1.0]
        assert torch.sgn(odd * 1.5)[:4].tolist() == [0.0, -1.0, 0.0, 1.0]


def test_indices_of_small_integer_types():
    for own in (torch.int8, torch.int16, torch.int32):
        assert x()[torch.tensor(1, dtype=own)].tolist() == X[1].tolist()
    with pytest.raises(TypeError, match="deleting"):
        del x()[0]


def test_refused_dims():
    for dims in ([0, -3], [0, 2], [1, 1], [0, 1, 2]):
        with pytest.raises(RuntimeError):
            x().rot90(1, dims)
    with pytest.raises(TypeError):
        x().flip()


def test_conjugates_of_complex_factors_in_second_derivatives():
    a = torch.tensor([[1 + 1j]], dtype=torch.complex128, requires_grad=True)
    b = torch.tensor([[2 + 1j]], dtype=torch.complex128, requires_grad=True)
    out = torch.addmm(torch.zeros_like(a), a, b, alpha=2 + 3j)
    (g,) = torch.autograd.grad(out.real.sum() + 2 * out.imag.sum(), a, create_graph=True)
    assert g.item() == (1 + 2j) * (2 - 3j) * (2 - 1j)
    (h,) = torch.autograd.grad(g.real.sum() + 3 * g.imag.sum(), b)
    assert h.item() == (1 - 3j) * (1 + 2j) * (2 - 3j)


def test_edges_of_functions():
    inf, nan = float("inf"), float("nan")
    a, b = torch.tensor([inf, inf, -inf, nan, 3.0]), torch.tensor([nan, inf, 2.0, inf, 4.0])
    assert torch.hypot(a, b).tolist() == [inf, inf, inf, inf, 5.0]
    assert torch.logsumexp(torch.empty(0, 3), 0).tolist() == [-inf] * 3
    assert torch.gather(torch.ones(5), 0, torch.empty(2, 0, dtype=torch.int64)).shape == (2, 0)
    assert torch.searchsorted(torch.empty(2, 0), torch.ones(2, 3)).tolist() == [[0] * 3] * 2
    assert torch.diff(torch.ones(5), 0, 0, torch.ones(1)).shape == (5,)
    (row, column) = torch.unravel_index(torch.tensor([5], dtype=torch.uint8), (2, 3))
    assert row.dtype is torch.int64 and (row.item(), column.item()) == (1, 2)


def test_copies_of_views():
    t = x()
    assert torch.permute_copy(t, (1, 0)).tolist() == X.T.tolist()
    parts = torch.split_copy(t, 1)
    parts[0].zero_()
    assert t.tolist() == X.tolist() and [p.shape for p in parts] == [(1, 3)] * 3
    changed = torch.as_strided_scatter(t, torch.zeros(2, dtype=t.dtype), (2,), (1,), 1)
    assert changed[0].tolist() == [4.0, 0.0, 0.0] and t[0, 1].item() == 1.0
    detached = torch.unsafe_chunk(t, torch.tensor(3))
    assert [p.tolist() for p in detached] == [[row] for row in X.tolist()]


def test_bounds_given_as_tensors():
    assert x().narrow(0, torch.tensor(1), torch.tensor(2)).tolist() == X[1:].tolist()
    assert [p.shape[0] for p in torch.split(x(), torch.tensor(2))] == [2, 1]


def test_operands_of_one_dtype_are_wanted():
    with pytest.raises(RuntimeError, match="expected dtype"):
        torch.lerp(x(), x().float(), 1.0)
    with pytest.raises(RuntimeError, match="Integer division"):
        torch.addcdiv(x(), torch.ones(3).int(), torch.ones(3).int())


def test_windows():
    windows = torch.signal.windows
    np.testing.assert_allclose(windows.hann(5).numpy(), np.hanning(5), atol=1e-7)
    np.testing.assert_allclose(windows.hamming(7).numpy(), np.hamming(7), atol=1e-7)
    np.testing.assert_allclose(windows.blackman(6).numpy(), np.blackman(6), atol=1e-7)
    np.testing.assert_allclose(windows.bartlett(8).numpy(), np.bartlett(8), atol=1e-7)
    kaiser = windows.kaiser(9, beta=3.0, sym=False, dtype=torch.float64)
    np.testing.assert_allclose(kaiser.numpy(), np.kaiser(10, 3.0)[:9], atol=1e-12)
    k = np.arange(4)
    np.testing.assert_allclose(windows.cosine(4).numpy(), np.sin(np.pi * (k + 0.5) / 4), atol=1e-7)
    gauss = np.exp(-(((k - 1.5) / 2.0) ** 2) / 2)
    np.testing.assert_allclose(windows.gaussian(4, std=2.0).numpy(), gauss, atol=1e-7)
    decay = np.exp(-np.abs(k - 1.0) / 2.0)
    found = windows.exponential(4, center=1, tau=2.0, sym=False)
    np.testing.assert_allclose(found.numpy(), decay, atol=1e-7)
    assert windows.nuttall(0).shape == (0,) and windows.nuttall(1).tolist() == [1.0]
    for call in (lambda: windows.hann(-1), lambda: windows.gaussian(3, std=0.0),
                 lambda: windows.hann(3, dtype=torch.int64)):  # fmt: skip
        with pytest.raises(ValueError):
            call()


def test_reductions_over_no_dimension_and_refusals():
    assert torch.all(x() > 1, dim=()).tolist() == (X > 1).tolist()
    assert torch.logcumsumexp(x(), axis=0).shape == (3, 3)
    for call, error in {
        lambda: torch.prod(x(), dim=(0, 1)): TypeError,
        lambda: torch.nansum(torch.ones(2, dtype=torch.complex64)): RuntimeError,
        lambda: torch.diff(x(), prepend=torch.ones(2)): RuntimeError,
        lambda: torch.tensor_split(torch.tensor(1.0), 2): RuntimeError,
        lambda: torch.tensor_split(x(), torch.tensor([1.0])): RuntimeError,
        lambda: torch.broadcast_shapes((-2,), (1,)): ValueError,
        lambda: torch.device("cuda:"): RuntimeError,
        lambda: torch.nn.functional.cosine_similarity(x(), x(), eps=-1.0): RuntimeError,
    }.items():
        with pytest.raises(error):
            call()
    nothing = torch.empty(0, 0, dtype=torch.int64)
    assert torch.ones(3).scatter(0, nothing, torch.empty(0)).tolist() == [1.0] * 3
    small = torch.ones(2, 3, dtype=torch.int8)
    alike = torch.nn.functional.cosine_similarity(small, torch.ones(2, 3))
    np.testing.assert_allclose(alike.numpy(), [1.0, 1.0], rtol=1e-6)


def test_polynomials():
    t = torch.linspace(-1, 1, 7, dtype=torch.float64)
    points, n = t.numpy(), 9
    cheb = np.polynomial.chebyshev.Chebyshev.basis(n)
    special = torch.special
    np.testing.assert_allclose(
        special.chebyshev_polynomial_t(t, n).numpy(), cheb(points), atol=1e-12
    )
    second = np.polynomial.chebyshev.Chebyshev.basis(n + 1).deriv()(points) / (n + 1)
    np.testing.assert_allclose(special.chebyshev_polynomial_u(t, n).numpy(), second, atol=1e-10)
    shifted = special.shifted_chebyshev_polynomial_t((t + 1) / 2, n)
    np.testing.assert_allclose(shifted.numpy(), cheb(points), atol=1e-12)
    for name, basis in {
        "legendre_polynomial_p": np.polynomial.legendre.Legendre.basis,
        "hermite_polynomial_h": np.polynomial.hermite.Hermite.basis,
        "hermite_polynomial_he": np.polynomial.hermite_e.HermiteE.basis,
        "laguerre_polynomial_l": np.polynomial.laguerre.Laguerre.basis,
    }.items():
        found = getattr(special, name)(t, torch.arange(7))
        wanted = [basis(k)(p) for k, p in enumerate(points)]
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-10, atol=1e-12)
    assert special.legendre_polynomial_p(t, -1).tolist() == [0.0] * 7
    assert torch.isnan(special.hermite_polynomial_h(torch.tensor([1e30]), 10**9)).all()


def test_operands_that_are_no_tensors_or_have_no_order():
    for call in (lambda: torch.sum([1, 2]), lambda: torch.max(3), lambda: torch.mean(None),
                 lambda: torch.mul(x(), None), lambda: torch.add(x(), "a")):  # fmt: skip
        with pytest.raises(TypeError):
            call()
    z = torch.tensor([1 + 1j, 2.0])
    for name in "ceil floor trunc erf lgamma digamma amax max median argmin".split():
        with pytest.raises(RuntimeError):  # at once, not when the value is read
            getattr(torch, name)(z)
    with pytest.raises(IndexError):
        torch.max(torch.tensor(1.0), 1)
    with pytest.raises(IndexError):
        torch.argmax(torch.empty(0))
    with pytest.raises(RuntimeError, match="align"):
        torch.roll(x(), (0, 1))


def test_sinc_of_16_bits_is_rounded_once():
    found = torch.sinc(torch.tensor([2.0], dtype=torch.bfloat16))
    assert abs(found.item()) < 1e-6
