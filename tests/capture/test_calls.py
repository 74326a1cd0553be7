"""What a captured function takes, returns, writes, and notices between calls."""

import numpy as np
import pytest

import facula as torch
import facula.nn.functional as F
from facula import nn

CALLS = 8


def replayed(function):
    """Whether a captured function has come so far as to replay."""
    return any(function._replays.values())


def test_floats_are_arguments_and_other_values_are_static():
    seen = []

    @torch.capture
    def scaled(x, factor, times, *, flip=False):
        seen.append(times)
        for _ in range(times):
            x = x * factor
        return -x if flip else x

    x = torch.ones(3)
    for i in range(20):
        factor = 0.5 + i
        assert scaled(x, factor, 2).tolist() == [factor * factor] * 3
        assert scaled(x, factor, 1, flip=True).tolist() == [-factor] * 3
    assert len(seen) < 20


def test_a_float_that_python_computes_with_is_not_confused():
    @torch.capture
    def shifted(x, a):
        return x + a * 2.0

    for i in range(20):
        assert shifted(torch.zeros(1), float(i % 5)).item() == 2.0 * (i % 5)


def test_nested_arguments_and_results():
    @torch.capture
    def mixed(batch, scale=1.0):
        x, (y, z) = batch["x"], batch["rest"]
        return {"sum": x + y + z, "pair": (x * scale, [y, None, "text"]), "same": x}

    for i in range(CALLS):
        x, y, z = (torch.full((2,), float(i + k)) for k in range(3))
        out = mixed({"x": x, "rest": (y, z)}, scale=float(i))
        assert out["sum"].tolist() == [3.0 * i + 3] * 2
        assert out["pair"][0].tolist() == [float(i * i)] * 2
        assert out["pair"][1] == [y, None, "text"] or out["pair"][1][0] is y
        assert out["same"] is x
    assert replayed(mixed)


def test_shapes_dtypes_and_gradient_mode_are_captured_for_themselves():
    @torch.capture
    def double(x):
        return (x * 2).detach()

    for _ in range(CALLS):
        assert double(torch.ones(2)).shape == (2,)
        assert double(torch.ones(3, 1)).shape == (3, 1)
        assert double(torch.ones(2, dtype=torch.int64)).dtype is torch.int64
        with torch.no_grad():
            assert double(torch.ones(2)).tolist() == [2.0, 2.0]


def test_arguments_shared_with_numpy_and_views():
    @torch.capture
    def total(x):
        return x.sum()

    array = np.zeros(4, np.float32)
    shared = torch.from_numpy(array)
    whole = torch.arange(20.0).reshape(5, 4)
    for i in range(CALLS):
        array[...] = i
        assert total(shared).item() == 4.0 * i
        assert total(shared[1:3]).item() == 2.0 * i
        assert total(whole[i % 5]).item() == whole[i % 5].sum().item()
        array[0] = 9.0  # the memory is still shared
        assert shared[0].item() == 9.0


def test_writing_to_arguments():
    @torch.capture
    def bump(x, y):
        x.add_(y)
        return x

    array = np.zeros(2, np.float32)
    shared = torch.from_numpy(array)
    for i in range(CALLS):
        x = torch.zeros(2)
        assert bump(x, torch.ones(2)) is x
        assert x.tolist() == [1.0, 1.0]
        bump(shared, torch.ones(2))
        assert array.tolist() == [i + 1.0] * 2


def test_captured_memory_may_be_written_from_outside():
    weight = torch.ones(3)
    table = torch.arange(6.0).reshape(2, 3)
    row = table[1]

    @torch.capture
    def use(x):
        return x * weight + row

    for i in range(2 * CALLS):
        if i % 3 == 0:
            weight.fill_(float(i))
        if i % 4 == 0:
            table.add_(1)
        got = use(torch.ones(3)).tolist()
        assert got == (weight + table[1]).tolist()
    shown = weight.numpy()
    for i in range(CALLS):
        shown[...] = i
        assert use(torch.ones(3)).tolist() == (torch.full((3,), float(i)) + table[1]).tolist()


def test_parameters_may_be_looked_at_as_arrays_between_calls():
    """Memory that NumPy has seen, and no longer sees, is like any other, from the first call on."""

    def trained(wrap):
        torch.manual_seed(0)
        net = nn.Linear(3, 2)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

        @wrap
        def step(x):
            optimizer.zero_grad()
            loss = net(x).square().sum()
            loss.backward()
            optimizer.step()
            return loss

        seen = [net.weight.detach().numpy().sum()]
        for _ in range(CALLS):
            seen.append(step(torch.ones(4, 3)).item())
            seen += net.bias.detach().numpy().tolist()
        return seen, net.weight.tolist(), step

    *expected, _ = trained(lambda step: step)
    *got, step = trained(torch.capture)
    assert got == expected and replayed(step)


def test_state_dict_and_data_between_calls():
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    @torch.capture
    def step(x):
        optimizer.zero_grad()
        loss = net(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    x = torch.ones(1, 3)
    saved = {k: v.clone() for k, v in net.state_dict().items()}
    opened = optimizer.state_dict()
    losses = [step(x).item() for _ in range(CALLS)]
    for _ in range(3):
        net.load_state_dict(saved)
        optimizer.load_state_dict(opened)
        optimizer.state.clear()
        again = [step(x).item() for _ in range(CALLS)]
        assert again == losses
    held = net.weight.detach()
    before = held.tolist()
    step(x)
    assert held.tolist() != before  # it shares the memory
    net.weight.data = torch.zeros(2, 3)
    net.bias.data = torch.zeros(2)
    assert step(x).item() == 0.0


def test_freezing_a_layer():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    @torch.capture
    def step(x):
        optimizer.zero_grad()
        loss = net(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(CALLS):
        step(torch.ones(1, 3))
    net[0].requires_grad_(False)
    before = net[0].weight.tolist(), net[1].weight.tolist()
    for _ in range(CALLS):
        step(torch.ones(1, 3))
    assert net[0].weight.tolist() == before[0]
    assert net[1].weight.tolist() != before[1]


def test_held_values_stay_as_they_are():
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    @torch.capture
    def step(x):
        optimizer.zero_grad()
        loss = net(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    kept = []
    for i in range(2 * CALLS):
        loss = step(torch.full((1, 2), 1.0 + i % 2))
        kept.append((loss, net.weight.clone(), net.weight.grad, net.weight.detach() * 1))
        kept.append([x.tolist() for x in kept[-1]])
    for tensors, values in zip(kept[::2], kept[1::2]):
        assert [x.tolist() for x in tensors] == values


def test_a_network_and_a_method():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Dropout())
    net.eval()
    fast = torch.capture(net)
    assert len(list(fast.parameters())) == 2
    with torch.no_grad():
        for _ in range(CALLS):
            x = torch.randn(3, 4)
            assert fast(x).tolist() == net(x).tolist()

    class Model:
        def __init__(self, bias):
            self.bias = torch.tensor(bias)

        @torch.capture
        def run(self, x):
            return x + self.bias

    one, two = Model(1.0), Model(2.0)
    for _ in range(CALLS):
        assert one.run(torch.zeros(())).item() == 1.0
        assert two.run(torch.zeros(())).item() == 2.0


def test_random_numbers_go_on_as_without_capturing():
    def draws(x):
        return (
            torch.rand(3), torch.randn_like(x), torch.randint(0, 9, (4,)), torch.randperm(5),
            F.dropout(x, 0.4), x.clone().uniform_(), torch.normal(0.0, 2.0, (2,)),
        )  # fmt: skip

    def run(function):
        torch.manual_seed(1)
        seen = []
        for _ in range(CALLS):
            seen.append([t.tolist() for t in function(torch.ones(20))])
            seen.append(torch.rand(1).item())
        return seen

    captured = torch.capture(draws)
    assert run(captured) == run(draws)
    assert replayed(captured)


def test_indices_are_checked_in_replays():
    torch.manual_seed(0)
    table = nn.Embedding(5, 2)

    @torch.capture
    def look(i, target):
        with torch.no_grad():
            return F.cross_entropy(table(i), target)

    good, target = torch.tensor([0, 4]), torch.tensor([1, -100])
    expected = look(good, target).item()
    for _ in range(CALLS):
        assert look(good, target).item() == expected
    assert replayed(look)
    with pytest.raises(IndexError, match="index out of range in self"):
        look(torch.tensor([0, 5]), target)
    with pytest.raises(IndexError, match="Target 2 is out of bounds"):
        look(good, torch.tensor([0, 2]))
    assert look(good, target).item() == expected


def test_gradients_of_arguments():
    @torch.capture
    def attack(x, y):
        ((x - y) ** 2).sum().backward()

    for i in range(CALLS):
        x = torch.full((2,), float(i), requires_grad=True)
        attack(x, torch.ones(2))
        assert x.grad.tolist() == [2.0 * (i - 1)] * 2


def test_eager_mode_and_nesting():
    calls = []

    @torch.capture
    def inner(x):
        calls.append(1)
        return x + 1

    @torch.capture
    def outer(x):
        return inner(x) * 2

    for _ in range(CALLS):
        assert outer(torch.ones(1)).item() == 4.0
    count = len(calls)
    with torch.explain_eager() if hasattr(torch, "explain_eager") else torch.eager_mode():
        outer(torch.ones(1))
    assert len(calls) == count + 1


def test_capturing_twice_is_capturing_once():
    captured = torch.capture(lambda x: x)
    assert torch.capture(captured) is captured
    assert torch.capture()(captured) is captured
