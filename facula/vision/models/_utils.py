"""What the model builders share: weights arguments old and new, and channel rounding."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from facula import nn
from facula.vision.models._api import WeightsEnum

__all__: list[str] = []


def _make_divisible(v: float, divisor: int, min_value: int | None = None) -> int:
    """Rounds a number of channels to a multiple of `divisor`, never down by more than 10 %."""
    least = divisor if min_value is None else min_value
    rounded = max(least, int(v + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * v else rounded


def _ovewrite_named_param(kwargs: dict[str, Any], param: str, new_value: Any) -> None:
    """Sets a keyword that weights imply; a different value given by the user is an error."""
    if param in kwargs and kwargs[param] != new_value:
        raise ValueError(
            f"The parameter '{param}' expected value {new_value} but got {kwargs[param]} instead."
        )
    kwargs[param] = new_value


def build(
    model: Callable[..., nn.Module],
    enum: Any,
    weights: Any,
    progress: bool,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Builds a classifier and, where weights are asked for, loads them."""
    weights = enum.verify(weights)
    if weights is not None:
        _ovewrite_named_param(kwargs, "num_classes", len(weights.meta["categories"]))
    network = model(*args, **kwargs)
    if weights is not None:
        network.load_state_dict(weights.get_state_dict(progress=progress, check_hash=True))
    return network


def _name_positionals(builder: Callable, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Old scripts pass (pretrained, progress) by position; turns that into keywords."""
    names = [
        p.name
        for p in inspect.signature(builder).parameters.values()
        if p.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    if len(args) > len(names):
        raise TypeError(
            f"{builder.__name__}() takes {len(names)} positional arguments but {len(args)} "
            "were given"
        )
    given = dict(zip(names, args))
    warnings.warn(
        f"Using {', '.join(repr(n) for n in given)} as positional parameter(s) is deprecated since "
        "0.13 and may be removed in the future. Please use keyword parameter(s) instead.",
        stacklevel=4,
    )
    return {**given, **kwargs}


def handle_legacy_interface(**weights: tuple[str, Any]) -> Callable[[Callable], Callable]:
    """Decorator: lets a builder take the old `pretrained=` flags, with a warning.

    Each keyword names a weights parameter and gives (old flag, weights it stood for).
    """

    def decorate(builder: Callable) -> Callable:
        @functools.wraps(builder)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if args:
                kwargs = _name_positionals(builder, args, kwargs)
            for parameter, (flag, default) in weights.items():
                _translate_flag(parameter, flag, default, kwargs)
            return builder(**kwargs)

        return wrapper

    return decorate


def _translate_flag(parameter: str, flag: str, default: Any, kwargs: dict[str, Any]) -> None:
    current = kwargs.get(parameter)
    modern = current is None or isinstance(current, (WeightsEnum, str))
    if flag not in kwargs and modern:
        return
    if flag in kwargs:
        warnings.warn(
            f"The parameter '{flag}' is deprecated since 0.13 and may be removed in the future, "
            f"please use '{parameter}' instead.",
            stacklevel=4,
        )
        wanted = kwargs.pop(flag)
    else:
        wanted = current
    chosen = (default(kwargs) if callable(default) else default) if wanted else None
    equivalent = f"The current behavior is equivalent to passing `{parameter}={chosen}`."
    if chosen is not None:
        equivalent += (
            f" You can also use `{parameter}={type(chosen).__name__}.DEFAULT` to get the "
            "most up-to-date weights."
        )
    warnings.warn(
        f"Arguments other than a weight enum or `None` for '{parameter}' are deprecated since 0.13 "
        f"and may be removed in the future. {equivalent}",
        stacklevel=4,
    )
    kwargs[parameter] = chosen


class IntermediateLayerGetter(nn.ModuleDict):
    """Runs a model up to the last wanted child and returns the named children's outputs."""

    def __init__(self, model: nn.Module, return_layers: dict[str, str]) -> None:
        names = [name for name, _ in model.named_children()]
        if not set(return_layers).issubset(names):
            raise ValueError("return_layers are not present in model")
        waiting = {str(k) for k in return_layers}
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for name, module in model.named_children():
            layers[name] = module
            waiting.discard(name)
            if not waiting:
                break
        super().__init__(layers)
        self.return_layers = {str(k): str(v) for k, v in return_layers.items()}

    def forward(self, x: Any) -> Any:
        """Returns the outputs as an ordered dict."""
        outputs = OrderedDict()
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                outputs[self.return_layers[name]] = x
        return outputs
