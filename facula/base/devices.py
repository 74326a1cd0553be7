"""``torch.device``: where a tensor lives. This build computes on the CPU."""

from __future__ import annotations

_TYPES = ("cpu", "cuda", "mps", "xpu", "meta", "xla", "hpu", "ipu", "mtia", "privateuseone")


class device:
    """A device type and optional index, e.g. ``device("cpu")`` or ``device("cuda", 1)``."""

    __module__ = "facula"  # its public place, and what type() shows

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __new__(cls, type="cpu", index=None):
        if isinstance(type, device):
            return type
        if isinstance(type, int) and not isinstance(type, bool):
            type, index = "cuda", type
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' must be str, not {type.__class__.__name__}")
        name, colon, number = type.partition(":")
        if name not in _TYPES:
            raise RuntimeError(
                f"Expected one of {', '.join(_TYPES)} device type at start of device string: {type}"
            )
        if colon:
            if index is not None:
                raise RuntimeError(
                    f"type (string) must not include an index because index was passed "
                    f"explicitly: {type}"
                )
            if not number.isdigit():
                raise RuntimeError(f"Invalid device string: '{type}'")
            index = int(number)
        self = object.__new__(cls)
        object.__setattr__(self, "type", name)
        object.__setattr__(self, "index", index)
        return self

    def __setattr__(self, name, value):
        raise AttributeError(f"attribute '{name}' of 'torch.device' objects is not writable")

    def __eq__(self, other):
        if not isinstance(other, device):
            return NotImplemented
        return self.type == other.type and self.index == other.index

    def __hash__(self):
        return hash((self.type, self.index))

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self):
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __reduce__(self):
        return (device, (str(self),))

    def __enter__(self):
        usable(self)
        return self

    def __exit__(self, *exc):
        return None


CPU = device("cpu")


def usable(wanted) -> device:
    """``wanted`` as a device this build can compute on, or PyTorch's error for a CPU build."""
    if wanted is None or wanted is CPU:
        return CPU
    found = device(wanted)
    if found.type == "cpu":
        return CPU
    if found.type == "cuda":
        raise AssertionError("Torch not compiled with CUDA enabled")
    raise RuntimeError(
        f"facula computes on the CPU here; a tensor on device '{found}' cannot be made. "
        "Use device='cpu', or choose it with torch.cuda.is_available()."
    )
