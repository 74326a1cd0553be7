"""``torch.cpu``: the CPU seen as a device, so that one program can serve all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from facula.base.devices import usable


class Stream:
    """The CPU's only queue of work: everything in it is done in order."""

    def __init__(self, priority: int = -1):
        self.priority = priority

    def wait_stream(self, stream: Any) -> None:
        """Nothing to wait for: work is done in order."""


class Event:
    """A point in the CPU's stream."""

    def query(self) -> bool:
        """Whether the event has happened: work is done in order, so yes."""
        return True

    def record(self, stream: Any = None) -> None:
        """Record the event."""

    def synchronize(self) -> None:
        """Wait for the event."""

    def wait(self, stream: Any = None) -> None:
        """Let a stream wait for the event."""


_stream = Stream()


def is_available() -> bool:
    """Whether the CPU can be used: yes."""
    return True


def is_initialized() -> bool:
    """Whether the CPU is ready: yes."""
    return True


def device_count() -> int:
    """Number of CPU devices: 1."""
    return 1


def current_device() -> str:
    """Name of the current CPU device."""
    return "cpu"


def set_device(device: Any) -> None:
    """Choose the current CPU device; there is one."""


def synchronize(device: Any = None) -> None:
    """Wait for the CPU: values are there whenever they are looked at."""
    if device is not None and not isinstance(device, int):
        usable(device)


def current_stream(device: Any = None) -> Stream:
    """The CPU's stream."""
    return _stream


@contextlib.contextmanager
def stream(stream: Stream | None) -> Iterator[None]:
    """A context in which a stream is current."""
    yield
