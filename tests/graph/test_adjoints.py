"""The gradients of convolution are its adjoints: the same product seen from each side."""

import numpy as np
import pytest

from facula.graph.primitives.contraction import (
    conv,
    conv_input_grad,
    conv_weight_grad,
    output_sizes,
)


@pytest.mark.parametrize(
    "padding", [((0, 0), (0, 0)), ((1, 2), (0, 1)), ((-1, 2), (0, -2)), ((-2, -1), (1, -1))]
)
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("dilation", [(1, 1), (1, 2)])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution(padding, stride, dilation, groups):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 4, 9, 11)), rng.normal(size=(6, 4 // groups, 3, 2))
    params = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    g = rng.normal(size=(2, 6, *output_sizes(x.shape[2:], w.shape[2:], params)))
    total = np.vdot(conv.reference(params, x, w), g)
    from_input = conv_input_grad.reference({**params, "shape": x.shape}, g, w)
    from_weight = conv_weight_grad.reference({**params, "shape": w.shape}, g, x)
    np.testing.assert_allclose([np.vdot(from_input, x), np.vdot(from_weight, w)], total, rtol=1e-10)
