"""Checkpoints on disk: written whole or not at all, read with a clear word when damaged."""

import os
from pathlib import Path
from typing import Any

from facula import serialization
from facula.train.callbacks import Callback
from facula.train.errors import TrainError
from facula.train.trainer import EpochRecord, Trainer

_FORMAT = 1
_PARTS = {"format", "options", "model", "optimizer", "scheduler", "history", "rng"}


def save_checkpoint(path: Path, trainer: Trainer, options: dict[str, Any]) -> None:
    """Writes the trainer's state and the job's options to `path` in one atomic step."""
    partial = path.with_name(path.name + ".part")
    with open(partial, "wb") as file:
        serialization.save({"format": _FORMAT, "options": options, **trainer.state_dict()}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Reads what `save_checkpoint` wrote; TrainError where it is missing or damaged."""
    if not path.is_file():
        raise TrainError(f"no checkpoint at {path}: train without --resume first")
    try:
        state = serialization.load(path, weights_only=True)
    # A damaged file can fail in the zip, the pickle or the tensor layer: all mean the same here.
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise TrainError(f"{path} is not a readable checkpoint: {reason[0]}") from error
    if not isinstance(state, dict) or not state.keys() >= _PARTS:
        raise TrainError(f"{path} was not written by facula train")
    if state["format"] != _FORMAT:
        raise TrainError(f"{path} has checkpoint format {state['format']}, expected {_FORMAT}")
    return state


class SaveCheckpoint(Callback):
    """Writes a checkpoint after every epoch."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        self.path = path
        self.options = options

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord, epochs: int) -> None:
        save_checkpoint(self.path, trainer, self.options)
