"""Registry of models by name, and the enums that describe published weights."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from facula import nn
from facula.serialization import load
from facula.vision.datasets.utils import download_verified
from facula.vision.models._meta import _IMAGENET_CATEGORIES
from facula.vision.transforms._presets import ImageClassification
from facula.vision.transforms.interpolation import InterpolationMode

__all__ = [
    "Weights",
    "WeightsEnum",
    "get_model",
    "get_model_builder",
    "get_model_weights",
    "get_weight",
    "list_models",
    "register_model",
]

# File, input sizes, filter and measured accuracy of every published set of weights.
_TABLE = json.loads(Path(__file__).with_name("weights.json").read_text(encoding="utf-8"))
_BASE_URL = "https://download.pytorch.org/models/"


@dataclass
class Weights:
    """Where weights lie (url), the preprocessing they expect, and facts about them."""

    url: str
    transforms: Callable[..., Any]
    meta: dict[str, Any]

    def __eq__(self, other: object) -> bool:
        # Two partial objects never compare equal; what they hold decides.
        return isinstance(other, Weights) and (self.url, self.meta) == (other.url, other.meta)


def checkpoint_folder() -> str:
    """The folder of downloaded weights: $TORCH_HOME/hub/checkpoints, as PyTorch has it."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return os.path.join(os.path.expanduser(home), "hub", "checkpoints")


def _has_sha_prefix(path: str, prefix: str) -> bool:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest().startswith(prefix)


class WeightsEnum(Enum):
    """Published weights of one model; DEFAULT is the best set.

    Example:
        >>> from facula.vision import models
        >>> models.ResNet18_Weights.DEFAULT
        ResNet18_Weights.IMAGENET1K_V1
    """

    @classmethod
    def verify(cls, obj: Any) -> Any:
        """Returns the member for a member, its name or None; else raises TypeError."""
        if obj is None or isinstance(obj, cls):
            return obj
        if isinstance(obj, str):
            return cls[obj.replace(cls.__name__ + ".", "")]
        raise TypeError(
            f"Invalid Weight class provided; expected {cls.__name__} but received "
            f"{type(obj).__name__}."
        )

    def get_state_dict(self, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        """Downloads the weights (once, checked by sha256) and reads them.

        Takes `progress` and `check_hash`, as PyTorch does; the hash is always checked.
        """
        name = os.path.basename(self.url)
        prefix = os.path.splitext(name)[0].rsplit("-", 1)[-1]
        target = os.path.join(checkpoint_folder(), name)
        download_verified(
            self.url,
            target,
            is_good=lambda path: _has_sha_prefix(path, prefix),
            expected=f"sha256 beginning {prefix}",
            progress=bool(kwargs.get("progress", True)),
        )
        return load(target, map_location="cpu", weights_only=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self._name_}"

    def __str__(self) -> str:
        return repr(self)

    @property
    def url(self) -> str:
        """Where the file can be downloaded."""
        return self.value.url

    @property
    def transforms(self) -> Callable[..., Any]:
        """Builds the preprocessing: weights.transforms()(image)."""
        return self.value.transforms

    @property
    def meta(self) -> dict[str, Any]:
        """Facts: categories, number of parameters, measured accuracy."""
        return self.value.meta


def _weights(row: dict[str, Any]) -> Weights:
    options = {
        "crop_size": row["crop"],
        "resize_size": row["resize"],
        "interpolation": InterpolationMode(row["filter"]),
    }
    if "mean_std" in row:
        options["mean"] = options["std"] = (row["mean_std"],) * 3
    meta = {
        "min_size": tuple(row["min_size"]),
        "categories": _IMAGENET_CATEGORIES,
        "num_params": row["num_params"],
        "_metrics": {"ImageNet-1K": {"acc@1": row["acc1"], "acc@5": row["acc5"]}},
        "_ops": row["gflop"],
        "_file_size": row["megabytes"],
    }
    return Weights(_BASE_URL + row["file"], partial(ImageClassification, **options), meta)


def weights_enum(name: str, module: str) -> Any:
    """Builds the enum `name` of a family's module from the table of published weights."""
    entry = _TABLE[name]
    members = {member: _weights(row) for member, row in entry["members"].items()}
    members["DEFAULT"] = members[entry["default"]]
    return WeightsEnum(name, members, module=module)  # type: ignore[call-arg]


BUILTIN_MODELS: dict[str, Callable[..., nn.Module]] = {}
_WEIGHTS: dict[str, Any] = {}


def register_model(name: str | None = None, weights: Any = None) -> Callable[[Callable], Callable]:
    """Decorator that makes a builder known to `get_model` and `list_models`."""

    def register(builder: Callable) -> Callable:
        key = builder.__name__ if name is None else name
        if key in BUILTIN_MODELS:
            raise ValueError(f"An entry is already registered under the name '{key}'.")
        BUILTIN_MODELS[key] = builder
        if weights is not None:
            _WEIGHTS[key] = weights
        return builder

    return register


def list_models(
    module: ModuleType | None = None,
    include: Iterable[str] | str | None = None,
    exclude: Iterable[str] | str | None = None,
) -> list[str]:
    """Returns the sorted names of the models, filtered by module and by wildcard patterns."""
    names = {
        name
        for name, builder in BUILTIN_MODELS.items()
        if module is None
        or builder.__module__.rsplit(".", 1)[0] == module.__name__
        or builder.__module__ == module.__name__
    }
    if include:
        patterns = [include] if isinstance(include, str) else list(include)
        names = {n for n in names if any(fnmatch.fnmatch(n, p) for p in patterns)}
    if exclude:
        patterns = [exclude] if isinstance(exclude, str) else list(exclude)
        names = {n for n in names if not any(fnmatch.fnmatch(n, p) for p in patterns)}
    return sorted(names)


def get_model_builder(name: str) -> Callable[..., nn.Module]:
    """Returns the function that builds a model, by its name in any case."""
    try:
        return BUILTIN_MODELS[name.lower()]
    except KeyError:
        raise ValueError(f"Unknown model {name}; list_models() names the known ones") from None


def get_model(name: str, **config: Any) -> nn.Module:
    """Builds a model by name, passing on what its builder takes."""
    return get_model_builder(name)(**config)


def get_model_weights(name: Callable | str) -> Any:
    """Returns the weights enum of a model, given by name or builder."""
    key = name.lower() if isinstance(name, str) else name.__name__
    if key not in BUILTIN_MODELS:
        raise ValueError(f"Unknown model {key}")
    if key not in _WEIGHTS:
        raise ValueError(
            "The WeightsEnum for the specific method couldn't be retrieved. Make sure "
            "the typing info is correct."
        )
    return _WEIGHTS[key]


def get_weight(name: str) -> WeightsEnum:
    """Returns weights by full name, such as "ResNet50_Weights.IMAGENET1K_V1"."""
    enum_name, _, member = name.partition(".")
    if not member:
        raise ValueError(f"Invalid weight name provided: '{name}'.")
    for enum in _WEIGHTS.values():
        if enum.__name__ == enum_name:
            return enum[member]
    raise ValueError(
        f"The weight enum '{enum_name}' for the specific method couldn't be retrieved."
    )
