"""Tools around training: data loading, checkpointing of activations, logging, downloads."""

from facula.utils import data, dlpack

__all__ = ["data", "dlpack"]
