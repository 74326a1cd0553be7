"""The training loop: steps, evaluation, history, and a state that can be saved and continued."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from facula import nn, tensors
from facula.autograd import no_grad
from facula.optim import Optimizer
from facula.runtime.tiers import compiling_at_once
from facula.tensors import Tensor
from facula.train.callbacks import Callback
from facula.train.metrics import Figures, Meter
from facula.utils.data import DataLoader


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch came to: mean losses, accuracies (0 to 1), learning rate, wall time."""

    epoch: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    lr: float
    seconds: float


class Trainer:
    """Fits a classifier: loop, evaluation, schedule, history and callbacks.

    `loss(scores, targets)` must give the batch mean. `augment`, where given, changes each training
    batch of images. `scheduler.step()` is called after each epoch. State for saving is in
    `state_dict()`; loaded again, training continues bitwise.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        scheduler: Any = None,
        augment: Callable[[Tensor], Tensor] | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.scheduler = scheduler
        self.augment = augment
        self.callbacks = list(callbacks)
        self.history: list[EpochRecord] = []

    @property
    def epoch(self) -> int:
        """How many epochs have been completed."""
        return len(self.history)

    def fit(self, train: DataLoader, test: DataLoader, epochs: int) -> list[EpochRecord]:
        """Trains until `epochs` epochs are complete, counting those before a resume."""
        with compiling_at_once():  # so that a resumed run ends with the same bits
            return self._fit(train, test, epochs)

    def _fit(self, train: DataLoader, test: DataLoader, epochs: int) -> list[EpochRecord]:
        while self.epoch < epochs:
            started = time.perf_counter()
            for callback in self.callbacks:
                callback.on_epoch_start(self, self.epoch + 1, epochs, len(train))
            lr = float(self.optimizer.param_groups[0]["lr"])
            on_train = self._train_epoch(train)
            on_test = self.evaluate(test)
            if self.scheduler is not None:
                self.scheduler.step()
            record = EpochRecord(
                epoch=self.epoch + 1,
                train_loss=on_train.loss,
                train_accuracy=on_train.accuracy,
                test_loss=on_test.loss,
                test_accuracy=on_test.accuracy,
                lr=lr,
                seconds=time.perf_counter() - started,
            )
            self.history.append(record)
            for callback in self.callbacks:
                callback.on_epoch_end(self, record, epochs)
        return self.history

    def _train_epoch(self, batches: Iterable[Any]) -> Figures:
        self.model.train()
        meter = Meter()
        for images, targets in batches:
            if self.augment is not None:
                images = self.augment(images)
            self.optimizer.zero_grad()
            scores = self.model(images)
            loss = self.loss(scores, targets)
            loss.backward()
            self.optimizer.step()
            value = float(loss.item())
            meter.update(scores.detach(), targets, value)
            for callback in self.callbacks:
                callback.on_step(self, value)
        return meter.figures()

    def evaluate(self, batches: Iterable[Any]) -> Figures:
        """Mean loss and accuracy over `batches`, without gradients, in evaluation mode."""
        self.model.eval()
        meter = Meter()
        with no_grad():
            for images, targets in batches:
                scores = self.model(images)
                meter.update(scores, targets, float(self.loss(scores, targets).item()))
        return meter.figures()

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides how training goes on, the random stream included."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "history": [asdict(record) for record in self.history],
            "rng": tensors.get_rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over a saved state; the next epoch runs as if training had not stopped."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None and state["scheduler"] is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        self.history = [EpochRecord(**record) for record in state["history"]]
        tensors.set_rng_state(state["rng"])
