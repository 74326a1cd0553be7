"""Lets `torch` and `torchvision`, with all their submodules, be imported as facula's modules."""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from facula.cli.missing import teach_all

ROOTS = {"torch": "facula", "torchvision": "facula.vision"}

# On sys.path, this folder makes `import torch` work in processes that are started afresh:
# multiprocessing hands sys.path to its children, but no import hooks.
SHIMS = Path(__file__).with_name("shims")


def real_name(name: str) -> str | None:
    """facula's name of a module of torch or torchvision, None for any other module.

    >>> real_name("torch.nn.functional"), real_name("torchvision"), real_name("numpy")
    ('facula.nn.functional', 'facula.vision', None)
    """
    root, dot, rest = name.partition(".")
    return ROOTS[root] + dot + rest if root in ROOTS else None


class _Alias(Loader):
    """Loads a module by importing the real one and putting that same object in its place."""

    def __init__(self, real: str) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        real = importlib.import_module(self.real)
        teach_all()
        # The import system takes what stands in sys.modules now, so identities stay equal and
        # the real module keeps its own __name__ and __spec__.
        assert module.__spec__ is not None
        sys.modules[module.__spec__.name] = real


class _Finder(MetaPathFinder):
    """Finds `torch.X` where facula.X exists, and `torchvision.X` where facula.vision.X does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        real = real_name(fullname)
        if real is None or (real not in sys.modules and importlib.util.find_spec(real) is None):
            return None
        return ModuleSpec(fullname, _Alias(real), is_package=True)


def install() -> None:
    """Makes `torch` and `torchvision` mean facula, in this process and in those it starts."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder())
    if str(SHIMS) not in sys.path:
        sys.path.insert(1, str(SHIMS))
