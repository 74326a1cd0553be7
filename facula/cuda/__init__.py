"""``torch.cuda`` of a build without CUDA: nothing is available, and saying so never fails.

Questions (``is_available``, ``device_count``, memory figures) are answered; seeding is accepted, as
it is in PyTorch; what needs a GPU raises PyTorch's error.
"""

from __future__ import annotations

from typing import Any

from facula.base.devices import device as _device
from facula.cuda import amp as amp
from facula.cuda import memory as memory
from facula.cuda import nvtx as nvtx
from facula.cuda import random as random
from facula.cuda.errors import AcceleratorError as AcceleratorError
from facula.cuda.errors import CudaError as CudaError
from facula.cuda.errors import DeferredCudaCallError as DeferredCudaCallError
from facula.cuda.errors import OutOfMemoryError as OutOfMemoryError
from facula.cuda.errors import missing as _missing
from facula.cuda.memory import caching_allocator_alloc as caching_allocator_alloc
from facula.cuda.memory import empty_cache as empty_cache
from facula.cuda.memory import max_memory_allocated as max_memory_allocated
from facula.cuda.memory import max_memory_cached as max_memory_cached
from facula.cuda.memory import max_memory_reserved as max_memory_reserved
from facula.cuda.memory import mem_get_info as mem_get_info
from facula.cuda.memory import memory_allocated as memory_allocated
from facula.cuda.memory import memory_cached as memory_cached
from facula.cuda.memory import memory_reserved as memory_reserved
from facula.cuda.memory import memory_snapshot as memory_snapshot
from facula.cuda.memory import memory_stats as memory_stats
from facula.cuda.memory import memory_summary as memory_summary
from facula.cuda.memory import reset_accumulated_memory_stats as reset_accumulated_memory_stats
from facula.cuda.memory import reset_max_memory_allocated as reset_max_memory_allocated
from facula.cuda.memory import reset_max_memory_cached as reset_max_memory_cached
from facula.cuda.memory import reset_peak_memory_stats as reset_peak_memory_stats
from facula.cuda.memory import set_per_process_memory_fraction as set_per_process_memory_fraction
from facula.cuda.random import get_rng_state as get_rng_state
from facula.cuda.random import get_rng_state_all as get_rng_state_all
from facula.cuda.random import initial_seed as initial_seed
from facula.cuda.random import manual_seed as manual_seed
from facula.cuda.random import manual_seed_all as manual_seed_all
from facula.cuda.random import seed as seed
from facula.cuda.random import seed_all as seed_all
from facula.cuda.random import set_rng_state as set_rng_state
from facula.cuda.random import set_rng_state_all as set_rng_state_all
from facula.cuda.streams import CUDAGraph as CUDAGraph
from facula.cuda.streams import Event as Event
from facula.cuda.streams import ExternalStream as ExternalStream
from facula.cuda.streams import Stream as Stream
from facula.cuda.streams import StreamContext as StreamContext
from facula.cuda.streams import current_stream as current_stream
from facula.cuda.streams import default_stream as default_stream
from facula.cuda.streams import graph as graph
from facula.cuda.streams import set_stream as set_stream
from facula.cuda.streams import stream as stream
from facula.tensors import legacy as _legacy

default_generators: tuple = ()
has_half, has_magma = True, False

globals().update(_legacy.make_cuda_types())


def is_available() -> bool:
    """Whether a CUDA device can be used: never in this build.

    >>> import facula as torch
    >>> torch.cuda.is_available()
    False
    """
    return False


def is_initialized() -> bool:
    """Whether CUDA's state was initialised."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the current CUDA device computes in bfloat16."""
    return False


def is_tf32_supported() -> bool:
    """Whether the current CUDA device computes in tf32."""
    return False


def device_count() -> int:
    """Number of CUDA devices: 0."""
    return 0


def get_arch_list() -> list[str]:
    """Architectures the build was compiled for: none."""
    return []


def get_gencode_flags() -> str:
    """Compiler flags for those architectures: none."""
    return ""


def init() -> None:
    """Refused: there is no CUDA to initialise."""
    _missing()


def current_device() -> int:
    """Index of the current CUDA device; refused."""
    return _missing()


def synchronize(device: Any = None) -> None:
    """Wait for a CUDA device; refused."""
    _missing()


def ipc_collect() -> None:
    """Free memory shared with other processes; refused."""
    _missing()


def get_device_name(device: Any = None) -> str:
    """Name of a CUDA device; refused."""
    return _missing()


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """Compute capability of a CUDA device; refused."""
    return _missing()


def get_device_properties(device: Any = None) -> Any:
    """Facts about a CUDA device; refused."""
    return _missing()


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    """Whether one CUDA device sees the memory of another; refused."""
    return _missing()


def current_blas_handle() -> int:
    """Handle of cuBLAS; refused."""
    return _missing()


def get_sync_debug_mode() -> int:
    """Whether synchronising calls are reported; refused."""
    return _missing()


def set_sync_debug_mode(debug_mode: int | str) -> None:
    """Report synchronising calls; refused."""
    _missing()


def _index(wanted: Any) -> int:
    """The index a device argument names; -1 (or None) means no device."""
    if wanted is None or isinstance(wanted, int):
        return -1 if wanted is None else wanted
    found = _device(wanted)
    if found.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {found}")
    return found.index or 0


def set_device(device: Any) -> None:
    """Choose the current CUDA device; a negative index is ignored, any other refused."""
    if _index(device) >= 0:
        _missing()


class device:
    """A context in which another CUDA device is current; only -1 (no change) can be entered."""

    def __init__(self, device: Any):
        self.idx = _index(device)

    def __enter__(self) -> None:
        if self.idx >= 0:
            _missing()

    def __exit__(self, *exc: object) -> None:
        return None


class device_of(device):
    """The device of a tensor as a context: tensors here are on the CPU, so nothing changes."""

    def __init__(self, obj: Any):
        super().__init__(obj.get_device() if obj.is_cuda else -1)
