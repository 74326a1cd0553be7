"""Learning-rate schedulers under their PyTorch names; they are defined in the private files."""

from __future__ import annotations

from facula.optim._plateau import ReduceLROnPlateau
from facula.optim._schedules import LRScheduler, _LRScheduler
from facula.optim._schedules_combined import ChainedScheduler, SequentialLR
from facula.optim._schedules_cyclic import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from facula.optim._schedules_simple import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from facula.optim.optimizer import Optimizer

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "Optimizer",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "_LRScheduler",
]
