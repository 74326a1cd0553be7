"""ChannelShuffle: channels of the groups interleaved."""

from __future__ import annotations

from facula.nn import functional as F
from facula.nn.modules.module import Module
from facula.tensors import Tensor


class ChannelShuffle(Module):
    """Interleave the channels of ``groups`` groups. Shapes: (N, C, ...), kept."""

    __constants__ = ["groups"]

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
