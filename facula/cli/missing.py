"""Shows facula under PyTorch's names: classes by theirs, and what does not exist (yet) clearly."""

import difflib
import re
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from facula.base.public_names import is_ours, is_theirs, to_torch

# Packages without a counterpart in PyTorch: nobody reaches them as `torch.<name>`.
_INTERNAL = {
    "base",
    "cli",
    "engines",
    "graph",
    "operators",
    "runtime",
    "tensors",
    "train",
}
_LOOK = 'see "What is there" in facula\'s README'


def public_name(module: str) -> str | None:
    """PyTorch's name of a facula module, None for an internal one.

    >>> public_name("facula.nn.functional"), public_name("facula.vision.models")
    ('torch.nn.functional', 'torchvision.models')
    """
    parts = module.split(".")
    if parts[0] != "facula" or (parts[1:2] and parts[1] in _INTERNAL):
        return None
    if parts[1:2] == ["vision"]:
        return ".".join(["torchvision", *parts[2:]])
    return ".".join(["torch", *parts[1:]])


def _ours(public: str) -> str:
    """facula's name of the module that PyTorch calls so."""
    root, dot, rest = public.partition(".")
    return ("facula.vision" if root == "torchvision" else "facula") + dot + rest


def sentence(name: str, known: list[str] | None = None) -> str:
    """The message for a missing dotted name, with the nearest existing name where one is near."""
    stem, _, last = name.rpartition(".")
    near = difflib.get_close_matches(last, [k for k in known or [] if k[0] != "_"], n=1, cutoff=0.8)
    hint = f"; did you mean {stem}.{near[0]}?" if near else f"; {_LOOK}"
    return f"facula has no {name} (yet){hint}"


def show_as_torch(module: ModuleType) -> None:
    """Lets `print(type(x))` say `<class 'torch.Tensor'>`, for every class that a module holds.

    A class is renamed only where PyTorch's name leads to it, so that pickles find it again.
    """
    for value in list(module.__dict__.values()):
        if isinstance(value, type) and is_ours(value.__module__):
            home, name = to_torch(value.__module__, value.__qualname__)
            for public in (home, public_name(value.__module__)):
                place = sys.modules.get(_ours(public or ""))
                if public and place is not None and place.__dict__.get(name) is value:
                    value.__module__ = public
                    break


def teach(module: ModuleType) -> None:
    """Gives a module's classes PyTorch's names, and its missing names a message in its terms."""
    public = public_name(module.__name__)
    before: Callable[[str], Any] | None = module.__dict__.get("__getattr__")
    if public is None or getattr(before, "teaches", False):
        return
    show_as_torch(module)

    def missing(name: str) -> Any:
        if before is not None:
            try:
                value = before(name)
                teach_all()
                return value
            except AttributeError:
                pass
            except ModuleNotFoundError as error:  # a submodule listed as loaded on demand
                if error.name != f"{module.__name__}.{name}":
                    raise
        text = f"module {public!r} has no attribute {name!r}"
        if not name.startswith("__"):
            text += ": " + sentence(f"{public}.{name}", list(module.__dict__))
        raise AttributeError(text, name=name, obj=module)

    missing.teaches = True  # type: ignore[attr-defined]
    module.__getattr__ = missing  # type: ignore[method-assign]


def teach_all() -> None:
    """Teaches every module of facula that is loaded."""
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and is_ours(name):
            teach(module)


def explain(error: BaseException) -> None:
    """Adds the reason to an uncaught error about a missing module, imported name or attribute.

    Python itself words these errors and leaves no other place to put it.
    """
    if isinstance(error, ImportError):
        name = _missing_import(error)
        if name is not None:
            error.msg = f"{error.msg}: {sentence(name)}"
    elif isinstance(error, AttributeError) and "facula has no" not in str(error):
        owner = _public_owner(error.obj)
        if owner is not None and error.args and error.name:
            text = sentence(f"{owner}.{error.name}", dir(error.obj))
            error.args = (f"{error.args[0]}: {text}", *error.args[1:])


def _public_owner(owner: Any) -> str | None:
    """PyTorch's name of a facula module or of the class of a facula object, else None."""
    if isinstance(owner, ModuleType):
        return public_name(owner.__name__)
    kind = type(owner)
    ours = is_theirs(kind.__module__) and not kind.__name__.startswith("_")
    return f"torch.{kind.__name__}" if ours else None  # a private class is nobody's name


def _missing_import(error: ImportError) -> str | None:
    module = error.name or ""
    if isinstance(error, ModuleNotFoundError):
        return module if module.split(".")[0] in ("torch", "torchvision") else None
    public = public_name(module)
    asked = re.match(r"cannot import name '(\w+)'", error.msg or "")
    return f"{public}.{asked[1]}" if public and asked else None
