"""Operators with a call of their own: arguments, errors and results as in the general way."""

from __future__ import annotations

import inspect
import threading

import numpy as np
import pytest

import facula as torch
from facula.base.caches import forget
from facula.operators.operator import Operator


def in_use(function, *args, times=40):
    """Call often enough for the operator to get a function of its own; the last result."""
    for _ in range(times):
        result = function(*args)
    assert type(function) is not Operator
    return result


def test_arguments_by_name_and_left_out():
    x, w, b = torch.ones(1, 3), torch.full((2, 3), 2.0), torch.ones(2)
    linear = torch.nn.functional.linear
    in_use(linear, x, w, None)
    assert linear(x, w).tolist() == [[6, 6]]
    assert linear(bias=b, weight=w, input=x).tolist() == [[7, 7]]
    assert linear(x, bias=b, weight=w).tolist() == [[7, 7]]
    assert inspect.signature(linear).parameters.keys() == {"input", "weight", "bias"}


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, 'missing 1 required positional argument: "input"'),
        ((1,), {}, 'missing 1 required positional argument: "weight"'),
        ((1, 2, 3, 4), {}, "takes 3 positional arguments but 4 were given"),
        ((1, 2), {"other": 3}, "got an unexpected keyword argument 'other'"),
        ((1, 2), {"weight": 3}, "got multiple values for argument 'weight'"),
    ],
)
def test_wrong_arguments(args, kwargs, message):
    x, w = torch.ones(1, 3), torch.ones(2, 3)
    linear = torch.nn.functional.linear
    in_use(linear, x, w, None)
    given = [x, w, None, None][: len(args)]
    with pytest.raises(TypeError, match=message.replace("(", r"\(")):
        linear(*given, **kwargs)


def test_out_goes_the_general_way():
    x = torch.tensor([1.0, 4.0])
    in_use(torch.sqrt, x)
    out = torch.zeros(2)
    assert torch.sqrt(x, out=out) is out
    assert out.tolist() == [1, 2]


def test_gradients_and_modes():
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    tanh = torch.tanh
    in_use(tanh, x)
    y = tanh(x)
    assert type(y.grad_fn).__name__ == "TanhBackward0"
    assert y.grad_fn.next_functions[0][1] == 0
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1 - np.tanh([-1.0, 2.0]) ** 2, rtol=1e-6)
    with torch.no_grad():
        assert not tanh(x).requires_grad
    assert not tanh(x.detach()).requires_grad


def test_numbers_are_inputs_by_position():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    for factor in (2.0, 3.0, -0.0, 2.0) * 10:
        made = x * factor
        assert made.tolist() == [factor, 2 * factor]
        made.sum().backward()
        assert x.grad.tolist() == [factor] * 2
        x.grad = None


def test_views_share_memory():
    base = torch.zeros(2, 3)
    for i in range(30):
        view = base.view(3, 2)
        view[0, 0] = i
        assert base[0, 0].item() == i
    shared = np.zeros((2, 3), np.float32)
    view = torch.from_numpy(shared).view(3, 2)
    shared[0, 1] = 7
    assert view[0, 1].item() == 7


def test_threads_that_join_later():
    x = torch.full((4,), 3.0)
    in_use(torch.sin, x)
    wanted = np.sin(np.full(4, 3.0))
    found = []

    def work():
        for _ in range(20):
            found.append(torch.sin(x).numpy())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    assert len(found) == 80
    for values in found:
        np.testing.assert_allclose(values, wanted, rtol=1e-6)


def test_profilers_see_them():
    x = torch.ones(3)
    in_use(torch.cos, x)
    with torch.profiler.profile() as prof:
        torch.cos(x)
    assert any(row.key == "aten::cos" for row in prof.key_averages())
    assert type(torch.cos) is not Operator


def test_what_was_traced_can_be_forgotten():
    x = torch.ones(3)
    in_use(torch.exp, x)
    assert torch.exp.known[0]
    forget()
    assert not torch.exp.known[0]
    np.testing.assert_allclose(torch.exp(x).numpy(), np.exp(np.ones(3)), rtol=1e-6)


def test_lists_of_tensors_of_any_length():
    x, y = torch.ones(2, 3, requires_grad=True), torch.zeros(2, 1)
    cat = torch.cat
    for _ in range(40):
        cat([x, y], 1)
    assert cat([x, y, x], 1).shape == (2, 7)
    assert cat((x, x)).shape == (4, 3)
    cat([y, x, x * 2.0], 1).sum().backward()
    assert x.grad.tolist() == [[3] * 3] * 2
    assert cat([y, y], 1).grad_fn is None
    with pytest.raises(TypeError):
        cat([x, 1.0], 1)


def test_a_view_in_a_list_sees_what_was_written():
    base = torch.zeros(4)
    first = base[:2]
    for _ in range(40):
        torch.stack([first, first])
    base.fill_(3)
    assert torch.stack([first, base[2:]]).tolist() == [[3, 3], [3, 3]]
    array = base.numpy()
    array[0] = 9
    assert torch.stack([first, first]).tolist() == [[9, 3], [9, 3]]


def test_windows_wherever_they_start():
    x = torch.arange(12.0).view(3, 4).requires_grad_()
    y = x * 2.0
    for i in range(60):
        assert y[:, i % 4].tolist() == [2.0 * (i % 4 + 4 * row) for row in range(3)]
    y[1:, 2].sum().backward()
    assert x.grad.tolist() == [[0] * 4, [0, 0, 2, 0], [0, 0, 2, 0]]


def test_whole_numbers_as_operands():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    programs = set()
    for n in range(1, 60):
        y = (x / n) ** 2
        programs.add((type(y.grad_fn).__name__, str(y.dtype)))
        np.testing.assert_allclose(y.tolist(), [1 / n**2, 4 / n**2], rtol=1e-6)
    assert programs == {("PowBackward0", "torch.float32")}
    assert (torch.tensor([1, 2]) * 3).tolist() == [3, 6]
    assert (torch.tensor([1, 2]) * 3.0).dtype is torch.float32
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_what_only_the_derivative_needs_is_hidden():
    x = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    norm = torch.nn.functional.layer_norm
    y = in_use(norm, x, (5,))
    assert isinstance(y, torch.Tensor)
    np.testing.assert_allclose(norm(x, [5]).tolist(), y.tolist())
    assert torch.autograd.gradcheck(lambda a: norm(a, (5,)), (x,))
    assert torch.autograd.gradgradcheck(lambda a: norm(a, (5,)), (x,))
    with pytest.raises(RuntimeError, match="Given normalized_shape"):
        norm(x, (4,))


def test_parts_share_memory_and_a_gradient_function():
    x = torch.arange(12.0).view(3, 4).requires_grad_()
    for _ in range(40):
        y = x * 1.0
        a, b, c = y.split([1, 2, 1], 1)
    assert a.grad_fn is b.grad_fn
    assert (a._base is y, b.stride(), b.storage_offset()) == (True, (4, 1), 1)
    with pytest.raises(RuntimeError, match="Output 1 of SplitWithSizes is a view"):
        b.mul_(2)
    (a * c).sum().backward()
    assert x.grad.tolist() == [[3, 0, 0, 0], [7, 0, 0, 4], [11, 0, 0, 8]]
    z = torch.zeros(2, 4)
    left, right = z.chunk(2, 1)
    right += 5
    left.fill_(1)
    assert z.tolist() == [[1, 1, 5, 5]] * 2
    z.mul_(2)
    assert right.tolist() == [[10, 10]] * 2
