"""Samples for operators that PyTorch's database does not list: functions of the library."""

from __future__ import annotations


def _image(t, *shape):
    n = 1
    for size in shape:
        n *= size
    return (t.arange(n, dtype=t.float64) * 0.37).sin().reshape(shape)


def _pool(name, dims):
    shape = (1, 2, *[6] * dims)
    return [lambda t: getattr(t.nn.functional, name)(_image(t, *shape), 2, return_indices=True)]


def _f(t):
    return t.nn.functional


SAMPLES = {
    "adaptive_max_pool1d_with_indices": [
        lambda t: _f(t).adaptive_max_pool1d_with_indices(_image(t, 1, 2, 7), 3)
    ],
    "adaptive_max_pool2d_with_indices": [
        lambda t: _f(t).adaptive_max_pool2d_with_indices(_image(t, 1, 2, 7, 5), 3)
    ],
    "adaptive_max_pool3d_with_indices": [
        lambda t: _f(t).adaptive_max_pool3d_with_indices(_image(t, 1, 1, 5, 4, 6), 2)
    ],
    "affine_grid": [
        lambda t: _f(t).affine_grid(_image(t, 1, 2, 3), (1, 1, 3, 4), align_corners=False)
    ],
    "affine_grid_generator": [
        lambda t: t.affine_grid_generator(_image(t, 1, 2, 3), (1, 1, 3, 4), True)
    ],
    "bartlett_window": [
        lambda t: t.bartlett_window(7),
        lambda t: t.bartlett_window(6, periodic=False),
    ],
    "blackman_window": [
        lambda t: t.blackman_window(7),
        lambda t: t.blackman_window(6, periodic=False),
    ],
    "hamming_window": [
        lambda t: t.hamming_window(7),
        lambda t: t.hamming_window(6, False, 0.5, 0.4),
    ],
    "hann_window": [lambda t: t.hann_window(7), lambda t: t.hann_window(1)],
    "kaiser_window": [lambda t: t.kaiser_window(7), lambda t: t.kaiser_window(6, False, 8.0)],
    "chain_matmul": [lambda t: t.chain_matmul(_image(t, 2, 3), _image(t, 3, 4), _image(t, 4, 2))],
    "conv_tbc": [lambda t: t.conv_tbc(_image(t, 5, 2, 3), _image(t, 3, 3, 4), _image(t, 4), 1)],
    "convolution": [
        lambda t: t.convolution(
            _image(t, 1, 2, 5, 5),
            _image(t, 3, 2, 3, 3),
            None,
            [1, 1],
            [1, 1],
            [1, 1],
            False,
            [0, 0],
            1,
        ),
        lambda t: t.convolution(
            _image(t, 1, 2, 5), _image(t, 2, 3, 3), _image(t, 3), [2], [1], [1], True, [1], 1
        ),
    ],
    "dropout1d": [lambda t: _f(t).dropout1d(_image(t, 2, 3, 4), 0.5, False)],
    "feature_dropout": [lambda t: t.feature_dropout(_image(t, 2, 3, 4), 0.5, False)],
    "native_dropout": [lambda t: t.native_dropout(_image(t, 2, 3), 0.0, True)],
    "fold": [lambda t: _f(t).fold(_image(t, 1, 8, 9), (4, 4), (2, 2))],
    "fractional_max_pool2d_with_indices": [
        lambda t: _f(t).fractional_max_pool2d_with_indices(
            _image(t, 1, 2, 7, 7), 2, (3, 3), _random_samples=_image(t, 1, 2, 2).abs()
        )
    ],
    "fractional_max_pool3d_with_indices": [
        lambda t: _f(t).fractional_max_pool3d_with_indices(
            _image(t, 1, 1, 6, 6, 6), 2, (2, 2, 2), _random_samples=_image(t, 1, 1, 3).abs()
        )
    ],
    "frobenius_norm": [lambda t: t.frobenius_norm(_image(t, 2, 3), [0, 1])],
    "grid_sampler": [
        lambda t: t.grid_sampler(_image(t, 1, 2, 4, 4), _image(t, 1, 3, 3, 2), 0, 0, False)
    ],
    "gumbel_softmax": [lambda t: _f(t).gumbel_softmax(_image(t, 2, 3) * 1e9, hard=True).shape],
    "is_complex": [
        lambda t: t.is_complex(_image(t, 2)),
        lambda t: t.is_complex(_image(t, 2).to(t.complex64)),
    ],
    "is_conj": [lambda t: t.is_conj(_image(t, 2))],
    "is_floating_point": [
        lambda t: t.is_floating_point(_image(t, 2)),
        lambda t: t.is_floating_point(t.ones(1).int()),
    ],
    "is_neg": [lambda t: t.is_neg(_image(t, 2))],
    "is_nonzero": [lambda t: t.is_nonzero(t.tensor(3)), lambda t: t.is_nonzero(t.tensor([0.0]))],
    "is_same_size": [
        lambda t: t.is_same_size(_image(t, 2), _image(t, 2)),
        lambda t: t.is_same_size(_image(t, 2), _image(t, 3)),
    ],
    "is_signed": [
        lambda t: t.is_signed(_image(t, 2)),
        lambda t: t.is_signed(t.ones(1, dtype=t.uint8)),
    ],
    "is_tensor": [lambda t: t.is_tensor(_image(t, 2)), lambda t: t.is_tensor(2)],
    "lp_pool1d": [lambda t: _f(t).lp_pool1d(_image(t, 1, 2, 6).abs(), 2.0, 2)],
    "lp_pool2d": [lambda t: _f(t).lp_pool2d(_image(t, 1, 2, 6, 6).abs(), 3.0, 2, 1)],
    "lp_pool3d": [lambda t: _f(t).lp_pool3d(_image(t, 1, 1, 4, 4, 4).abs(), 2.0, 2)],
    "max_pool1d_with_indices": _pool("max_pool1d", 1),
    "max_pool2d_with_indices": _pool("max_pool2d", 2),
    "max_pool3d_with_indices": _pool("max_pool3d", 3),
    "native_channel_shuffle": [lambda t: t.native_channel_shuffle(_image(t, 1, 4, 2, 2), 2)],
    "norm_except_dim": [
        lambda t: t.norm_except_dim(_image(t, 3, 4), 2, 0),
        lambda t: t.norm_except_dim(_image(t, 3, 4), 2, 1),
    ],
    "numel": [lambda t: t.numel(_image(t, 2, 3))],
    "result_type": [
        lambda t: str(t.result_type(_image(t, 2), 1j)),
        lambda t: str(t.result_type(t.ones(1).int(), 2.0)),
    ],
    "select_copy": [lambda t: t.select_copy(_image(t, 3, 4), 1, -1)],
    "split_copy": [
        lambda t: t.split_copy(_image(t, 5, 2), 2),
        lambda t: t.split_copy(_image(t, 4), 2, 0),
    ],
    "unsafe_split_with_sizes": [lambda t: t.unsafe_split_with_sizes(_image(t, 5), [2, 3])],
    "slogdet": [lambda t: t.slogdet(_image(t, 3, 3) + 3 * t.eye(3, dtype=t.float64))],
    "upsample": [lambda t: _f(t).upsample(_image(t, 1, 2, 3, 3), scale_factor=2, mode="nearest")],
    "vander": [lambda t: t.vander(_image(t, 4)), lambda t: t.vander(_image(t, 4), 3, True)],
}
