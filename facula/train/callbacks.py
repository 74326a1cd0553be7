"""What can be hung on a training loop, and the progress bar that usually is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

if TYPE_CHECKING:
    from facula.train.trainer import EpochRecord, Trainer


class Callback:
    """Called by the Trainer at its milestones; override what you need."""

    def on_epoch_start(self, trainer: Trainer, epoch: int, epochs: int, steps: int) -> None:
        """Before the first batch of epoch `epoch` (counted from 1)."""

    def on_step(self, trainer: Trainer, loss: float) -> None:
        """After each optimizer step."""

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord, epochs: int) -> None:
        """After the epoch's evaluation; `record` is the newest line of the history."""


class Progress(Callback):
    """A tqdm bar over the batches and one printed line per epoch."""

    def __init__(self) -> None:
        self._bar: Any = None

    def on_epoch_start(self, trainer: Trainer, epoch: int, epochs: int, steps: int) -> None:
        self._bar = tqdm(
            total=steps,
            desc=f"epoch {epoch:>{len(str(epochs))}}/{epochs}",
            unit="batch",
            leave=False,
            dynamic_ncols=True,
            file=sys.stderr,
        )

    def on_step(self, trainer: Trainer, loss: float) -> None:
        self._bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
        self._bar.update()

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord, epochs: int) -> None:
        self._bar.close()
        print(
            f"epoch {record.epoch:>{len(str(epochs))}}/{epochs}"
            f"  loss {record.train_loss:.4f}"
            f"  test loss {record.test_loss:.4f}"
            f"  test accuracy {record.test_accuracy:6.2%}"
            f"  {record.seconds:.1f} s",
            flush=True,
        )
