"""The loop: figures against NumPy, callbacks in order, a state that continues bitwise."""

import numpy as np
import pytest

import facula as torch
from facula import nn, optim
from facula.train import Callback, Trainer
from facula.train.metrics import Meter
from facula.utils.data import DataLoader, TensorDataset


def problem():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 5)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int64)
    return TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), x, y


def make(callbacks=()):
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch)
    return Trainer(model, optimizer, nn.CrossEntropyLoss(), scheduler=schedule, callbacks=callbacks)


def test_meter_weighs_batches_by_size():
    meter = Meter()
    meter.update(torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 2.0]]), torch.tensor([0, 1, 1]), 2.0)
    meter.update(torch.tensor([[0.0, 5.0]]), torch.tensor([1]), 6.0)
    assert meter.figures().loss == 3.0
    assert meter.figures().accuracy == 0.75


def test_evaluate_agrees_with_numpy():
    data, x, y = problem()
    trainer = make()
    w = {k: v.numpy().astype(np.float64) for k, v in trainer.model.state_dict().items()}
    hidden = np.maximum(x @ w["0.weight"].T + w["0.bias"], 0)
    scores = hidden @ w["3.weight"].T + w["3.bias"]
    log_sum = np.log(np.exp(scores).sum(1))
    figures = trainer.evaluate(DataLoader(data, batch_size=16))
    assert figures.loss == pytest.approx((log_sum - scores[np.arange(60), y]).mean(), rel=1e-5)
    assert figures.accuracy == (scores.argmax(1) == y).mean()
    assert not trainer.model.training


def test_it_learns_and_callbacks_come_in_order():
    calls = []

    class Spy(Callback):
        def on_epoch_start(self, trainer, epoch, epochs, steps):
            calls.append(("start", epoch, epochs, steps))

        def on_step(self, trainer, loss):
            calls.append("step")

        def on_epoch_end(self, trainer, record, epochs):
            calls.append(("end", record.epoch, trainer.epoch))

    data, _, _ = problem()
    loader = DataLoader(data, batch_size=20, shuffle=True)
    trainer = make([Spy()])
    history = trainer.fit(loader, loader, 3)
    one = ["step"] * 3
    assert calls[:5] == [("start", 1, 3, 3), *one, ("end", 1, 1)]
    assert calls[-1] == ("end", 3, 3)
    assert history[-1].test_loss < history[0].train_loss
    assert [record.lr for record in history] == pytest.approx([0.05, 0.025, 0.0125])


def test_state_continues_bitwise():
    data, _, _ = problem()

    def loader():
        return DataLoader(data, batch_size=16, shuffle=True)

    whole = make()
    whole.fit(loader(), loader(), 4)
    first = make()
    first.fit(loader(), loader(), 2)
    state = first.state_dict()
    torch.manual_seed(99)
    second = make()
    second.load_state_dict(state)
    second.fit(loader(), loader(), 4)
    for name, value in whole.model.state_dict().items():
        assert np.array_equal(value.numpy(), second.model.state_dict()[name].numpy()), name
    assert [r.train_loss for r in whole.history] == [r.train_loss for r in second.history]
