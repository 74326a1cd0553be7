"""Errors that cross a process boundary: the exception's type and its traceback as text."""

from __future__ import annotations

import sys
import traceback
from typing import NoReturn


class WorkerError:
    """An exception caught in a worker, to be raised again where the batch was asked for."""

    def __init__(self, where: str) -> None:
        kind, error, trace = sys.exc_info()
        assert kind is not None
        self.kind = kind
        self.name = kind.__name__
        self.where = where
        self.text = "".join(traceback.format_exception(kind, error, trace))

    def reraise(self) -> NoReturn:
        """Raises the same type with a message that holds the worker's traceback."""
        text = f"Caught {self.name} {self.where}.\nOriginal {self.text}"
        if self.kind is KeyError:
            # KeyError prints the repr of its message, which would put the traceback on one line.
            raise KeyError(_Verbatim(text))
        try:
            error = self.kind(text)
        except Exception:  # a type that wants other arguments
            error = RuntimeError(text)
        raise error

    def as_portable(self) -> WorkerError:
        """The same error with a type that any process can import."""
        self.kind = next(cls for cls in self.kind.__mro__ if cls.__module__ == "builtins")
        return self


class _Verbatim(str):
    """A string whose repr is itself."""

    def __repr__(self) -> str:
        return str(self)
