"""`torch.svd_lowrank`, `torch.pca_lowrank`: PyTorch's results from the same seed."""

from __future__ import annotations

import numpy as np
import pytest

import facula

rt = pytest.importorskip("torch")


@pytest.mark.parametrize("shape", [(20, 8), (8, 20), (3, 12, 5)])
@pytest.mark.parametrize(
    "call",
    [
        lambda t, a: t.pca_lowrank(a),
        lambda t, a: t.pca_lowrank(a, q=2, center=False, niter=1),
        lambda t, a: t.svd_lowrank(a, q=4),
        lambda t, a: t.svd_lowrank(a, 3, 1, M=a.mean(-1, keepdim=True)),
        lambda t, a: t.functional.svd_lowrank(a, 4, None),
    ],
)
def test_same_as_pytorch(shape, call):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = {}
    for t in (facula, rt):
        t.manual_seed(3)
        left, sizes, right = call(t, t.tensor(values))
        # singular vectors are determined up to their sign; their product is not
        product = (left * sizes.unsqueeze(-2)) @ right.mH
        found[t] = [np.array(x.tolist()) for x in (sizes, product)]
        assert left.mH.matmul(left).allclose(t.eye(sizes.shape[-1]), atol=1e-5)
    for got, want in zip(found[facula], found[rt], strict=True):
        np.testing.assert_allclose(got, want, 1e-3, 1e-4)


def test_gradients():
    grads = []
    for t in (facula, rt):
        t.manual_seed(0)
        a = t.arange(24.0).view(6, 4).sin().requires_grad_()
        t.pca_lowrank(a, q=2)[1].sum().backward()
        grads.append(np.array(a.grad.tolist()))
    np.testing.assert_allclose(*grads, 1e-3, 1e-4)


def test_errors():
    for t in (facula, rt):
        with pytest.raises(ValueError, match=r"q\(=9\) must be non-negative integer and not"):
            t.pca_lowrank(t.ones(4, 5), q=9)
        with pytest.raises(ValueError, match=r"niter\(=-1\) must be non-negative"):
            t.pca_lowrank(t.ones(4, 5), niter=-1)


def test_the_module_functional():
    missing = [name for name in rt.functional.__all__ if not hasattr(facula.functional, name)]
    assert missing == []
    assert facula.functional.einsum is facula.einsum
