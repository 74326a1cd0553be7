"""Batch normalisation layers, also the synchronised and the lazy ones."""

from __future__ import annotations

from typing import Any

from facula import tensors
from facula.base import dtypes
from facula.nn import functional as F
from facula.nn import init
from facula.nn.modules.lazy import LazyModuleMixin, waiting_parameter
from facula.nn.modules.module import Module
from facula.nn.parameter import Parameter, UninitializedBuffer
from facula.tensors import Tensor


class _NormBase(Module):
    """Scale, shift and running statistics of batch and instance normalisation."""

    _version = 2
    __constants__ = ["track_running_stats", "momentum", "eps", "num_features", "affine"]
    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats

        def filled(make: Any) -> Tensor:
            return make(num_features, device=device, dtype=dtype)

        self.register_parameter("weight", Parameter(filled(tensors.empty)) if affine else None)
        self.register_parameter(
            "bias", Parameter(filled(tensors.empty)) if affine and bias else None
        )
        tracked = track_running_stats
        self.register_buffer("running_mean", filled(tensors.zeros) if tracked else None)
        self.register_buffer("running_var", filled(tensors.ones) if tracked else None)
        counter = tensors.tensor(0, dtype=dtypes.int64, device=device) if tracked else None
        self.register_buffer("num_batches_tracked", counter)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the running statistics."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forget the statistics; scale 1, shift 0."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not say which inputs it takes")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any
    ) -> None:
        version = local_metadata.get("version", None)
        key = prefix + "num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            # checkpoints of the first format have no counter
            counter = self.num_batches_tracked
            state_dict[key] = (
                counter if counter is not None else tensors.tensor(0, dtype=dtypes.int64)
            )
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        own = self.__dict__  # one slow look-up instead of eight
        training, tracked = own["training"], own["track_running_stats"]
        buffers, parameters = own["_buffers"], own["_parameters"]
        mean, var = buffers.get("running_mean"), buffers.get("running_var")
        factor = own["momentum"]
        if training and tracked:
            counter = buffers.get("num_batches_tracked")
            if counter is not None:
                counter.add_(1)
                if factor is None:  # the plain mean of all batches so far
                    factor = 1.0 / float(counter)
        if training and not tracked:
            mean = var = None
        try:
            weight, bias = parameters["weight"], parameters["bias"]
        except KeyError:  # parametrized
            weight, bias = self.weight, self.bias
        batch_statistics = training or (mean is None and var is None)
        return F.batch_norm(
            input,
            mean,
            var,
            weight,
            bias,
            batch_statistics,
            0.0 if factor is None else factor,
            own["eps"],
        )


def _dims(input: Tensor, allowed: tuple[int, ...], text: str) -> None:
    if input.dim() not in allowed:
        raise ValueError(f"expected {text} input (got {input.dim()}D input)")


class BatchNorm1d(_BatchNorm):
    """Normalise each feature over the batch. Shapes: (N, C) or (N, C, L), kept."""

    def _check_input_dim(self, input: Tensor) -> None:
        _dims(input, (2, 3), "2D or 3D")


class BatchNorm2d(_BatchNorm):
    """Normalise each channel over batch and image. Shapes: (N, C, H, W), kept.

    In training the batch's statistics are used, and running ones are kept for evaluation:
    ``running = (1 - momentum) * running + momentum * batch``, with the unbiased variance.
    Source: Ioffe and Szegedy 2015.

    >>> import facula as torch
    >>> torch.nn.BatchNorm2d(3)(torch.randn(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    def _check_input_dim(self, input: Tensor) -> None:
        _dims(input, (4,), "4D")


class BatchNorm3d(_BatchNorm):
    """Normalise each channel over batch and volume. Shapes: (N, C, D, H, W), kept."""

    def _check_input_dim(self, input: Tensor) -> None:
        _dims(input, (5,), "5D")


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation with statistics over all processes; here over the local batch."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")
        if input.size(1) == 0:
            raise ValueError("SyncBatchNorm number of input channels should be non-zero")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """Replace every batch normalisation in a module by a synchronised one."""
        result = module
        if isinstance(module, _BatchNorm):
            result = SyncBatchNorm(
                module.num_features,
                module.eps,
                module.momentum,
                module.affine,
                module.track_running_stats,
                process_group,
                bias=module.bias is not None,
            )
            if module.affine:
                result.weight, result.bias = module.weight, module.bias
            result.running_mean = module.running_mean
            result.running_var = module.running_var
            result.num_batches_tracked = module.num_batches_tracked
            result.training = module.training
        for name, child in module.named_children():
            result.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return result


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """A normalisation layer that learns ``num_features`` from its first input."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = waiting_parameter(device, dtype)
            if bias:
                self.bias = waiting_parameter(device, dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = tensors.tensor(0, dtype=dtypes.int64, device=device)

    def reset_parameters(self) -> None:
        """Scale 1 and shift 0, once the shape is known."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:  # type: ignore[override]
        if not self.has_uninitialized_params():
            return
        self.num_features = input.shape[1]
        waiting = [self.weight, self.bias] if self.affine else []
        waiting += [self.running_mean, self.running_var] if self.track_running_stats else []
        for value in waiting:
            if value is not None:
                value.materialize((self.num_features,))
        self.reset_parameters()


class LazyBatchNorm1d(_LazyNormBase, _BatchNorm):
    """A BatchNorm1d that learns ``num_features`` from its first input."""

    cls_to_become = BatchNorm1d
    _check_input_dim = BatchNorm1d._check_input_dim


class LazyBatchNorm2d(_LazyNormBase, _BatchNorm):
    """A BatchNorm2d that learns ``num_features`` from its first input."""

    cls_to_become = BatchNorm2d
    _check_input_dim = BatchNorm2d._check_input_dim


class LazyBatchNorm3d(_LazyNormBase, _BatchNorm):
    """A BatchNorm3d that learns ``num_features`` from its first input."""

    cls_to_become = BatchNorm3d
    _check_input_dim = BatchNorm3d._check_input_dim
