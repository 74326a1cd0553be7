"""16-bit tensors scaled by numbers: rounded once, like PyTorch's kernels."""

import numpy as np
import pytest

import facula

torch = pytest.importorskip("torch")

CASES = {
    "times a number": lambda t, a, b: a * 1.7,
    "a number times": lambda t, a, b: 1.7 * a,
    "times a scalar tensor": lambda t, a, b: a * t.tensor(1.7),
    "a scalar tensor times": lambda t, a, b: t.tensor(1.7) * a,
    "over a number": lambda t, a, b: a / 1.7,
    "over a scalar tensor": lambda t, a, b: a / t.tensor(1.7),
    "plus a number": lambda t, a, b: a + 1.7,
    "a number minus": lambda t, a, b: 1.7 - a,
    "in place": lambda t, a, b: a.clone().mul_(1.7),
    "addcmul": lambda t, a, b: t.addcmul(a, b, b, value=1.7),
    "addcdiv": lambda t, a, b: t.addcdiv(a, b, b.abs() + 1, value=1.7),
    "lerp": lambda t, a, b: t.lerp(a, b, 0.3),
    "sigmoid": lambda t, a, b: a.sigmoid(),
    "cumsum": lambda t, a, b: a.cumsum(0),
}


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("case", CASES)
def test_bits(case, kind):
    draw = np.random.default_rng(0)
    data = [draw.standard_normal(160).astype(np.float32) for _ in range(2)]

    def run(t):
        operands = [t.from_numpy(x.copy()).to(getattr(t, kind)) for x in data]
        result = CASES[case](t, *operands)
        assert result.dtype is getattr(t, kind)
        return result.float().numpy()

    assert np.array_equal(run(facula), run(torch))
