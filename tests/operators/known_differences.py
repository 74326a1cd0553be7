"""Where facula and PyTorch differ on purpose, or cannot be compared; each with its reason."""

from __future__ import annotations

# The values are random or undefined; shapes and dtypes are compared, streams in tests/streams.
NO_VALUES = frozenset(
    """
    cauchy exponential geometric log_normal normal uniform rand_like randn randn_like randint
    randint_like bernoulli multinomial empty empty_like empty_strided new_empty new_empty_strided
    nn.functional.dropout nn.functional.dropout2d nn.functional.dropout3d
    nn.functional.alpha_dropout nn.functional.feature_alpha_dropout nn.functional.rrelu
    nn.functional.fractional_max_pool2d nn.functional.fractional_max_pool3d
    nn.functional.scaled_dot_product_attention nn.functional.multi_head_attention_forward
    svd_lowrank pca_lowrank empty_permuted
    """.split()
)

_SIGN = "eigenvectors are only determined up to their phase"
_UNUSED = "outputs without a derivative do not require gradients here"
_SAMPLE = "the sample cannot be carried over: "

DIFFERENT = {
    "as_strided.partial_views": _SAMPLE + "it depends on the memory around a view",
    "nn.functional.triplet_margin_with_distance_loss": _SAMPLE + "it holds a module of PyTorch",
    "sparse.mm.reduce": _SAMPLE + "sparse layouts",
    "sgn": _SAMPLE + "a tensor of zeros without memory",
    "linalg.eig": _SIGN,
    "linalg.eigh": _SIGN,
    "linalg.lstsq": _UNUSED,
    "linalg.lstsq.grad_oriented": _UNUSED,
    "linalg.matrix_power": "the power 0 is a constant here",
    "linalg.vander": "a number is no vector of points here",
    "nextafter": "PyTorch marks it as differentiable and then refuses",
    "nn.functional.batch_norm": "an empty vector is refused with another error",
    "gather": "an empty index of another rank is refused",
    "special.bessel_j0": "PyTorch's is accurate to 1e-7 only",
    "special.bessel_j1": "PyTorch's is accurate to 1e-7 only",
    "special.bessel_y1": "PyTorch's is accurate to 1e-7 only",
    "chalf": "there is no complex32",
    "as_strided_scatter": "of one element PyTorch's gradient is that of the element written over",
    "nn.functional.silu.complex": "not implemented for complex numbers",
    "cholesky": _UNUSED,
}

_TIES = "which of equal elements comes first is not defined"

OTHER_DTYPES = {
    ("kthvalue", "int64"): _TIES,
    ("topk", "int64"): _TIES,
    ("topk", "bfloat16"): _TIES,
    ("sort", "bool"): _TIES,
    ("sort", "bfloat16"): _TIES,
    ("argsort", "bool"): _TIES,
    ("argsort", "bfloat16"): _TIES,
    ("matrix_exp", "bfloat16"): "computed in float32 here, so it does not overflow",
    ("nn.functional.rms_norm", "complex64"): "not implemented for complex numbers",
    ("logcumsumexp", "complex64"): "not implemented for complex numbers",
}

# Refusals that come from how PyTorch keeps memory, or from argument parsing in C.
LENIENT_ERRORS = (
    "some elements of the input tensor and the written-to tensor",
    "more than one element of the written-to tensor",
    "Expected out tensor to have dtype",
    "descriptor '__",
    "tuple of Tensors, not Tensor",
)

DIFFERENT_ERRORS = {
    "narrow_copy": "a dimension out of range is an IndexError, as for narrow",
    "arange": "out= changes nothing about step",
    "complex": "the dtype of out= is not checked",
    "linspace": "steps may be a whole float",
    "linspace.tensor_overload": "steps may be a whole float",
    "masked_fill": "a number too large for the dtype wraps around",
    "isclose": "tolerances are inputs of the program; their sign is not looked at",
    "nn.functional.multilabel_margin_loss": "an empty target is refused with another error",
    "narrow": "start may be a float tensor",
    "__rmod__": "numbers on both sides",
    "__rpow__": "numbers on both sides",
    "hsplit": "sections given as text",
    "vsplit": "sections given as text",
    "multinomial": "the dtype of out= is not checked",
    "special.xlog1py": "numbers on both sides",
    "special.zeta": "numbers on both sides",
}
