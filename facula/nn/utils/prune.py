"""Pruning: setting parts of a parameter to zero by a mask."""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from facula import operators as ops
from facula import tensors
from facula.nn.modules.module import Module
from facula.tensors import Tensor


class BasePruningMethod(ABC):
    """A way to choose what is pruned: a subclass sets PRUNING_TYPE and writes ``compute_mask``."""

    PRUNING_TYPE: str = "unstructured"
    _tensor_name: str

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask, 1 where a value stays, given what was pruned before."""

    def apply_mask(self, module: Any) -> Tensor:
        """The original parameter times its mask."""
        mask = getattr(module, self._tensor_name + "_mask")
        original = getattr(module, self._tensor_name + "_orig")
        return mask.to(dtype=original.dtype) * original

    @classmethod
    def apply(
        cls, module: Any, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any
    ) -> Any:
        """Prune a parameter: it becomes ``<name>_orig``, with the buffer ``<name>_mask``."""
        method = cls(*args, **kwargs)
        method._tensor_name = name
        before, key = _find(module, name)
        if before is not None:
            container = before
            if not isinstance(before, PruningContainer):
                container = PruningContainer(before)
            container.add_pruning_method(method)
            method = container
        original = getattr(module, name)
        scores = original if importance_scores is None else importance_scores
        if scores.shape != original.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}"
            )
        if before is None:
            default_mask = tensors.ones_like(original.detach())
        else:
            default_mask = getattr(module, name + "_mask").detach().clone()
        mask = method.compute_mask(scores.detach(), default_mask)  # may fail: nothing changed yet
        if before is None:
            parameter = module._parameters[name]
            del module._parameters[name]
            module.register_parameter(name + "_orig", parameter)
        else:
            del module._forward_pre_hooks[key]
        module.register_buffer(name + "_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(
        self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Any = None
    ) -> Tensor:
        """A pruned copy of a tensor."""
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise AssertionError("importance_scores should have the same shape as tensor t")
        default_mask = tensors.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask)

    def remove(self, module: Any) -> None:
        """Make the pruning permanent: one parameter again, zeros included."""
        name = self._tensor_name
        weight = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        original = module._parameters.pop(name + "_orig")
        original.data = weight.data
        del module._buffers[name + "_mask"]
        setattr(module, name, original)


def _find(module: Any, name: str) -> tuple[Any, Any]:
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return hook, key
    return None, None


class PruningContainer(BasePruningMethod):
    """Several prunings of one parameter, one after the other."""

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple = ()
        methods = args[0] if args and isinstance(args[0], Iterable) else args
        for method in methods:
            if not self._pruning_methods and hasattr(method, "_tensor_name"):
                self._tensor_name = method._tensor_name
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Append a method for the same parameter."""
        if method is not None and not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        own = getattr(self, "_tensor_name", None)
        if method is not None and own is not None and own != method._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{own}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Any:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: Any) -> Any:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Let the newest method prune among what the earlier ones left."""
        method = self._pruning_methods[-1]
        mask = default_mask.to(dtype=t.dtype)
        if method.PRUNING_TYPE == "global":
            return mask * method.compute_mask(t, default_mask)
        if method.PRUNING_TYPE == "structured":
            dim = method.dim % t.dim()
            alive = mask.transpose(0, dim).reshape(mask.size(dim), -1).sum(1) != 0
            rows = alive.nonzero().squeeze(1)
            part = t.index_select(dim, rows)
            partial = method.compute_mask(part, mask.index_select(dim, rows))
            return mask.index_copy(dim, rows, partial.to(dtype=mask.dtype))
        if method.PRUNING_TYPE != "unstructured":
            raise AttributeError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
        places = mask.reshape(-1).nonzero().squeeze(1)
        flat = mask.reshape(-1)
        part = t.reshape(-1).index_select(0, places)
        partial = method.compute_mask(part, flat.index_select(0, places))
        return flat.index_copy(0, places, partial.to(dtype=mask.dtype)).reshape(mask.shape)


class Identity(BasePruningMethod):
    """Prunes nothing; makes the parameter look pruned."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _ByAmount(BasePruningMethod):
    def __init__(self, amount: float) -> None:
        _validate_pruning_amount_init(amount)
        self.amount = amount


class RandomUnstructured(_ByAmount):
    """Prunes values chosen at random."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = _amount_to_prune(self.amount, t.numel())
        return _without(tensors.rand_like(t), count, True, default_mask)


class L1Unstructured(_ByAmount):
    """Prunes the values of smallest magnitude."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = _amount_to_prune(self.amount, t.numel())
        return _without(t.abs(), count, False, default_mask)


def _without(scores: Tensor, count: int, largest: bool, default_mask: Tensor) -> Tensor:
    """The mask with zeros at the ``count`` largest or smallest scores."""
    mask = default_mask.clone()
    if count == 0:
        return mask
    chosen = ops.topk(scores.reshape(-1), count, largest=largest)[1]
    return mask.reshape(-1).index_fill(0, chosen, 0).reshape(mask.shape)


class RandomStructured(BasePruningMethod):
    """Prunes channels chosen at random."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        _validate_pruning_amount_init(amount)
        self.amount = amount
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        _validate_structured(t, self.dim)
        channels = t.size(self.dim)
        count = _amount_to_prune(self.amount, channels)
        if count == 0:
            return default_mask
        chance = tensors.rand(channels)
        kept = ops.topk(chance, channels - count, largest=True)[1]
        return default_mask * _channels(t, self.dim, kept).to(dtype=default_mask.dtype)


class LnStructured(BasePruningMethod):
    """Prunes the channels of smallest Ln norm."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        _validate_pruning_amount_init(amount)
        self.amount = amount
        self.n = n
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        _validate_structured(t, self.dim)
        channels = t.size(self.dim)
        count = _amount_to_prune(self.amount, channels)
        if count == 0:
            return default_mask
        others = [axis for axis in range(t.dim()) if axis != self.dim % t.dim()]
        kept = ops.topk(ops.norm(t, p=self.n, dim=others), channels - count, largest=True)[1]
        return default_mask * _channels(t, self.dim, kept).to(dtype=default_mask.dtype)


def _channels(t: Tensor, dim: int, kept: Tensor) -> Tensor:
    """Ones at the channels kept, zeros elsewhere, in the shape of ``t``."""
    return tensors.zeros_like(t).index_fill(dim, kept, 1)


class CustomFromMask(BasePruningMethod):
    """Prunes by a mask given."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"the mask has shape {self.mask.shape}, the parameter {default_mask.shape}"
            )
        return default_mask * self.mask.to(dtype=default_mask.dtype)


def identity(module: Module, name: str) -> Module:
    """Make a parameter look pruned without pruning it."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune values at random: a number of them (int) or a share (float)."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(
    module: Module, name: str, amount: float, importance_scores: Any = None
) -> Module:
    """Prune the values of smallest magnitude: a number (int) or a share (float)."""
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune channels of an axis at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module, name: str, amount: float, n: Any, dim: int, importance_scores: Any = None
) -> Module:
    """Prune the channels of an axis with the smallest Ln norm."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune by a mask."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Any, pruning_method: Any, importance_scores: Any = None, **kwargs: Any
) -> None:
    """Prune several parameters as if they were one: ``[(module, name), ...]``."""
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    given = importance_scores if importance_scores is not None else {}
    if not isinstance(given, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    pairs = list(parameters)
    method = pruning_method(**kwargs)
    method._tensor_name = "temp"
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    scores, masks = [], []
    for module, name in pairs:
        value = getattr(module, name)
        scores.append(given.get((module, name), value).detach().reshape(-1))
        mask = getattr(module, name + "_mask", None)
        masks.append(
            tensors.ones_like(value.detach()).reshape(-1) if mask is None else mask.reshape(-1)
        )
    container = PruningContainer()
    container._tensor_name = "temp"
    container.add_pruning_method(method)
    final = container.compute_mask(ops.cat(scores, 0), ops.cat(masks, 0))
    start = 0
    for module, name in pairs:
        value = getattr(module, name)
        mask = final[start : start + value.numel()].reshape(value.shape)
        custom_from_mask(module, name, mask)
        start += value.numel()


def remove(module: Module, name: str) -> Module:
    """Make the pruning of a parameter permanent."""
    method, key = _find(module, name)
    if method is None:
        raise ValueError(
            f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
        )
    method.remove(module)
    del module._forward_pre_hooks[key]
    return module


def is_pruned(module: Module) -> bool:
    """Whether any parameter here or below is pruned."""
    return any(
        isinstance(hook, BasePruningMethod)
        for child in module.modules()
        for hook in child._forward_pre_hooks.values()
    )


def _validate_pruning_amount_init(amount: Any) -> None:
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    share = not isinstance(amount, numbers.Integral)
    if float(amount) < 0 or (share and float(amount) > 1.0):
        raise ValueError(
            f"amount={amount} should either be a float in the range [0, 1] or a non-negative "
            "integer"
        )


def _amount_to_prune(amount: Any, size: int) -> int:
    if not isinstance(amount, numbers.Integral):
        return round(amount * size)
    if int(amount) > size:
        raise ValueError(
            f"amount={amount} should be smaller than the number of parameters to prune={size}"
        )
    return int(amount)


def _validate_structured(t: Tensor, dim: int) -> None:
    if t.dim() <= 1:
        raise ValueError(
            "Structured pruning can only be applied to multidimensional tensors. Found tensor of "
            f"shape {t.shape} with {t.dim()} dims"
        )
    if dim >= t.dim():
        raise IndexError(f"Invalid index {dim} for tensor of size {t.shape}")
