"""Running figures of an epoch: mean loss and share of right answers."""

from dataclasses import dataclass

from facula.tensors import Tensor


@dataclass(frozen=True)
class Figures:
    """Mean loss per image and accuracy (0 to 1) over a set of images."""

    loss: float
    accuracy: float


class Meter:
    """Sums losses and right answers over batches; `figures()` gives their means."""

    def __init__(self) -> None:
        self._loss = 0.0
        self._right = 0
        self._count = 0

    def update(self, scores: Tensor, targets: Tensor, loss: float) -> None:
        """Adds one batch: scores (N, classes), targets (N,), loss the batch mean."""
        count = len(targets)
        self._loss += loss * count
        self._right += int((scores.argmax(1) == targets).sum().item())
        self._count += count

    def figures(self) -> Figures:
        """The means over all batches so far."""
        if not self._count:
            return Figures(0.0, 0.0)
        return Figures(self._loss / self._count, self._right / self._count)
