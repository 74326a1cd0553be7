"""Logging for TensorBoard: PyTorch's torch.utils.tensorboard."""

from facula.utils.tensorboard.writer import SummaryWriter

__all__ = ["SummaryWriter"]
