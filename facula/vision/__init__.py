"""torchvision's names: transforms, datasets, models, ops, io and utils."""

from facula.vision import datasets, io, models, ops, transforms, utils

__all__ = [
    "datasets",
    "get_image_backend",
    "io",
    "models",
    "ops",
    "set_image_backend",
    "transforms",
    "utils",
]

__version__ = "0.28.0"


def set_image_backend(backend: str) -> None:
    """Chooses the library that reads images; Pillow is the only one."""
    if backend != "PIL":
        raise ValueError(f"Invalid backend '{backend}'. Options are 'PIL'")


def get_image_backend() -> str:
    """Returns the name of the library that reads images."""
    return "PIL"
