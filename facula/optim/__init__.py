"""Optimizers and learning-rate schedulers, under the names of ``torch.optim``."""

from __future__ import annotations

from facula.optim import lr_scheduler as lr_scheduler
from facula.optim import swa_utils as swa_utils
from facula.optim._adafactor import Adafactor as Adafactor
from facula.optim._muon import Muon as Muon
from facula.optim.adadelta import Adadelta as Adadelta
from facula.optim.adagrad import Adagrad as Adagrad
from facula.optim.adam import Adam as Adam
from facula.optim.adamax import Adamax as Adamax
from facula.optim.adamw import AdamW as AdamW
from facula.optim.asgd import ASGD as ASGD
from facula.optim.lbfgs import LBFGS as LBFGS
from facula.optim.nadam import NAdam as NAdam
from facula.optim.optimizer import Optimizer as Optimizer
from facula.optim.radam import RAdam as RAdam
from facula.optim.rmsprop import RMSprop as RMSprop
from facula.optim.rprop import Rprop as Rprop
from facula.optim.sgd import SGD as SGD
from facula.optim.sparse_adam import SparseAdam as SparseAdam

__all__ = [
    "ASGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "LBFGS",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SGD",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
]
