"""Calling a module with other tensors in place of its parameters and buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from facula.nn.modules.module import Module


def _places(module: Module) -> dict[str, tuple[dict[str, Any], str]]:
    """Where every parameter and buffer is held, shared ones under each of their names."""
    found = {}
    for path, child in module.named_modules(remove_duplicate=False):
        start = path + "." if path else ""
        for table in (child._parameters, child._buffers):
            for name in table:
                found[start + name] = (table, name)
    return found


@contextmanager
def _swapped(
    module: Module, values: Mapping[str, Any], tie_weights: bool, strict: bool
) -> Iterator[None]:
    places = _places(module)
    unknown = [name for name in values if name not in places]
    missing = [
        name
        for name, (table, key) in places.items()
        if name not in values and table[key] is not None
    ]
    if strict and (unknown or missing):
        raise RuntimeError(
            f"Error(s) in calling {type(module).__name__} with other tensors: unexpected key(s) "
            f"{unknown}, missing key(s) {missing}"
        )
    wanted = {name: value for name, value in values.items() if name in places}
    if tie_weights:
        by_tensor = {id(places[name][0][places[name][1]]): value for name, value in wanted.items()}
        for name, (table, key) in places.items():
            if name not in wanted and table[key] is not None and id(table[key]) in by_tensor:
                wanted[name] = by_tensor[id(table[key])]
    before = [(table, key, table[key]) for table, key in (places[name] for name in wanted)]
    try:
        for name, value in wanted.items():
            table, key = places[name]
            table[key] = value
        yield
    finally:
        for table, key, old in before:
            table[key] = old


def functional_call(
    module: Module,
    parameters_and_buffers: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """``module(*args, **kwargs)`` with the given tensors in place of those of the same names.

    Gradients reach the tensors given. Names not given keep the module's own tensors; names
    it does not have are ignored unless ``strict``.

    >>> import facula as torch
    >>> layer = torch.nn.Linear(2, 1)
    >>> zeros = {name: torch.zeros_like(p) for name, p in layer.named_parameters()}
    >>> torch.nn.utils.stateless.functional_call(layer, zeros, torch.ones(1, 2))
    tensor([[0.]])
    """
    values: dict[str, Any] = {}
    if isinstance(parameters_and_buffers, Mapping):
        values.update(parameters_and_buffers)
    else:
        for part in parameters_and_buffers:
            values.update(part)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _swapped(module, values, tie_weights, strict):
        return module(*args, **(kwargs or {}))
