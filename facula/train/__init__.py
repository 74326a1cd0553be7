"""Trains image classifiers: loop, checkpoints, metrics, progress, and the job that uses them."""

from facula.train.callbacks import Callback as Callback
from facula.train.callbacks import Progress as Progress
from facula.train.checkpoint import SaveCheckpoint as SaveCheckpoint
from facula.train.checkpoint import load_checkpoint as load_checkpoint
from facula.train.checkpoint import save_checkpoint as save_checkpoint
from facula.train.data import load_data as load_data
from facula.train.digits import Digits as Digits
from facula.train.errors import TrainError as TrainError
from facula.train.job import run_job as run_job
from facula.train.models import MLP as MLP
from facula.train.trainer import EpochRecord as EpochRecord
from facula.train.trainer import Trainer as Trainer
