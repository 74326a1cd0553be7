"""torch.linalg and its older names against PyTorch: values, gradients, names, errors."""

from __future__ import annotations

import numpy as np
import pytest

import facula
from tests.operators.compare import check, reference

RNG = np.random.default_rng(5)
F64, F32, C128 = np.float64, np.float32, np.complex128


def normal(*shape, dtype=F64):
    x = RNG.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * RNG.normal(size=shape)
    return x.astype(dtype)


def positive(*shape, dtype=F64):
    a = normal(*shape, dtype=dtype)
    return (a @ np.conj(np.swapaxes(a, -1, -2)) + 2 * np.eye(shape[-1])).astype(dtype)


def hermitian(t, a):
    return (a + a.transpose(-2, -1).conj()) / 2


def sign_free(found):
    """Singular vectors are free in sign: squares and the product are not."""
    u, s, vh = found
    return s, u * u, vh * vh, (u * s.unsqueeze(-2)) @ vh


A33, A233, A43, A34 = normal(3, 3), normal(2, 3, 3), normal(4, 3), normal(3, 4)
CASES = {
    "det": (lambda t, a: t.linalg.det(a), A33),
    "det_batch": (lambda t, a: t.det(a), A233),
    "det_complex": (lambda t, a: t.det(a), normal(3, 3, dtype=C128)),
    "logdet": (lambda t, a: t.logdet(a), positive(2, 3, 3)),
    "slogdet": (lambda t, a: t.linalg.slogdet(a), A233),
    "slogdet_torch": (lambda t, a: t.slogdet(a), A33),
    "slogdet_complex": (lambda t, a: t.linalg.slogdet(a), normal(3, 3, dtype=C128)),
    "inv": (lambda t, a: t.linalg.inv(a), A233),
    "inverse": (lambda t, a: t.inverse(a), A33),
    "inverse_method": (lambda t, a: a.inverse(), A33),
    "inv_complex": (lambda t, a: t.linalg.inv(a), normal(3, 3, dtype=C128)),
    "inv_ex": (lambda t, a: t.linalg.inv_ex(a), A33),
    "solve": (lambda t, a, b: t.linalg.solve(a, b), A233, normal(2, 3, 2)),
    "solve_broadcast": (lambda t, a, b: t.linalg.solve(a, b), A233, normal(3, 2)),
    "solve_vector": (lambda t, a, b: t.linalg.solve(a, b), A33, normal(3)),
    "solve_batch_vector": (lambda t, a, b: t.linalg.solve(a, b), A233, normal(2, 3)),
    "solve_right": (lambda t, a, b: t.linalg.solve(a, b, left=False), A33, normal(2, 3)),
    "solve_complex": (
        lambda t, a, b: t.linalg.solve(a, b),
        normal(2, 2, dtype=C128),
        normal(2, 2, dtype=C128),
    ),
    "solve_ex": (lambda t, a, b: t.linalg.solve_ex(a, b), A33, normal(3, 2)),
    "triangular": (lambda t, a, b: t.linalg.solve_triangular(a, b, upper=True), A33, normal(3, 2)),
    "triangular_lower": (
        lambda t, a, b: t.linalg.solve_triangular(a, b, upper=False),
        A233,
        normal(2, 3, 2),
    ),
    "triangular_right": (
        lambda t, a, b: t.linalg.solve_triangular(a, b, upper=True, left=False),
        A33,
        normal(2, 3),
    ),
    "triangular_unit": (
        lambda t, a, b: t.linalg.solve_triangular(a, b, upper=False, unitriangular=True),
        A33,
        normal(3, 2),
    ),
    "cholesky": (lambda t, a: t.linalg.cholesky(a @ a.mT + t.eye(3, dtype=a.dtype)), A233),
    "cholesky_upper": (
        lambda t, a: t.linalg.cholesky(a @ a.mT + t.eye(3, dtype=a.dtype), upper=True),
        A33,
    ),
    "cholesky_torch": (lambda t, a: t.cholesky(hermitian(t, a)), positive(3, 3)),
    "cholesky_complex": (
        lambda t, a: t.linalg.cholesky(hermitian(t, a)),
        positive(3, 3, dtype=C128),
    ),
    "cholesky_ex": (lambda t, a: t.linalg.cholesky_ex(a), positive(3, 3)),
    "cholesky_solve": (
        lambda t, b, a: t.cholesky_solve(b, a),
        normal(3, 2),
        np.linalg.cholesky(positive(3, 3)),
    ),
    "cholesky_inverse": (lambda t, a: t.cholesky_inverse(a), np.linalg.cholesky(positive(3, 3))),
    "qr": (lambda t, a: t.linalg.qr(a), A43),
    "qr_square": (lambda t, a: t.qr(a), A233),
    "qr_wide": (lambda t, a: t.linalg.qr(a), A34),
    "qr_complex": (lambda t, a: t.linalg.qr(a), normal(4, 3, dtype=C128)),
    "svd": (lambda t, a: t.linalg.svd(a), A33),
    "svd_thin": (lambda t, a: sign_free(t.linalg.svd(a, full_matrices=False)), A43),
    "svd_wide": (lambda t, a: sign_free(t.linalg.svd(a, full_matrices=False)), normal(2, 2, 4)),
    "svd_torch": (lambda t, a: t.svd(a), A33),
    "svdvals": (lambda t, a: t.linalg.svdvals(a), A43),
    "eigh": (lambda t, a: t.linalg.eigh(hermitian(t, a)), A233),
    "eigvalsh": (lambda t, a: t.linalg.eigvalsh(hermitian(t, a)), A33),
    "eigvals": (lambda t, a: t.linalg.eigvals(a), normal(3, 3)),
    "lu": (lambda t, a: t.linalg.lu(a), A233),
    "lu_tall": (lambda t, a: t.linalg.lu(a), A43),
    "lu_wide": (lambda t, a: t.linalg.lu(a), A34),
    "lu_factor": (lambda t, a: t.linalg.lu_factor(a), A33),
    "lu_unpack": (lambda t, a: t.lu_unpack(*t.linalg.lu_factor(a)), A43),
    "lu_solve": (lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b), A33, normal(3, 2)),
    "lu_solve_adjoint": (
        lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b, adjoint=True),
        A33,
        normal(3, 2),
    ),
    "lu_solve_right": (
        lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b, left=False),
        A33,
        normal(2, 3),
    ),
    "pinv": (lambda t, a: t.linalg.pinv(a), A43),
    "pinv_wide": (lambda t, a: t.linalg.pinv(a), A34),
    "pinv_rank_one": (lambda t, a: t.linalg.pinv(a, rtol=1e-3), A33),
    "pinverse": (lambda t, a: t.pinverse(a), A33),
    "matrix_exp": (lambda t, a: t.linalg.matrix_exp(a), A233),
    "matrix_exp_large": (lambda t, a: t.matrix_exp(a * 5), A33),
    "matrix_exp_complex": (lambda t, a: t.matrix_exp(a), normal(2, 2, dtype=C128)),
    "matrix_power": (lambda t, a: t.linalg.matrix_power(a, 5), A33),
    "matrix_power_inverse": (lambda t, a: t.matrix_power(a, -3), A33),
    "matrix_power_0": (lambda t, a: t.matrix_power(a.detach(), 0), A233),
    "multi_dot": (
        lambda t, a, b, c: t.linalg.multi_dot([a, b, c]),
        normal(2, 5),
        normal(5, 3),
        normal(3, 4),
    ),
    "multi_dot_ends": (
        lambda t, a, b, c: t.linalg.multi_dot([a, b, c]),
        normal(5),
        normal(5, 3),
        normal(3),
    ),
    "cross": (lambda t, a, b: t.linalg.cross(a, b), normal(2, 3), normal(2, 3)),
    "cross_dim": (lambda t, a, b: t.cross(a, b), normal(3, 2), normal(3, 2)),
    "cross_complex": (
        lambda t, a, b: t.cross(a, b, dim=1),
        normal(2, 3, dtype=C128),
        normal(2, 3, dtype=C128),
    ),
    "vecdot": (lambda t, a, b: t.linalg.vecdot(a, b), normal(2, 3), normal(2, 3)),
    "vander": (lambda t, a: t.linalg.vander(a, N=4), normal(2, 3)),
    "vander_torch": (lambda t, a: t.vander(a.detach()), normal(3)),
    "vander_increasing": (lambda t, a: t.vander(a.detach(), 2, True), normal(3)),
    "tensorinv": (lambda t, a: t.linalg.tensorinv(a, ind=1), normal(4, 2, 2)),
    "tensorsolve": (lambda t, a, b: t.linalg.tensorsolve(a, b), normal(2, 2, 4), normal(2, 2)),
    "householder": (lambda t, a, b: t.linalg.householder_product(a, b), A43, normal(3)),
    "diagonal": (lambda t, a: t.linalg.diagonal(a), A233),
    "cond": (lambda t, a: t.linalg.cond(a), A33),
    "cond_1": (lambda t, a: t.linalg.cond(a.detach(), 1), A233),
    "norm": (lambda t, a: t.linalg.norm(a), A233),
    "norm_2": (lambda t, a: t.linalg.norm(a, 2), A43),
    "norm_nuc": (lambda t, a: t.linalg.norm(a, "nuc"), A43),
    "norm_minus_1": (lambda t, a: t.linalg.norm(a, -1), A43),
    "norm_vector": (lambda t, a: t.linalg.norm(a, 3), normal(5)),
    "matrix_norm_inf": (lambda t, a: t.linalg.matrix_norm(a, float("inf"), keepdim=True), A233),
    "matrix_norm_dims": (lambda t, a: t.linalg.matrix_norm(a, 1, dim=(0, 2)), A233),
    "vector_norm_0": (lambda t, a: t.linalg.vector_norm(a, 0, dim=1), A43),
    "vector_norm_inf": (
        lambda t, a: t.linalg.vector_norm(a, float("inf"), dim=-1, keepdim=True),
        A43,
    ),
    "torch_norm": (lambda t, a: t.norm(a), A43),
    "torch_norm_1": (lambda t, a: t.norm(a, 1, dim=1), A43),
    "torch_norm_nuc": (lambda t, a: t.norm(a, "nuc"), A43),
    "method_norm": (lambda t, a: a.norm(3, dim=(0, 1), keepdim=True), A43),
    "dist": (lambda t, a, b: t.dist(a, b, 1.5), normal(3, 2), normal(2)),
    "renorm": (lambda t, a: t.renorm(a, 2, 0, 1.0), A43),
}
FREE_NAMES = {
    "cond_1", "matrix_norm_inf", "svd_thin", "svd_wide", "matrix_power_inverse", "householder",
    "multi_dot", "tensorinv", "tensorsolve", "vecdot", "cond", "diagonal", "slogdet_complex",
    "multi_dot_ends",
}  # fmt: skip
SECOND = {
    "det", "det_complex", "slogdet", "inv", "solve", "triangular", "cholesky", "qr", "svdvals",
    "eigh", "eigvalsh", "pinv", "pinv_wide", "matrix_exp", "cross", "norm_nuc", "norm_2", "lu",
    "lu_wide", "cholesky_solve", "dist",
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    function, *inputs = CASES[name]
    check(function, *inputs, names=name not in FREE_NAMES, second=name in SECOND)


@pytest.mark.parametrize(
    "name", ["det", "inv", "solve", "cholesky", "qr", "svd_torch", "eigh", "pinv", "norm_2"]
)
def test_float32(name):
    function, *inputs = CASES[name]
    check(function, *[x.astype(F32) for x in inputs], names=False, tolerance=3e-3)


def test_complex_eigenvectors_up_to_phase():
    def invariant(t, a):
        values, vectors = t.linalg.eigh(hermitian(t, a))
        return values, vectors.abs() ** 2

    check(invariant, normal(3, 3, dtype=C128), names=False)


def test_complex_svd_up_to_phase():
    def invariant(t, a):
        u, s, vh = t.linalg.svd(a, full_matrices=False)
        return s, u.abs() ** 2, (u * s) @ vh

    check(invariant, normal(4, 3, dtype=C128), names=False)


def test_eig_up_to_phase():
    def invariant(t, a):
        values, vectors = t.linalg.eig(a)
        return values, vectors.abs() ** 2

    check(invariant, normal(3, 3), names=False)


def test_gradient_of_singular_determinant():
    a = np.array([[1.0, 1, 2], [4, 4, 5], [7, 7, 8]])
    x = facula.tensor(a.tolist(), dtype=facula.float64, requires_grad=True)
    facula.det(x).backward()
    cofactors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(3)]
        for i in range(3)
    ]
    np.testing.assert_allclose(np.asarray(x.grad.tolist()), cofactors, atol=1e-12)


def test_lstsq():
    check(lambda t, a, b: t.linalg.lstsq(a, b), normal(5, 3), normal(5, 2), names=False)
    check(lambda t, a, b: t.linalg.lstsq(a, b).solution, normal(3, 5), normal(3, 2))
    check(
        lambda t, a, b: t.linalg.lstsq(a, b, driver="gelsd"),
        normal(5, 3),
        normal(5, 2),
        names=False,
    )


def test_matrix_rank():
    low = normal(4, 2) @ normal(2, 4)
    check(lambda t, a: t.linalg.matrix_rank(a), low, grad=False)
    check(lambda t, a: t.linalg.matrix_rank(a, hermitian=True), low @ low.T, grad=False)
    check(lambda t, a: t.linalg.matrix_rank(a, atol=1.0, rtol=0.0), A233, grad=False)


@pytest.mark.parametrize("name", ["svdvals", "eigvalsh", "eigvals"])
def test_values_without_vectors(name):
    def ordered(t, a):
        found = getattr(t.linalg, name)(hermitian(t, a) if name == "eigvalsh" else a)
        return found.real.sort().values if name == "eigvals" else found

    check(ordered, A233, grad=False)
    check(ordered, normal(2, 2, dtype=C128), grad=False)


def test_empty_matrices():
    for function in ("det", "inv", "pinv", "matrix_exp"):
        check(lambda t, a, f=function: getattr(t.linalg, f)(a), np.zeros((0, 0)), grad=False)
    check(lambda t, a: t.linalg.solve(a, a), np.zeros((2, 0, 0)), grad=False)


FAILING = {
    "inv": lambda t: t.linalg.inv(t.zeros(2, 2)),
    "inv_batch": lambda t: t.linalg.inv(t.stack([t.eye(2), t.zeros(2, 2)])),
    "inverse": lambda t: t.inverse(t.tensor([[1.0, 2], [2, 4]])),
    "solve": lambda t: t.linalg.solve(t.zeros(2, 2), t.ones(2)),
    "cholesky": lambda t: t.linalg.cholesky(t.tensor([[1.0, 2], [2, 1]])),
    "cholesky_torch": lambda t: t.cholesky(t.tensor([[[1.0, 2], [2, 1]]])),
    "svd": lambda t: t.linalg.svd(t.full((2, 2), float("nan"))),
    "lu_factor": lambda t: t.linalg.lu_factor(t.zeros(2, 2)),
    "not_square": lambda t: t.linalg.inv(t.zeros(2, 3)),
    "vector": lambda t: t.linalg.det(t.zeros(3)),
    "integers": lambda t: t.linalg.inv(t.ones(2, 2, dtype=t.int64)),
    "half": lambda t: t.linalg.inv(t.ones(2, 2, dtype=t.float16)),
    "shapes": lambda t: t.linalg.solve(t.eye(2), t.ones(3, 1)),
    "order": lambda t: t.linalg.matrix_norm(t.ones(2, 2), 3),
    "norm_3d": lambda t: t.linalg.norm(t.ones(2, 2, 2), 1),
    "norm_int": lambda t: t.norm(t.ones(2, dtype=t.int64)),
    "cross": lambda t: t.cross(t.ones(2, 2), t.ones(2, 2)),
    "multi_dot": lambda t: t.linalg.multi_dot([t.ones(2, 2)]),
    "driver": lambda t: t.linalg.lstsq(t.ones(2, 2), t.ones(2, 2), driver="x"),
    "qr_complete": lambda t: (
        t.linalg.qr(t.ones(3, 2, requires_grad=True), "complete")[0].sum().backward()
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_errors(name):
    torch = reference()
    with pytest.raises(Exception) as theirs:
        FAILING[name](torch)
    with pytest.raises(Exception) as ours:
        FAILING[name](facula)
    assert type(ours.value).__name__ == type(theirs.value).__name__
    assert isinstance(ours.value, RuntimeError)
    assert str(ours.value) == str(theirs.value)


def test_failures_are_reported_not_raised():
    found = facula.linalg.inv_ex(facula.zeros(2, 2))
    assert found.info.item() == 1
    factor = facula.linalg.cholesky_ex(facula.tensor([[1.0, 2], [2, 1]]))
    assert factor.info.item() == 2


def test_failure_leaves_pending_work_alone():
    x = facula.ones(3) * 2
    with pytest.raises(facula.linalg.LinAlgError):
        facula.linalg.inv(facula.zeros(2, 2))
    assert x.tolist() == [2.0, 2.0, 2.0]


def test_printed_like_pytorch():
    expected = (
        "torch.return_types.svd(\nU=tensor([[1., 0.],\n        [0., 1.]]),\nS=tensor([2., 1.]),\n"
        "V=tensor([[1., 0.],\n        [0., 1.]]))"
    )
    assert repr(facula.svd(facula.tensor([[2.0, 0.0], [0.0, 1.0]]))) == expected
