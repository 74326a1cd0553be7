"""Folding batch normalisation into the layer before it, for evaluation."""

from __future__ import annotations

import copy
from typing import Any

from facula import operators as ops
from facula import tensors
from facula.nn.modules.batchnorm import _BatchNorm
from facula.nn.modules.module import Module
from facula.nn.parameter import Parameter
from facula.tensors import Tensor


def fuse_conv_bn_eval(conv: Any, bn: _BatchNorm, transpose: bool = False) -> Module:
    """A copy of the convolution that also does what ``bn`` does in evaluation."""
    if conv.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight,
        fused.bias,
        bn.running_mean,
        bn.running_var,
        bn.eps,
        bn.weight,
        bn.bias,
        transpose,
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the fused convolution."""
    bias = tensors.zeros_like(bn_rm) if conv_b is None else conv_b
    scale = tensors.ones_like(bn_rm) if bn_w is None else bn_w
    shift = tensors.zeros_like(bn_rm) if bn_b is None else bn_b
    factor = scale * ops.rsqrt(bn_rv + bn_eps)
    shape = [1] * conv_w.dim()
    shape[1 if transpose else 0] = -1
    weight = (conv_w * factor.reshape(shape)).to(dtype=conv_w.dtype)
    new_bias = ((bias - bn_rm) * factor + shift).to(dtype=bias.dtype)
    return (
        Parameter(weight.detach(), conv_w.requires_grad),
        Parameter(new_bias.detach(), bias.requires_grad),
    )


def fuse_linear_bn_eval(linear: Any, bn: _BatchNorm) -> Module:
    """A copy of the linear layer that also does what ``bn`` does in evaluation."""
    if linear.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1"
        )
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the fused linear layer."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
