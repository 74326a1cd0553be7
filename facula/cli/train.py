"""`facula train`: the training job's options."""

from pathlib import Path
from typing import Any

import click

from facula.train import TrainError, run_job
from facula.train.data import DATA_NAMES
from facula.train.models import MODEL_NAMES


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", help=f"{' | '.join(DATA_NAMES)} | FOLDER  [digits]")
@click.option("--model", help=f"{' | '.join(MODEL_NAMES)}  [lenet]")
@click.option("--epochs", type=int, help="Passes over the training images.")
@click.option("--batch-size", type=int, help="Images in one step.")
@click.option("--lr", type=float, help="Learning rate at the start.")
@click.option("--seed", type=int, help="Start of the random numbers.  [0]")
@click.option(
    "--resume",
    is_flag=False,
    flag_value="",
    metavar="[CHECKPOINT]",
    help="Go on from a checkpoint (without a path: the one in OUT).",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write [runs/DATA-MODEL].")
@click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    help="Where downloaded sets are kept  [$FACULA_DATA or ./data].",
)
def command(resume: str | None, out: Path | None, data_root: Path | None, **given: Any) -> None:
    """Train a network on images; without options, LeNet on handwritten digits.

    A FOLDER holds one sub-folder of images for each class, or train/ and test/ with such folders.
    """
    start = None if resume is None else Path(resume) if resume else True
    try:
        run_job(given, out=out, data_root=data_root, resume=start)
    except TrainError as error:
        raise click.ClickException(str(error)) from error
