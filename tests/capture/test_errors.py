"""What cannot be captured is said, with the line; afterwards everything goes on."""

import pytest

import facula as torch
from facula import nn

CALLS = 10


def fails(function, *args, match):
    """The first call runs as it is; one of the next ones raises."""
    captured = torch.capture(function)
    with pytest.raises(torch.CaptureError, match=match):
        for _ in range(CALLS):
            captured(*args)


def test_reading_a_value():
    def item(x):
        return (x * 2).sum().item()

    def branch(x):
        return x + 1 if x.sum() > 0 else x

    def printing(x):
        print(x * 1)

    def positions(x):
        return x[x > 0]

    def argument(x):
        return x * float(x[0])

    constant = torch.ones(2)

    def captured(x):
        return x * constant[0].item()

    for function in (item, branch, printing, positions, argument):
        fails(function, torch.ones(3), match=r"test_errors.py:\d+: .*needs the value of a tensor")
    fails(captured, torch.ones(3), match="needs the value of a tensor")


def test_the_line_is_the_users():
    def wrong(x):
        y = x * 2
        return y.sum().item()

    line = wrong.__code__.co_firstlineno + 2
    fails(wrong, torch.ones(2), match=rf"test_errors.py:{line}: ")


def test_a_graph_that_is_not_used_up():
    w = torch.ones(2, requires_grad=True)
    fails(lambda x: (x * w).sum(), torch.ones(2), match="returns a tensor that backward")


def test_tensors_that_are_kept():
    kept = []

    class Keeper(nn.Module):
        def forward(self, x):
            self.last = x * 2
            return x

    fails(lambda x: kept.append(x * 2), torch.ones(2), match="keeps a tensor.*in a list")
    fails(Keeper(), torch.ones(2), match="keeps a tensor.*'last'")


def test_a_scheduler_inside():
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)

    def step(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        scheduler.step()

    fails(step, torch.ones(2), match="changes the options of an optimizer")


def test_values_that_python_changes():
    count = [0.0]

    def counting(x):
        count[0] += 1.0
        return x * count[0]

    fails(counting, torch.ones(2), match="differs from call to call: .* pass it as an argument")


def test_programs_that_never_repeat():
    count = [0]

    def growing(x):
        count[0] += 1
        for _ in range(count[0]):
            x = x + x
        return x

    fails(growing, torch.ones(2), match=r"operations differ from call to call, first at test_err")


def test_setting_the_generator():
    def seeded(x):
        torch.manual_seed(0)
        return x + torch.rand(2)

    fails(seeded, torch.ones(2), match="random numbers in a way that cannot be repeated")


def test_another_memory():
    w = torch.ones(2)

    def swap(x):
        w.data = x * 2

    fails(swap, torch.ones(2), match="another memory")


def test_after_an_error_everything_goes_on():
    w = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)

    @torch.capture
    def step(x):
        optimizer.zero_grad()
        loss = ((w - x) ** 2).sum()
        loss.backward()
        loss.item()
        optimizer.step()

    x = torch.ones(2)
    step(x)
    assert w.tolist() == [2.0, 2.0]
    with pytest.raises(torch.CaptureError):
        step(x)
    assert w.tolist() == [2.0, 2.0]
    assert w.grad.tolist() == [2.0, 2.0]
    assert x.tolist() == [1.0, 1.0]
    optimizer.step()
    assert w.tolist() == [0.0, 0.0]


def test_errors_of_the_function_are_its_own():
    @torch.capture
    def wrong(x):
        if x.shape == (3,):
            raise KeyError("mine")
        return x * 2

    for _ in range(CALLS):
        assert wrong(torch.ones(2)).tolist() == [2.0, 2.0]
        with pytest.raises(KeyError, match="mine"):
            wrong(torch.ones(3))


def test_programs_of_refused_calls_are_told_apart_by_what_was_withheld():
    """A refused call goes on as a program with inputs that nothing reads: of any shapes."""

    def refused(shape):
        others = [torch.ones(*shape) for _ in range(3)]
        kept = []

        def doubles(x, reads):
            kept[:] = [x * 2.0]
            if reads:
                float(kept[0].sum())
            return kept[0]

        captured = torch.capture(doubles)
        captured(torch.ones(4), False)
        with pytest.raises(torch.CaptureError):
            captured(torch.ones(4), True)
        return kept[0].tolist(), len(others)

    for shape in 3 * [(2,), (3,), (2, 3), (4,)]:
        assert refused(shape) == ([2.0] * 4, 3)
