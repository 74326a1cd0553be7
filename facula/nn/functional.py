"""torch.nn.functional: the layers as functions, under the names and signatures of PyTorch."""

from __future__ import annotations

from facula.operators import activation as _activation
from facula.operators import multi_head_attention as _heads
from facula.operators import softmaxes as _softmaxes
from facula.operators.activation import gelu as gelu
from facula.operators.activation import glu as glu
from facula.operators.activation import hardshrink as hardshrink
from facula.operators.activation import logsigmoid as logsigmoid
from facula.operators.activation import prelu as prelu
from facula.operators.activation import softplus as softplus
from facula.operators.activation import softshrink as softshrink
from facula.operators.activation import softsign as softsign
from facula.operators.activation import tanhshrink as tanhshrink
from facula.operators.adaptive_pooling import adaptive_avg_pool1d as adaptive_avg_pool1d
from facula.operators.adaptive_pooling import adaptive_avg_pool2d as adaptive_avg_pool2d
from facula.operators.adaptive_pooling import adaptive_avg_pool3d as adaptive_avg_pool3d
from facula.operators.adaptive_pooling import adaptive_max_pool1d as adaptive_max_pool1d
from facula.operators.adaptive_pooling import (
    adaptive_max_pool1d_with_indices as adaptive_max_pool1d_with_indices,
)
from facula.operators.adaptive_pooling import adaptive_max_pool2d as adaptive_max_pool2d
from facula.operators.adaptive_pooling import (
    adaptive_max_pool2d_with_indices as adaptive_max_pool2d_with_indices,
)
from facula.operators.adaptive_pooling import adaptive_max_pool3d as adaptive_max_pool3d
from facula.operators.adaptive_pooling import (
    adaptive_max_pool3d_with_indices as adaptive_max_pool3d_with_indices,
)
from facula.operators.attention import scaled_dot_product_attention as scaled_dot_product_attention
from facula.operators.class_losses import cross_entropy as cross_entropy
from facula.operators.class_losses import nll_loss as nll_loss
from facula.operators.convolution import conv1d as conv1d
from facula.operators.convolution import conv2d as conv2d
from facula.operators.convolution import conv3d as conv3d
from facula.operators.convolution import conv_tbc as conv_tbc
from facula.operators.convolution import conv_transpose1d as conv_transpose1d
from facula.operators.convolution import conv_transpose2d as conv_transpose2d
from facula.operators.convolution import conv_transpose3d as conv_transpose3d
from facula.operators.ctc import ctc_loss as ctc_loss
from facula.operators.distances import cosine_similarity as cosine_similarity
from facula.operators.distances import pairwise_distance as pairwise_distance
from facula.operators.distances import pdist as pdist
from facula.operators.dropouts import alpha_dropout as alpha_dropout
from facula.operators.dropouts import dropout as dropout
from facula.operators.dropouts import dropout1d as dropout1d
from facula.operators.dropouts import dropout2d as dropout2d
from facula.operators.dropouts import dropout3d as dropout3d
from facula.operators.dropouts import feature_alpha_dropout as feature_alpha_dropout
from facula.operators.embeddings import embedding as embedding
from facula.operators.embeddings import embedding_bag as embedding_bag
from facula.operators.embeddings import one_hot as one_hot
from facula.operators.fractional_pooling import fractional_max_pool2d as fractional_max_pool2d
from facula.operators.fractional_pooling import (
    fractional_max_pool2d_with_indices as fractional_max_pool2d_with_indices,
)
from facula.operators.fractional_pooling import fractional_max_pool3d as fractional_max_pool3d
from facula.operators.fractional_pooling import (
    fractional_max_pool3d_with_indices as fractional_max_pool3d_with_indices,
)
from facula.operators.grid_sampling import affine_grid as affine_grid
from facula.operators.grid_sampling import grid_sample as grid_sample
from facula.operators.inplace import write as _write
from facula.operators.linear import bilinear as bilinear
from facula.operators.linear import linear as linear
from facula.operators.losses import binary_cross_entropy as binary_cross_entropy
from facula.operators.losses import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from facula.operators.losses import gaussian_nll_loss as gaussian_nll_loss
from facula.operators.losses import huber_loss as huber_loss
from facula.operators.losses import kl_div as kl_div
from facula.operators.losses import l1_loss as l1_loss
from facula.operators.losses import mse_loss as mse_loss
from facula.operators.losses import poisson_nll_loss as poisson_nll_loss
from facula.operators.losses import smooth_l1_loss as smooth_l1_loss
from facula.operators.losses import soft_margin_loss as soft_margin_loss
from facula.operators.margin_losses import multi_margin_loss as multi_margin_loss
from facula.operators.margin_losses import multilabel_margin_loss as multilabel_margin_loss
from facula.operators.margin_losses import (
    multilabel_soft_margin_loss as multilabel_soft_margin_loss,
)
from facula.operators.multi_head_attention import (
    multi_head_attention_forward as multi_head_attention_forward,
)
from facula.operators.normalization import batch_norm as batch_norm
from facula.operators.normalization import group_norm as group_norm
from facula.operators.normalization import instance_norm as instance_norm
from facula.operators.normalization import layer_norm as layer_norm
from facula.operators.normalization import rms_norm as rms_norm
from facula.operators.padding import pad as pad
from facula.operators.pair_losses import cosine_embedding_loss as cosine_embedding_loss
from facula.operators.pair_losses import hinge_embedding_loss as hinge_embedding_loss
from facula.operators.pair_losses import margin_ranking_loss as margin_ranking_loss
from facula.operators.pair_losses import triplet_margin_loss as triplet_margin_loss
from facula.operators.pair_losses import (
    triplet_margin_with_distance_loss as triplet_margin_with_distance_loss,
)
from facula.operators.patches import fold as fold
from facula.operators.patches import unfold as unfold
from facula.operators.pooling import avg_pool1d as avg_pool1d
from facula.operators.pooling import avg_pool2d as avg_pool2d
from facula.operators.pooling import avg_pool3d as avg_pool3d
from facula.operators.pooling import lp_pool1d as lp_pool1d
from facula.operators.pooling import lp_pool2d as lp_pool2d
from facula.operators.pooling import lp_pool3d as lp_pool3d
from facula.operators.pooling import max_pool1d as max_pool1d
from facula.operators.pooling import max_pool1d_with_indices as max_pool1d_with_indices
from facula.operators.pooling import max_pool2d as max_pool2d
from facula.operators.pooling import max_pool2d_with_indices as max_pool2d_with_indices
from facula.operators.pooling import max_pool3d as max_pool3d
from facula.operators.pooling import max_pool3d_with_indices as max_pool3d_with_indices
from facula.operators.pooling import max_unpool1d as max_unpool1d
from facula.operators.pooling import max_unpool2d as max_unpool2d
from facula.operators.pooling import max_unpool3d as max_unpool3d
from facula.operators.random_activation import gumbel_softmax as gumbel_softmax
from facula.operators.random_activation import rrelu as rrelu
from facula.operators.resampling import interpolate as interpolate
from facula.operators.resampling import upsample as upsample
from facula.operators.resampling import upsample_bilinear as upsample_bilinear
from facula.operators.resampling import upsample_nearest as upsample_nearest
from facula.operators.scaling import local_response_norm as local_response_norm
from facula.operators.scaling import normalize as normalize
from facula.operators.shuffles import channel_shuffle as channel_shuffle
from facula.operators.shuffles import native_channel_shuffle as native_channel_shuffle
from facula.operators.shuffles import pixel_shuffle as pixel_shuffle
from facula.operators.shuffles import pixel_unshuffle as pixel_unshuffle
from facula.operators.softmaxes import softmin as softmin
from facula.operators.transcendental import sigmoid as sigmoid
from facula.operators.transcendental import tanh as tanh

softmax = _softmaxes.functional_softmax
log_softmax = _softmaxes.functional_log_softmax
_canonical_mask = _heads.canonical_mask


def relu(input, inplace=False):
    """``max(input, 0)``, element by element.

    >>> import facula as torch
    >>> torch.nn.functional.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    out = _activation.relu(input)
    return _write(input, out) if inplace else out


def relu6(input, inplace=False):
    """``min(max(input, 0), 6)``."""
    out = _activation.relu6(input)
    return _write(input, out) if inplace else out


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """``input`` limited to [min_val, max_val]."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    out = _activation.hardtanh(input, min_val, max_val)
    return _write(input, out) if inplace else out


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """``input`` where positive, ``negative_slope * input`` elsewhere."""
    out = _activation.leaky_relu(input, negative_slope)
    return _write(input, out) if inplace else out


def threshold(input, threshold, value, inplace=False):
    """``input`` where it is above ``threshold``, ``value`` elsewhere."""
    out = _activation.threshold(input, threshold, value)
    return _write(input, out) if inplace else out


def elu(input, alpha=1.0, inplace=False):
    """``input`` where positive, ``alpha * (exp(input) - 1)`` elsewhere."""
    out = _activation.elu(input, alpha)
    return _write(input, out) if inplace else out


def selu(input, inplace=False):
    """The elu whose constants keep mean 0 and variance 1."""
    out = _activation.selu(input)
    return _write(input, out) if inplace else out


def celu(input, alpha=1.0, inplace=False):
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``."""
    out = _activation.celu(input, alpha)
    return _write(input, out) if inplace else out


def silu(input, inplace=False):
    """``input * sigmoid(input)``."""
    out = _activation.silu(input)
    return _write(input, out) if inplace else out


def mish(input, inplace=False):
    """``input * tanh(softplus(input))``."""
    out = _activation.mish(input)
    return _write(input, out) if inplace else out


def hardsigmoid(input, inplace=False):
    """``min(max(input + 3, 0), 6) / 6``."""
    out = _activation.hardsigmoid(input)
    return _write(input, out) if inplace else out


def hardswish(input, inplace=False):
    """``input * hardsigmoid(input)``."""
    out = _activation.hardswish(input)
    return _write(input, out) if inplace else out


def relu_(input):
    """``relu`` in place."""
    return relu(input, True)


def hardtanh_(input, min_val=-1.0, max_val=1.0):
    """``hardtanh`` in place."""
    return hardtanh(input, min_val, max_val, True)


def leaky_relu_(input, negative_slope=0.01):
    """``leaky_relu`` in place."""
    return leaky_relu(input, negative_slope, True)


def threshold_(input, threshold, value):
    """``threshold`` in place."""
    out = _activation.threshold(input, threshold, value)
    return _write(input, out)


def elu_(input, alpha=1.0):
    """``elu`` in place."""
    return elu(input, alpha, True)


def selu_(input):
    """``selu`` in place."""
    return selu(input, True)


def celu_(input, alpha=1.0):
    """``celu`` in place."""
    return celu(input, alpha, True)


def rrelu_(input, lower=1.0 / 8, upper=1.0 / 3, training=False):
    """``rrelu`` in place."""
    return rrelu(input, lower, upper, training, True)
