"""The main job: from options to a trained network, a checkpoint and two pictures."""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facula import nn, optim, tensors
from facula import operators as ops
from facula.autograd import no_grad
from facula.train.callbacks import Progress
from facula.train.checkpoint import SaveCheckpoint, load_checkpoint
from facula.train.data import ImageData, default_root, load_data, recipe_for
from facula.train.errors import TrainError
from facula.train.models import MODEL_NAMES, build_model
from facula.train.pictures import draw_curve, draw_predictions
from facula.train.trainer import EpochRecord, Trainer
from facula.utils.data import DataLoader

_SHOWN = 40


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a job; saved with every checkpoint."""

    data: str
    model: str
    epochs: int
    batch_size: int
    lr: float
    seed: int


def settle(given: Mapping[str, Any], saved: Mapping[str, Any] | None = None) -> Settings:
    """Fills in what the user left open (None): from the checkpoint, else from the set's recipe."""
    if saved is not None:
        return _settle_resumed(given, saved)
    data, model = given.get("data") or "digits", given.get("model") or "lenet"
    recipe = recipe_for(data)
    chosen = {
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "lr": recipe.lr,
        "seed": 0,
        **{key: value for key, value in given.items() if value is not None},
    }
    return _checked(Settings(**{**chosen, "data": data, "model": model}))


def _settle_resumed(given: Mapping[str, Any], saved: Mapping[str, Any]) -> Settings:
    for key, value in given.items():
        if key != "epochs" and value is not None and value != saved[key]:
            option = "--" + key.replace("_", "-")
            raise TrainError(
                f"the checkpoint was trained with {option} {saved[key]}, not {value}: "
                "leave the option out, or train anew without --resume"
            )
    epochs = given.get("epochs")
    return _checked(Settings(**{**saved, "epochs": epochs or saved["epochs"]}))


def _checked(settings: Settings) -> Settings:
    if settings.model not in MODEL_NAMES:
        raise TrainError(
            f"unknown model {settings.model!r}: choose one of {', '.join(MODEL_NAMES)}"
        )
    for name in ("epochs", "batch_size"):
        if getattr(settings, name) < 1:
            raise TrainError(f"--{name.replace('_', '-')} must be at least 1")
    if not (settings.lr > 0 and math.isfinite(settings.lr)):
        raise TrainError("--lr must be a number above 0")
    if not 0 <= settings.seed < 2**63:
        raise TrainError("--seed must be a whole number of at least 0")
    return settings


def cosine(epochs: int) -> Any:
    """The factor of the learning rate after `done` epochs: half a cosine, from 1 towards 0."""
    return lambda done: 0.5 * (1 + math.cos(math.pi * min(done, epochs) / epochs))


def make_trainer(settings: Settings, data: ImageData) -> Trainer:
    """A fresh model with Adam, the cosine schedule and the cross-entropy loss."""
    tensors.manual_seed(settings.seed)
    model = build_model(settings.model, data.channels, data.size, len(data.classes))
    optimizer = optim.Adam(model.parameters(), lr=settings.lr)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, cosine(settings.epochs))
    return Trainer(
        model, optimizer, nn.CrossEntropyLoss(), scheduler=schedule, augment=data.augment
    )


def run_job(
    given: Mapping[str, Any],
    *,
    out: Path | None = None,
    data_root: Path | None = None,
    resume: Path | bool | None = None,
) -> list[EpochRecord]:
    """Trains, saves `checkpoint.pt`, `curve.png` and `predictions.png`, and says what to try next.

    `given` holds the options data, model, epochs, batch_size, lr, seed (None: left open). `resume`
    is a checkpoint, or True for the one in `out`. Raises TrainError for what the user can mend.
    """
    if out is None:
        out = resume.parent if isinstance(resume, Path) else _default_out(given)
    state = None
    if resume:
        state = load_checkpoint(resume if isinstance(resume, Path) else out / "checkpoint.pt")
    settings = settle(given, None if state is None else state["options"])
    data = load_data(settings.data, settings.model, data_root or default_root())
    trainer = make_trainer(settings, data)
    _restore(trainer, state)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainError(f"cannot write to {out}: {error.strerror}") from error
    _announce(settings, trainer, data)
    trainer.callbacks = [Progress(), SaveCheckpoint(out / "checkpoint.pt", asdict(settings))]
    train = DataLoader(data.train, batch_size=settings.batch_size, shuffle=True)
    test = DataLoader(data.test, batch_size=max(settings.batch_size, 128))
    started = time.perf_counter()
    history = trainer.fit(train, test, settings.epochs)
    draw_curve([asdict(record) for record in history], out / "curve.png")
    _draw_predictions(trainer.model, data, out / "predictions.png")
    _conclude(settings, history, out, time.perf_counter() - started)
    return history


def _default_out(given: Mapping[str, Any]) -> Path:
    data = Path(given.get("data") or "digits").resolve().name
    return Path("runs") / f"{data}-{given.get('model') or 'lenet'}"


def _restore(trainer: Trainer, state: dict[str, Any] | None) -> None:
    if state is None:
        return
    try:
        trainer.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise TrainError(f"the checkpoint does not fit the model: {reason}") from error


def _announce(settings: Settings, trainer: Trainer, data: ImageData) -> None:
    weights = sum(parameter.numel() for parameter in trainer.model.parameters())
    print(
        f"{settings.model} ({weights:,} weights) on {settings.data}: "
        f"{len(data.train):,} training and {len(data.test):,} test images, "
        f"{data.size} x {data.size}, {len(data.classes)} classes"
    )
    if trainer.epoch:
        print(f"resumed after epoch {trainer.epoch} of {settings.epochs}")


def _draw_predictions(model: nn.Module, data: ImageData, path: Path) -> None:
    count = min(_SHOWN, len(data.test))
    chosen = np.linspace(0, len(data.test) - 1, count).round().astype(int)
    items = [data.test[int(i)] for i in chosen]
    images = ops.stack([item[0] for item in items])
    model.eval()
    with no_grad():
        predicted = model(images).argmax(1).tolist()
    mean = np.reshape(data.mean, (-1, 1, 1))
    std = np.reshape(data.std, (-1, 1, 1))
    pixels = np.clip(images.numpy() * std + mean, 0, 1).transpose(0, 2, 3, 1)
    draw_predictions(
        np.rint(pixels * 255).astype(np.uint8),
        [data.classes[i] for i in predicted],
        [data.classes[int(item[1])] for item in items],
        path,
    )


def _conclude(settings: Settings, history: list[EpochRecord], out: Path, seconds: float) -> None:
    print(
        f"test accuracy {history[-1].test_accuracy:.2%} after {len(history)} epochs"
        f" ({seconds:.1f} s)"
    )
    print(f"saved in {out}: checkpoint.pt, curve.png, predictions.png")
    print("try next:")
    other = "mnist" if settings.data == "digits" else "digits"
    model = "mlp" if settings.model == "lenet" else "lenet"
    more = settings.epochs + max(1, settings.epochs // 2)
    for command, what in (
        (f"train --data {other}", "another image set, or a folder of your own images"),
        (f"train --model {model}", "another network"),
        (f"train --resume --epochs {more}", "train on"),
        ("run your_script.py", "a PyTorch script, unmodified"),
    ):
        print(f"  facula {command:<30} {what}")
