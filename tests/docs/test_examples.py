"""Runs every `>>>` example in the package's docstrings."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import facula

ROOT = Path(__file__).resolve().parents[2]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules_with_examples() -> list[str]:
    found = []
    for info in pkgutil.walk_packages(facula.__path__, "facula."):
        path = ROOT.joinpath(*info.name.split("."))
        file = path / "__init__.py" if info.ispkg else path.with_suffix(".py")
        if ".shims" not in info.name and ">>>" in file.read_text(encoding="utf-8"):
            found.append(info.name)
    return found


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    failed, tried = doctest.testmod(module, optionflags=FLAGS)
    assert tried
    assert not failed
