"""State dicts of optimizers: parameters become positions on the way out, and back again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import chain
from typing import Any

from facula.tensors import Tensor


def pack(groups: list[dict[str, Any]], state: Any, shared: tuple[str, ...]) -> dict[str, Any]:
    """State and groups with each parameter replaced by its position among all parameters."""
    positions: dict[int, int] = {}
    packed_groups = []
    start = 0
    for group in groups:
        for i, param in enumerate(group["params"], start):
            positions.setdefault(id(param), i)
        packed = {key: value for key, value in group.items() if key != "params"}
        packed["params"] = [positions[id(param)] for param in group["params"]]
        packed_groups.append(packed)
        start += len(group["params"])
    owners = _count_owners(state, shared)
    packed_state = {}
    for key, entry in state.items():
        if isinstance(key, Tensor):
            key = positions[id(key)]
        packed_state[key] = _unshare(entry, shared, owners)
    return {"state": packed_state, "param_groups": packed_groups}


def _count_owners(state: Any, shared: tuple[str, ...]) -> dict[int, int]:
    owners: dict[int, int] = defaultdict(int)
    for entry in state.values():
        if isinstance(entry, dict):
            for name in shared:
                owners[id(entry.get(name))] += 1
    return owners


def _unshare(entry: Any, shared: tuple[str, ...], owners: dict[int, int]) -> Any:
    """A copy of an entry with shared numbers of its own: PyTorch adds to each in place."""
    if not isinstance(entry, dict):
        return entry
    copies = {
        name: entry[name].clone()
        for name in shared
        if isinstance(entry.get(name), Tensor) and owners[id(entry[name])] > 1
    }
    return {**entry, **copies} if copies else entry


def check_sizes(groups: list[dict[str, Any]], saved_groups: list[dict[str, Any]]) -> None:
    """Raise ValueError unless the saved groups have the sizes of the optimizer's groups."""
    if len(groups) != len(saved_groups):
        raise ValueError(
            "loaded state dict has a different number of parameter groups "
            f"({len(saved_groups)}) than the optimizer ({len(groups)})"
        )
    for i, (group, saved) in enumerate(zip(groups, saved_groups)):
        if len(group["params"]) != len(saved["params"]):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of "
                f"optimizer's group: group {i} has {len(saved['params'])} parameters there and "
                f"{len(group['params'])} here"
            )


def unpack(
    groups: list[dict[str, Any]], saved_groups: list[dict[str, Any]], saved_state: dict[Any, Any]
) -> defaultdict[Any, Any]:
    """The saved state by parameter, its tensors cast to the parameter's dtype and device."""
    by_position = dict(
        zip(
            chain.from_iterable(saved["params"] for saved in saved_groups),
            chain.from_iterable(group["params"] for group in groups),
        )
    )
    state: defaultdict[Any, Any] = defaultdict(dict)
    for key, entry in saved_state.items():
        if key in by_position:
            param = by_position[key]
            state[param] = _cast(param, entry)
        else:
            state[key] = entry
    return state


def _cast(param: Tensor, value: Any, key: Any = None) -> Any:
    if isinstance(value, Tensor):
        if key == "step":  # a count keeps its dtype: half precision would stop at 2048
            return value
        if param.is_floating_point():
            return value.to(dtype=param.dtype, device=param.device)
        return value.to(device=param.device)
    if isinstance(value, dict):
        return {name: _cast(param, part, name) for name, part in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return type(value)(_cast(param, part) for part in value)  # type: ignore[call-arg]
    return value
