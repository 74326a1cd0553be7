"""Initialisers against PyTorch: bit for bit with the same seed."""

import math
import warnings

import pytest

SHAPES = [(5, 7), (4, 3, 3, 3), (20, 20)]
FILLS = {
    "uniform": lambda i, t: i.uniform_(t, -2.0, 3.0),
    "normal": lambda i, t: i.normal_(t, 0.5, 2.0),
    "constant": lambda i, t: i.constant_(t, 0.3),
    "ones": lambda i, t: i.ones_(t),
    "zeros": lambda i, t: i.zeros_(t),
    "xavier uniform": lambda i, t: i.xavier_uniform_(t, gain=1.5),
    "xavier normal": lambda i, t: i.xavier_normal_(t),
    "kaiming uniform": lambda i, t: i.kaiming_uniform_(t, a=math.sqrt(5)),
    "kaiming relu": lambda i, t: i.kaiming_uniform_(t, nonlinearity="relu"),
    "kaiming normal": lambda i, t: i.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"),
    "kaiming leaky": lambda i, t: i.kaiming_normal_(t, a=0.1),
    "truncated": lambda i, t: i.trunc_normal_(t),
    "truncated narrow": lambda i, t: i.trunc_normal_(t, 0.0, 1.0, -0.2, 0.3),
    "truncated tail": lambda i, t: i.trunc_normal_(t, 0.0, 1.0, 1.0, 2.0),
    "truncated small": lambda i, t: i.trunc_normal_(t, std=0.02),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", FILLS)
def test_fill(twin, name, shape, dtype):
    def scenario(torch):
        torch.manual_seed(123)
        t = torch.empty(shape, dtype=getattr(torch, dtype))
        same = FILLS[name](torch.nn.init, t) is t
        return same, t, torch.rand(2)

    twin(scenario)


def test_generator(twin):
    def scenario(torch):
        torch.manual_seed(0)
        g = torch.Generator().manual_seed(9)
        t = torch.empty(4, 5)
        made = [
            torch.nn.init.kaiming_uniform_(t, generator=g).clone(),
            torch.nn.init.xavier_normal_(t, generator=g).clone(),
            torch.nn.init.trunc_normal_(t, generator=g).clone(),
        ]
        return made, torch.rand(2)

    twin(scenario)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (3, 2, 2)], ids=str)
def test_orthogonal(twin, shape):
    def scenario(torch):
        torch.manual_seed(3)
        return torch.nn.init.orthogonal_(torch.empty(shape), gain=2.0), torch.rand(1)

    twin(scenario, rtol=1e-4, atol=1e-5)


def test_sparse_eye_dirac(twin):
    def scenario(torch):
        torch.manual_seed(3)
        init = torch.nn.init
        return (
            init.sparse_(torch.empty(7, 4), 0.3),
            init.eye_(torch.empty(3, 4)),
            init.dirac_(torch.empty(4, 3, 3)),
            init.dirac_(torch.empty(4, 2, 3, 2), groups=2),
            init.dirac_(torch.empty(2, 2, 1, 3, 3)),
            torch.rand(1),
        )

    twin(scenario)


def test_gains(twin):
    kinds = (
        "linear",
        "conv2d",
        "conv_transpose3d",
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
        "selu",
    )

    def scenario(torch):
        gain = torch.nn.init.calculate_gain
        return [gain(kind) for kind in kinds] + [gain("leaky_relu", 0.2)]

    twin(scenario)


def test_fans(twin):
    def scenario(torch):
        init = torch.nn.init
        t = torch.empty(4, 3, 5, 5)
        return [
            init._calculate_fan_in_and_fan_out(t),
            init._calculate_correct_fan(t, "fan_out"),
            init._calculate_correct_fan(torch.empty(2, 3), "FAN_IN"),
        ]

    twin(scenario)


@pytest.mark.parametrize(
    "call",
    [
        lambda i, t: i.calculate_gain("foo"),
        lambda i, t: i.calculate_gain("leaky_relu", True),
        lambda i, t: i.kaiming_uniform_(t.empty(3, 3), mode="foo"),
        lambda i, t: i.xavier_uniform_(t.empty(3)),
        lambda i, t: i.eye_(t.empty(3)),
        lambda i, t: i.sparse_(t.empty(3), 0.1),
        lambda i, t: i.dirac_(t.empty(3, 3)),
        lambda i, t: i.dirac_(t.empty(3, 3, 3), groups=2),
        lambda i, t: i.orthogonal_(t.empty(3)),
    ],
)
def test_errors(twin, call):
    twin(lambda torch: call(torch.nn.init, torch))


def test_old_names(twin):
    names = [
        "uniform", "normal", "constant", "eye", "dirac", "xavier_uniform", "xavier_normal",
        "kaiming_uniform", "kaiming_normal", "orthogonal", "sparse",
    ]  # fmt: skip

    def scenario(torch):
        torch.manual_seed(1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            made = torch.nn.init.xavier_uniform(torch.empty(2, 3))
            torch.nn.init.constant(made, 2.0)
        kinds = [w.category.__name__ for w in caught]
        return made, kinds, [hasattr(torch.nn.init, name) for name in names]

    twin(scenario)


def test_empty_tensors_warn(twin):
    def scenario(torch):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.nn.init.kaiming_normal_(torch.empty(0, 3))
            torch.nn.Linear(0, 3)
        return [str(w.message) for w in caught]

    twin(scenario)


def test_keeps_gradients_off(twin):
    def scenario(torch):
        p = torch.nn.Parameter(torch.empty(3, 3))
        torch.nn.init.xavier_normal_(p)
        torch.nn.init.trunc_normal_(p)
        torch.nn.init.orthogonal_(p)
        torch.nn.init.sparse_(p, 0.5)
        return p.requires_grad, p.is_leaf, p.grad_fn

    twin(scenario)
