"""explain() of a function: the programs it runs, and why a program is a new one."""

import pytest

import facula as torch
from facula.runtime import plans


@pytest.fixture(autouse=True)
def nothing_known():
    plans.forget()
    yield
    plans.forget()


def test_the_programs_of_a_step():
    torch.manual_seed(0)
    net = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def step(x):
        optimizer.zero_grad()
        loss = net(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss.item()

    text = torch.explain(step, torch.ones(3, 4))
    lines = text.splitlines()
    assert lines[0] == "first call: 1 program"
    assert "operations" in lines[1] and "results" in lines[1] and lines[1].endswith("seen 1 times")
    assert "test_explain.py:" in text
    second = lines.index("second call: 1 program")
    assert second == 2 or "new" in lines[2]  # kernels stand at the last mention
    assert "seen 2 times" in lines[second + 1] and len(lines) > second + 2
    assert all(word in "\n".join(lines[second + 2 :]) for word in ("matmul", "test_explain.py:"))


def test_why_a_program_is_new():
    def work(x, extra=False):
        y = (x * 2).exp() + 1
        return (y.tanh() if extra else y).sum().item()

    work(torch.tensor([[1.0] * 3] * 4))
    x = torch.tensor([[1.0] * 3] * 5)
    text = torch.explain(work, x)
    assert "new, unlike the most similar one:" in text
    assert "input is f32[5,3], was f32[4,3]" in text
    text = torch.explain(work, x, extra=True)
    assert "with tanh (test_explain.py:" in text


def test_other_results():
    def work(x):
        y = x * 2
        z = y + 1
        if not keep[0]:
            del y
        return z.tolist()

    keep = [False]
    x = torch.tensor([1.0, 2.0])
    work(x)
    keep[0] = True
    text = torch.explain(work, x)
    assert "2 results are kept (tensors that Python can still see), 1 were" in text


def test_a_captured_function():
    captured = torch.capture(lambda x: (x * 2).detach())
    for _ in range(5):
        captured(torch.ones(2))
    text = torch.explain(captured, torch.ones(2))
    assert text.startswith("first call: 1 program") and "second call: 1 program" in text
