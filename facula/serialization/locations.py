"""Decides where loaded storages go: `map_location` in all its forms, and registered places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula.base.devices import device
from facula.serialization.storages import LoadedStorage

Tagger = Callable[[Any], str | None]
Restorer = Callable[[Any, str], Any]
MapLocation = Callable[[Any, str], Any] | device | str | dict[str, str] | None

_packages: list[tuple[int, Tagger, Restorer]] = []


def register_package(priority: int, tagger: Tagger, deserializer: Restorer) -> None:
    """Add a place that storages can come from; lower priorities are asked first.

    `tagger(storage)` returns the place's name or None, `deserializer(storage, location)` the moved
    storage or None when the location is not its own.
    """
    _packages.append((priority, tagger, deserializer))
    _packages.sort(key=lambda package: package[0])


def _cpu_tag(storage: Any) -> str | None:
    return "cpu"


def _restore_cpu(storage: Any, location: str) -> Any:
    return storage if location.split(":", 1)[0] == "cpu" else None


def _restore_cuda(storage: Any, location: str) -> Any:
    if location.startswith("cuda"):
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is "
            "False. If you are running on a CPU-only machine, please use torch.load with "
            "map_location=torch.device('cpu') to map your storages to the CPU."
        )


register_package(10, _cpu_tag, _restore_cpu)
register_package(20, lambda storage: None, _restore_cuda)


def default_restore_location(storage: Any, location: str) -> Any:
    """Return the storage at the named location; RuntimeError when no package knows the name."""
    for _, _, restore in _packages:
        placed = restore(storage, location)
        if placed is not None:
            return placed
    raise RuntimeError(
        f"don't know how to restore data location of {type(storage).__name__} (tagged with "
        f"{location}); pass map_location='cpu' to torch.load"
    )


def placer(map_location: MapLocation) -> Callable[[LoadedStorage], Any]:
    """Return the function that puts a loaded storage where `map_location` wants it."""
    if map_location is None:
        return lambda storage: default_restore_location(storage, storage.location)
    if isinstance(map_location, dict):
        table = map_location
        return lambda storage: default_restore_location(
            storage, str(table.get(storage.location, storage.location))
        )
    if isinstance(map_location, (str, device)):
        place = str(map_location)
        return lambda storage: default_restore_location(storage, place)
    function = map_location

    def call(storage: LoadedStorage) -> Any:
        placed = function(storage, storage.location)
        if placed is None:
            placed = default_restore_location(storage, storage.location)
        return placed

    return call
