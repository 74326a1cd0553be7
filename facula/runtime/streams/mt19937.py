"""The generator behind every random stream: MT19937 with PyTorch's CPU conventions."""

from __future__ import annotations

import os

import numpy as np

from facula.runtime.streams import machine

__all__ = ["DEFAULT_SEED", "STATE_BYTES", "Stream", "check_state"]

DEFAULT_SEED = 67280421310721
STATE_BYTES = 5056
BLOCK = 624

_SEED_MASK = (1 << 64) - 1
_LOW_MASK = np.uint32((1 << 21) - 1)
_HIGH_SCALE = 2.0**-21
_LOW_SCALE = 2.0**-53

_STATE_LAYOUT = np.dtype(
    {
        "names": ["seed", "left", "seeded", "next", "key", "cached", "has_cached"],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", (BLOCK,)), "<f8", "<i4"],
        "offsets": [0, 8, 12, 16, 24, 5024, 5040],
        "itemsize": STATE_BYTES,
    }
)


class Stream:
    """One sequence of raw 32-bit draws, its seed, and the spare normal value.

    A block of 624 draws is produced at a time and handed out in slices, because asking NumPy
    for a few draws costs more than the draws. `position` counts what was taken of the block.
    """

    __slots__ = (
        "_bits", "_block", "_fresh", "_legacy", "_words", "cached_normal", "position", "seed"
    )  # fmt: skip

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self._take(np.random.MT19937(0))
        self.reseed(seed)

    def _take(self, bits: np.random.MT19937) -> None:
        self._bits = bits
        self._legacy = np.random.RandomState(bits)
        self._words = 0  # the address of the state, once it is needed

    def reseed(self, seed: int) -> None:
        """Start again at `seed`; 64 bits are remembered, the low 32 choose the numbers."""
        self.seed = seed & _SEED_MASK
        self._legacy.seed(seed & 0xFFFFFFFF)
        self.cached_normal: float | None = None
        self._block = np.empty(0, np.uint32)
        self.position = BLOCK
        self._fresh = True

    def reseed_from_system(self) -> int:
        """Start again at a 53-bit seed taken from the operating system, and return it."""
        seed = int.from_bytes(os.urandom(8), "little") & ((1 << 53) - 1)
        self.reseed(seed)
        return seed

    def _next_block(self) -> np.ndarray:
        block = self._bits.random_raw(BLOCK).astype(np.uint32)
        block.flags.writeable = False
        self._block = block
        self._fresh = False
        return block

    def draw32(self, n: int) -> np.ndarray:
        """Return the next `n` raw draws as uint32; the array must not be written to."""
        start = self.position
        stop = start + n
        if stop <= BLOCK:
            self.position = stop
            return self._block[start:stop]
        out = np.empty(n, np.uint32)
        if self.filled("draws", out, n, n):
            return out
        filled = BLOCK - start
        out[:filled] = self._block[start:]
        whole = (n - filled) // BLOCK * BLOCK
        if whole:
            out[filled : filled + whole] = self._bits.random_raw(whole)
            self._fresh = False
            filled += whole
        rest = n - filled
        if rest:
            out[filled:] = self._next_block()[:rest]
        self.position = rest or BLOCK
        return out

    def draw64(self, n: int) -> np.ndarray:
        """Return the next `n` 64-bit draws; the first raw draw of each pair is the high word."""
        out = np.empty(n, np.uint64)
        if self.filled("wide draws", out, n, 2 * n):
            return out
        raw = self.draw32(2 * n)
        out[...] = raw[0::2]
        out <<= np.uint64(32)
        out |= raw[1::2]
        return out

    def draw53(self, n: int) -> np.ndarray:
        """Return `n` float64 uniforms in [0, 1): the low 53 bits of 64-bit draws, exactly."""
        out = np.empty(n)
        if self.filled("doubles", out, n, 2 * n, 0.0, 1.0, 1.0):
            return out
        raw = self.draw32(2 * n)
        np.multiply(raw[0::2] & _LOW_MASK, _HIGH_SCALE, out=out)
        out += raw[1::2] * _LOW_SCALE
        return out

    def filled(self, kind: str, out: np.ndarray, n: int, draws: int, *numbers: int | float) -> bool:
        """Whether machine code has made ``n`` numbers of a kind, in ``out``, from so many draws."""
        function = machine.function(kind, draws)
        if function is None:
            return False
        start, stop = self.position, self.position + draws
        block = self._block
        if stop > BLOCK:
            block = np.empty(BLOCK, np.uint32)
            block[start:] = self._block[start:]
        self._words = self._words or self._bits.ctypes.state_address
        function(self._words, block.ctypes.data, start, out.ctypes.data, n, *numbers)
        if stop > BLOCK:
            block.flags.writeable = False
            self._block, self._fresh = block, False
            stop = (stop - 1) % BLOCK + 1
        self.position = stop
        return True

    def at_hand(self) -> int:
        """How many raw draws are left of the present block."""
        return BLOCK - self.position

    def give_back(self, n: int) -> None:
        """Let the last `n` raw draws, all of the present block, be drawn again."""
        self.position -= n

    def skip(self, n: int) -> None:
        """Throw `n` raw draws away."""
        self.draw32(n)

    def clone(self) -> Stream:
        """Return an independent stream that continues with the same numbers."""
        twin = Stream.__new__(Stream)
        twin._take(np.random.MT19937(0))
        twin._bits.state = self._bits.state
        twin._block = self._block
        twin.position = self.position
        twin._fresh = self._fresh
        twin.seed = self.seed
        twin.cached_normal = self.cached_normal
        return twin

    def mark(self) -> tuple:
        """Return a bookmark for `rewind`; it does not cover the cached normal."""
        return self._bits.state, self._block, self.position, self._fresh

    def rewind(self, mark: tuple) -> None:
        """Go back to a bookmark made by `mark`."""
        self._bits.state, self._block, self.position, self._fresh = mark

    def get_state(self) -> np.ndarray:
        """Return the 5056 bytes PyTorch's `Generator.get_state` gives for this point."""
        raw = np.zeros(STATE_BYTES, np.uint8)
        state = raw.view(_STATE_LAYOUT)[0]
        state["seed"] = self.seed
        state["seeded"] = 1
        state["left"] = 1 if self._fresh else 1 + BLOCK - self.position
        state["next"] = 0 if self._fresh else self.position
        state["key"] = self._bits.state["state"]["key"]
        if self.cached_normal is not None:
            state["cached"] = self.cached_normal
            state["has_cached"] = 1
        return raw

    def set_state(self, raw: np.ndarray) -> None:
        """Continue at a point saved by `get_state`, here or in PyTorch.

        Raises TypeError when `raw` is not uint8 and RuntimeError when its content is no state.
        """
        state = check_state(raw)
        self.seed = int(state["seed"])
        self.cached_normal = float(state["cached"]) if state["has_cached"] else None
        self._fresh = bool(state["next"] == 0)
        exhausted = bool(state["left"] == 1)
        # NumPy renews its key only when it is asked beyond the end, so reading the whole block
        # from position 0 recovers the draws of a block that PyTorch has partly used.
        key = state["key"].astype(np.uint32)
        self._bits.state = {
            "bit_generator": "MT19937",
            "state": {"key": key, "pos": BLOCK if self._fresh else 0},
        }
        if self._fresh:
            self._block = np.empty(0, np.uint32)
        else:
            self._next_block()
        self.position = BLOCK if exhausted or self._fresh else int(state["next"])

    def __getstate__(self) -> bytes:
        return self.get_state().tobytes()

    def __setstate__(self, raw: bytes) -> None:
        self._take(np.random.MT19937(0))
        self.set_state(np.frombuffer(raw, np.uint8))


def check_state(raw: np.ndarray) -> np.void:
    """Return the named fields of a saved state, or explain why it is none."""
    if raw.dtype != np.uint8:
        raise TypeError(f"RNG state must be a torch.ByteTensor, got values of {raw.dtype}")
    if raw.size != STATE_BYTES:
        raise RuntimeError(
            f"Expected a CPUGeneratorImplState of size {STATE_BYTES} but found the input RNG "
            f"state size to be {raw.size}"
        )
    state = np.ascontiguousarray(raw).reshape(-1).view(_STATE_LAYOUT)[0]
    in_range = 1 <= state["left"] <= BLOCK and state["next"] <= BLOCK
    if state["seeded"] != 1 or not in_range:
        raise RuntimeError(
            "Invalid mt19937 state: expected seeded = 1, 1 <= left <= 624 and next <= 624, got "
            f"seeded = {state['seeded']}, left = {state['left']}, next = {state['next']}"
        )
    return state
