"""`torch.serialization`: saving and loading checkpoints in PyTorch's file format."""

from facula.serialization.api import (
    get_crc32_options,
    get_unsafe_globals_in_checkpoint,
    load,
    save,
    set_crc32_options,
)
from facula.serialization.locations import default_restore_location, register_package
from facula.serialization.user_allowed import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    safe_globals,
)

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "default_restore_location",
    "get_crc32_options",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "register_package",
    "safe_globals",
    "save",
    "set_crc32_options",
]
