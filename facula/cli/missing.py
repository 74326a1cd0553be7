"""Says clearly that a name of PyTorch does not exist in facula (yet)."""

import difflib
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

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


def sentence(name: str, known: list[str] | None = None) -> str:
    """The message for a missing dotted name, with the nearest existing name where one is near."""
    stem, _, last = name.rpartition(".")
    near = difflib.get_close_matches(last, [k for k in known or [] if k[0] != "_"], n=1, cutoff=0.8)
    hint = f"; did you mean {stem}.{near[0]}?" if near else f"; {_LOOK}"
    return f"facula has no {name} (yet){hint}"


def teach(module: ModuleType) -> None:
    """Gives a module's missing names a message in PyTorch's terms."""
    public = public_name(module.__name__)
    before: Callable[[str], Any] | None = module.__dict__.get("__getattr__")
    if public is None or getattr(before, "teaches", False):
        return

    def missing(name: str) -> Any:
        if before is not None:
            try:
                value = before(name)
                if isinstance(value, ModuleType):
                    teach(value)
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
    ours = kind.__module__.split(".")[0] == "facula" and not kind.__name__.startswith("_")
    return f"torch.{kind.__name__}" if ours else None  # a private class is nobody's name


def _missing_import(error: ImportError) -> str | None:
    module = error.name or ""
    if isinstance(error, ModuleNotFoundError):
        return module if module.split(".")[0] in ("torch", "torchvision") else None
    public = public_name(module)
    asked = re.match(r"cannot import name '(\w+)'", error.msg or "")
    return f"{public}.{asked[1]}" if public and asked else None
