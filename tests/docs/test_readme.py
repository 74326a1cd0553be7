"""Runs the code of README.md as a reader would."""

import contextlib
import gzip
import io
import os
import re
import shutil
from pathlib import Path

import pytest

import facula
from facula.utils.data import Subset
from facula.vision import datasets

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
BEFORE, AFTER, CAPTURE, EXPLAIN = BLOCKS


def mnist_archives() -> Path | None:
    """The folder with MNIST's four packed files, where there is one."""
    places = [Path(os.environ["FACULA_DATA"])] if os.environ.get("FACULA_DATA") else []
    places.append(ROOT.parent / "shared" / "data")
    for place in places:
        for folder in (place / "mnist", place / "MNIST" / "raw"):
            if (folder / "train-images-idx3-ubyte.gz").is_file():
                return folder
    return None


def lay_out_mnist(folder: Path) -> None:
    archives = mnist_archives()
    if archives is None:
        pytest.skip("needs MNIST's files in FACULA_DATA")
    raw = folder / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in archives.glob("*.gz"):
        shutil.copy(archive, raw)
        (raw / archive.stem).write_bytes(gzip.decompress(archive.read_bytes()))


def test_imports_before_and_after_correspond():
    """The script after is the script before with other module names, as the text claims."""
    lines = AFTER.splitlines()[: len(BEFORE.splitlines())]
    swapped = [
        line.replace("facula.vision", "torchvision")
        .replace("import facula as torch", "import torch")
        .replace("facula", "torch")
        for line in lines
    ]
    assert swapped == BEFORE.splitlines()


def test_main_script_learns(tmp_path, monkeypatch):
    """On 6,400 of the 60,000 images, so that it is quick; bench/mnist_readme.py runs all."""
    lay_out_mnist(tmp_path)
    monkeypatch.chdir(tmp_path)
    whole = datasets.MNIST

    def part(*args, **kwargs):
        images = whole(*args, **kwargs)
        return Subset(images, range(6400 if images.train else 1000))

    monkeypatch.setattr(datasets, "MNIST", part)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(AFTER, "README.md", "exec"), {"__name__": "__main__"})
    accuracy = re.search(r"test accuracy ([\d.]+)%", printed.getvalue())
    assert accuracy, printed.getvalue()
    assert float(accuracy[1]) > 90
    weights = facula.load("lenet.pt")
    assert weights["conv2.weight"].shape == (16, 6, 5, 5)


def test_the_captured_step_learns():
    facula.manual_seed(0)
    printed = io.StringIO()
    scope = {"__name__": "__main__"}
    with contextlib.redirect_stdout(printed):
        exec(compile(CAPTURE, "README.md", "exec"), scope)
    assert float(printed.getvalue().split()[1]) < 0.9
    assert scope["step"]._replays


def test_explain_shows_the_program():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(EXPLAIN, "README.md", "exec"), {"__name__": "__main__"})
    assert printed.getvalue().strip()


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).is_file(), target
