"""Captured steps of networks with state, random draws, recomputation and gradients of their own."""

import threading

import facula as torch
from facula import nn
from facula.utils.checkpoint import checkpoint

CALLS = 8


def same(make, *args):
    """A captured step gives the values of the plain one, and does replay."""
    plain, captured = make(), torch.capture(make())
    results = []
    for step in (plain, captured):
        torch.manual_seed(1)
        results.append([[t.tolist() for t in step(*args)] for _ in range(CALLS)])
    assert results[0] == results[1]
    assert captured._replays


def test_transformer_layer():
    def make():
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        table = nn.Embedding(20, 16)
        optimizer = torch.optim.AdamW([*layer.parameters(), *table.parameters()], lr=1e-3)

        def step(i):
            optimizer.zero_grad()
            loss = layer(table(i)).square().mean()
            loss.backward()
            optimizer.step()
            return (loss,)

        return step

    same(make, torch.tensor([[1, 2, 3], [7, 8, 19]]))


def test_lstm_with_clipping():
    def make():
        torch.manual_seed(0)
        net, head = nn.LSTM(4, 8, batch_first=True), nn.Linear(8, 1)
        params = [*net.parameters(), *head.parameters()]
        optimizer = torch.optim.Adam(params)

        def step(x):
            optimizer.zero_grad()
            loss = head(net(x)[0]).square().mean()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(params, 0.1)
            optimizer.step()
            return loss, norm

        return step

    same(make, torch.arange(48.0).reshape(2, 6, 4) / 48)


class Square(torch.autograd.Function):
    """x ** 2 with a gradient written by hand."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g


def test_parametrizations_checkpoints_functions_and_averages():
    def make():
        torch.manual_seed(0)
        one = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))
        two = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
        three = nn.Linear(4, 1)
        params = [*one.parameters(), *two.parameters(), *three.parameters()]
        optimizer = torch.optim.SGD(params, lr=0.01)
        averages = [p.detach().clone() for p in params]

        def step(x):
            optimizer.zero_grad()
            hidden = checkpoint(lambda x: two(torch.tanh(one(x))), x, use_reentrant=False)
            loss = Square.apply(three(hidden)).mean()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for average, p in zip(averages, params):
                    average.mul_(0.9).add_(p, alpha=0.1)
            return loss, averages[0].sum()

        return step

    same(make, torch.arange(8.0).reshape(2, 4) / 8)


def test_other_threads_go_on():
    stop, wrong = threading.Event(), []

    def work():
        while not stop.is_set():
            try:
                if (torch.ones(10) * 3).sum().item() != 30:
                    wrong.append("value")
            except Exception as error:
                wrong.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for i in range(120):
            if i % 20 == 0:
                captured = torch.capture(lambda x: (x * 2 + 1).detach())
            assert captured(torch.full((2,), float(i))).tolist() == [2.0 * i + 1] * 2
    finally:
        stop.set()
        thread.join()
    assert not wrong
