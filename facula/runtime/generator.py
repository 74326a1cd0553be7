"""The default random stream of the process."""

from __future__ import annotations

from facula.runtime.streams import Stream


class _Default:
    """Holds the default stream; it starts from the operating system's entropy, as PyTorch's."""

    __slots__ = ("stream",)

    def __init__(self):
        self.stream: Stream | None = None


_default = _Default()


def default_stream() -> Stream:
    """The stream that ``torch.manual_seed`` seeds and random operations draw from."""
    if _default.stream is None:
        _default.stream = Stream()
        _default.stream.reseed_from_system()
    return _default.stream


def exchange(stream: Stream) -> Stream:
    """Put another stream in the place of the default one, which is returned."""
    before, _default.stream = default_stream(), stream
    return before
