"""Runs every `>>>` example in the package's docstrings."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstrings(file: Path):
    """Each docstring with its line; read from the source, since operators are not functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, DOCUMENTED):
            text = ast.get_docstring(node)
            if text and ">>>" in text:
                yield node.body[0].lineno, text


def examples():
    for file in sorted((ROOT / "facula").rglob("*.py")):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for line, text in docstrings(file):
            yield pytest.param(module, text, id=f"{module}:{line}")


@pytest.mark.parametrize(("name", "text"), list(examples()))
def test_example(name, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = dict(vars(importlib.import_module(name)))
    test = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    report = []
    results = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append)
    assert results.attempted
    assert not results.failed, "".join(report)
