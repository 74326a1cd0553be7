"""The old name of hub's downloads of pretrained weights."""

from tqdm import tqdm

from facula.hub import load_state_dict_from_url as load_url

__all__ = ["load_url", "tqdm"]
