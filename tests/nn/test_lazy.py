"""Lazy layers: shapes from the first input, then the plain class."""

import copy

import pytest

LAYERS = [
    ("LazyLinear(3)", (2, 4)),
    ("LazyLinear(3, bias=False)", (2, 5, 4)),
    ("LazyConv1d(4, 3)", (2, 3, 7)),
    ("LazyConv2d(4, 3, groups=2, padding=1)", (2, 2, 5, 5)),
    ("LazyConv3d(2, 2)", (1, 3, 4, 4, 4)),
    ("LazyConvTranspose1d(4, 3)", (2, 3, 7)),
    ("LazyConvTranspose2d(4, 3, stride=2, bias=False)", (2, 2, 5, 5)),
    ("LazyConvTranspose3d(2, 2)", (1, 3, 3, 3, 3)),
    ("LazyBatchNorm1d()", (4, 3)),
    ("LazyBatchNorm2d(affine=False)", (4, 3, 5, 5)),
    ("LazyBatchNorm3d(track_running_stats=False)", (2, 3, 2, 2, 2)),
    ("LazyInstanceNorm2d()", (4, 3, 5, 5)),
]


@pytest.mark.parametrize("text,shape", LAYERS, ids=[text for text, _ in LAYERS])
def test_first_call(twin, text, shape):
    def scenario(torch):
        torch.manual_seed(3)
        m = eval("nn." + text, {"nn": torch.nn})
        before = [repr(m), list(m.state_dict()), m.has_uninitialized_params()]
        # PyTorch cannot copy buffers without a shape
        other = m if "Norm" in text else copy.deepcopy(m)
        out = m(torch.randn(shape))
        after = [repr(m), m.state_dict(), type(m).__name__, out, len(m._forward_pre_hooks)]
        return before, after, other.has_uninitialized_params()

    twin(scenario, rtol=1e-4, atol=1e-5)


def test_loading_gives_the_shapes(twin):
    def scenario(torch):
        nn = torch.nn
        torch.manual_seed(3)
        full, lazy = nn.Linear(4, 3), nn.LazyLinear(3)
        result = repr(lazy.load_state_dict(full.state_dict()))
        out = lazy(torch.ones(1, 4))
        return result, lazy.weight, out, repr(lazy)

    twin(scenario, rtol=1e-5)


def test_in_a_network(twin):
    def scenario(torch):
        nn = torch.nn
        torch.manual_seed(3)
        net = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(2)).double()
        text = repr(net)
        out = net(torch.randn(1, 2, 5, 5, dtype=torch.float64))
        return text, repr(net), out, net.state_dict()

    twin(scenario, rtol=1e-6, atol=1e-8)


def test_errors(twin):
    twin(lambda torch: torch.nn.LazyConv2d(3, 2)(torch.zeros(2, 3)))
    twin(lambda torch: torch.nn.LazyLinear(3).weight.shape, message=False)
