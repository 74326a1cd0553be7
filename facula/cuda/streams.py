"""Streams, events and graphs of ``torch.cuda``: names to refer to; making one needs a GPU."""

from __future__ import annotations

from typing import Any

from facula.cuda.errors import missing


class Stream:
    """A queue of GPU work; cannot be made without CUDA."""

    def __new__(cls, device: Any = None, priority: int = 0, **kwargs: Any):
        raise RuntimeError("torch.cuda.Stream requires CUDA support")

    def wait_event(self, event: Any) -> None:
        """Let later work wait for an event."""
        missing()

    def wait_stream(self, stream: Any) -> None:
        """Let later work wait for another stream."""
        missing()

    def record_event(self, event: Any = None) -> Any:
        """Record an event in the stream."""
        return missing()

    def query(self) -> bool:
        """Whether all work is done."""
        return missing()

    def synchronize(self) -> None:
        """Wait for all work."""
        missing()


class ExternalStream(Stream):
    """A stream made by another library; cannot be made without CUDA."""


class Event:
    """A point in a stream, used to measure time; cannot be made without CUDA."""

    def __new__(
        cls, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ):
        raise RuntimeError("Tried to instantiate dummy base class Event")

    def record(self, stream: Any = None) -> None:
        """Record the event in a stream."""
        missing()

    def wait(self, stream: Any = None) -> None:
        """Let a stream wait for the event."""
        missing()

    def query(self) -> bool:
        """Whether the event has happened."""
        return missing()

    def elapsed_time(self, end_event: Any) -> float:
        """Milliseconds between two events."""
        return missing()

    def synchronize(self) -> None:
        """Wait for the event."""
        missing()


class CUDAGraph:
    """A recorded sequence of GPU work; cannot be made without CUDA."""

    def __new__(cls, keep_graph: bool = False):
        raise RuntimeError("Tried to instantiate dummy base class CUDAGraph")

    def replay(self) -> None:
        """Run the recorded work."""
        missing()

    def reset(self) -> None:
        """Forget the recorded work."""
        missing()


class graph:
    """A context that records GPU work into a graph; cannot be made without CUDA."""

    def __init__(self, cuda_graph: Any, pool: Any = None, stream: Any = None, **kwargs: Any):
        missing()

    def __enter__(self) -> None:
        missing()

    def __exit__(self, *exc: object) -> None:
        missing()


class StreamContext:
    """A context in which a stream is current; None is allowed and changes nothing."""

    def __init__(self, stream: Stream | None):
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is not None:
            missing()

    def __exit__(self, *exc: object) -> None:
        return None


def stream(stream: Stream | None) -> StreamContext:
    """A context in which ``stream`` is current."""
    return StreamContext(stream)


def set_stream(stream: Stream | None) -> None:
    """Make a stream current; None is allowed and changes nothing."""
    if stream is not None:
        missing()


def current_stream(device: Any = None) -> Stream:
    """The current stream; refused."""
    return missing()


def default_stream(device: Any = None) -> Stream:
    """The default stream; refused."""
    return missing()
