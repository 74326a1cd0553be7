"""Attributes of modules, found without Python's detour over ``__getattr__``.

Parameters, buffers and child modules are not in a module's ``__dict__``. Python looks for
``self.conv`` there and in the classes, makes an AttributeError, throws it away and calls
``__getattr__``: the dearest line of many a ``forward``. So the class of a module gets a descriptor
for each name that was assigned in it, and the descriptor looks into the table. It stands behind
everything else that Python finds: attributes of the instance, and of the class, hide it as they
hide ``__getattr__``.
"""

from __future__ import annotations

from typing import Any


class Held:
    """Finds what a module of exactly the class ``owner`` keeps under ``name``.

    Of all other modules, and of classes, it denies being there: then ``__getattr__`` decides.
    """

    __slots__ = ("name", "owner")

    def __init__(self, name: str, owner: type):
        self.name = name
        self.owner = owner

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


class HeldModule(Held):
    """Looks among the child modules."""

    __slots__ = ()

    def __get__(self, module: Any, cls: type) -> Any:
        if cls is self.owner and module is not None:
            found = module._modules
            if self.name in found:
                return found[self.name]
        raise AttributeError(self.name)


class HeldParameter(Held):
    """Looks among the parameters."""

    __slots__ = ()

    def __get__(self, module: Any, cls: type) -> Any:
        if cls is self.owner and module is not None:
            found = module._parameters
            if self.name in found:
                return found[self.name]
        raise AttributeError(self.name)


class HeldBuffer(Held):
    """Looks among the buffers."""

    __slots__ = ()

    def __get__(self, module: Any, cls: type) -> Any:
        if cls is self.owner and module is not None:
            found = module._buffers
            if self.name in found:
                return found[self.name]
        raise AttributeError(self.name)


def let_find(kind: type[Held], cls: type, name: str, getattr_: Any) -> None:
    """Give ``cls`` a descriptor for ``name``, unless it looks attributes up in a way of its own."""
    if name in cls.__dict__ or getattr(cls, "__getattr__", None) is not getattr_:
        return
    for base in cls.__mro__:
        if name in base.__dict__ and not isinstance(base.__dict__[name], Held):
            return
    setattr(cls, name, kind(name, cls))
