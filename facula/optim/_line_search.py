"""The line search of L-BFGS: a step length that satisfies the strong Wolfe conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from facula.tensors import Tensor


@dataclass(frozen=True)
class Trial:
    """One point on the line: step length, loss, gradient, and slope along the direction."""

    t: float
    loss: float
    grad: Tensor
    slope: float


@dataclass(frozen=True)
class Found:
    """The accepted trial and how often the function was evaluated on the way."""

    trial: Trial
    evaluations: int


# sufficient decrease, and how flat the slope has to become (Nocedal and Wright, chapter 3)
DECREASE = 1e-4
FLATNESS = 0.9


def strong_wolfe(
    evaluate: Callable[[float], Trial],
    t: float,
    start: Trial,
    longest: float,
    tolerance: float,
    limit: int,
) -> Found:
    """Look for a step from ``start``, first trying ``t``; ``longest`` is the largest |direction|.

    ``tolerance`` ends the search once the bracket moves no weight further than that; ``limit``
    is the largest number of evaluations after the first.
    """
    search = _Search(evaluate, start, limit)
    bracket = search.enclose(t)
    if len(bracket) == 1:
        return Found(bracket[0], search.evaluations)
    return Found(search.narrow(bracket, longest, tolerance), search.evaluations)


class _Search:
    """The two phases of the search and the count of evaluations they share."""

    def __init__(self, evaluate: Callable[[float], Trial], start: Trial, limit: int) -> None:
        self.evaluate = evaluate
        self.start = start
        self.limit = limit
        self.evaluations = 0
        self.rounds = 0

    def at(self, t: float) -> Trial:
        self.evaluations += 1
        return self.evaluate(t)

    def falls_short(self, trial: Trial) -> bool:
        """True if the loss is above the line of sufficient decrease."""
        return trial.loss > self.start.loss + DECREASE * trial.t * self.start.slope

    def is_flat(self, trial: Trial) -> bool:
        return abs(trial.slope) <= -FLATNESS * self.start.slope

    def enclose(self, t: float) -> list[Trial]:
        """Lengthen the step until two trials enclose a minimum, or one is good enough itself."""
        before, trial = self.start, self.at(t)
        while self.rounds < self.limit:
            if self.falls_short(trial) or (self.rounds > 1 and trial.loss >= before.loss):
                return [before, trial]
            if self.is_flat(trial):
                return [trial]
            if trial.slope >= 0:
                return [before, trial]
            bounds = (trial.t + 0.01 * (trial.t - before.t), trial.t * 10)
            t = interpolate(before, trial, bounds)
            before, trial = trial, self.at(t)
            self.rounds += 1
        return [self.start, trial]

    def narrow(self, bracket: list[Trial], longest: float, tolerance: float) -> Trial:
        """Shrink the bracket around the minimum; returns its better end."""
        low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
        stalled = False
        while self.rounds < self.limit:
            if abs(bracket[1].t - bracket[0].t) * longest < tolerance:
                break
            t, stalled = self.next_length(bracket, stalled)
            trial = self.at(t)
            self.rounds += 1
            if self.falls_short(trial) or trial.loss >= bracket[low].loss:
                bracket[high] = trial
                low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
                continue
            done = self.is_flat(trial)
            if not done and trial.slope * (bracket[high].t - bracket[low].t) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = trial
            if done:
                break
        return bracket[low]

    @staticmethod
    def next_length(bracket: list[Trial], stalled: bool) -> tuple[float, bool]:
        """The interpolated minimum, kept away from the ends if it stays near one twice."""
        t = interpolate(bracket[0], bracket[1])
        left, right = sorted((bracket[0].t, bracket[1].t))
        margin = 0.1 * (right - left)
        if min(right - t, t - left) >= margin:
            return t, False
        if not stalled and left < t < right:
            return t, True
        return (right - margin if abs(t - right) < abs(t - left) else left + margin), False


def interpolate(a: Trial, b: Trial, bounds: tuple[float, float] | None = None) -> float:
    """The minimum of the cubic through two trials and their slopes, within ``bounds``."""
    low, high = bounds if bounds is not None else (min(a.t, b.t), max(a.t, b.t))
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t) if a.t != b.t else float("nan")
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = square**0.5
    left, right = (a, b) if a.t <= b.t else (b, a)
    divisor = right.slope - left.slope + 2 * d2
    if divisor == 0:
        return (low + high) / 2.0
    t = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / divisor)
    return min(max(t, low), high)
