"""facula ("little torch"): PyTorch's programming model, in Python, that compiles itself.

``import facula as torch`` and write PyTorch. What this file shows at a glance is the whole of
``torch.*``; the packages behind it are listed in CONTRIBUTING.md.
"""

import importlib as _importlib
import math as _math

from facula import autograd as autograd
from facula import operators as _operators
from facula import tensors as _tensors
from facula.autograd.anomaly import is_anomaly_enabled as is_anomaly_enabled
from facula.autograd.anomaly import set_anomaly_enabled as set_anomaly_enabled
from facula.autograd.modes import enable_grad as enable_grad
from facula.autograd.modes import inference_mode as inference_mode
from facula.autograd.modes import is_grad_enabled as is_grad_enabled
from facula.autograd.modes import is_inference_mode_enabled as is_inference_mode_enabled
from facula.autograd.modes import no_grad as no_grad
from facula.autograd.modes import set_grad_enabled as set_grad_enabled
from facula.base.devices import device as device
from facula.base.dtypes import bfloat16 as bfloat16
from facula.base.dtypes import bool_ as bool
from facula.base.dtypes import can_cast as can_cast
from facula.base.dtypes import complex64 as complex64
from facula.base.dtypes import complex128 as complex128
from facula.base.dtypes import dtype as dtype
from facula.base.dtypes import float16 as float16
from facula.base.dtypes import float32 as float32
from facula.base.dtypes import float64 as float64
from facula.base.dtypes import int8 as int8
from facula.base.dtypes import int16 as int16
from facula.base.dtypes import int32 as int32
from facula.base.dtypes import int64 as int64
from facula.base.dtypes import promote_types as promote_types
from facula.base.dtypes import uint8 as uint8
from facula.base.dtypes import uint16 as uint16
from facula.base.dtypes import uint32 as uint32
from facula.base.dtypes import uint64 as uint64
from facula.base.size import Size as Size
from facula.explain import eager_mode as eager_mode
from facula.explain import explain as explain
from facula.operators import torch_forms as _torch_forms
from facula.operators.namespaces import TORCH as _TORCH
from facula.settings import finfo as finfo
from facula.settings import get_default_dtype as get_default_dtype
from facula.settings import get_num_threads as get_num_threads
from facula.settings import iinfo as iinfo
from facula.settings import set_default_device as set_default_device
from facula.settings import set_default_dtype as set_default_dtype
from facula.settings import set_default_tensor_type as set_default_tensor_type
from facula.settings import set_num_threads as set_num_threads
from facula.settings import typename as typename
from facula.tensors import *  # an explicit list: torch's creation functions
from facula.tensors import Tensor as Tensor
from facula.tensors.conversion import clone as clone
from facula.tensors.conversion import detach as detach
from facula.tensors.inplace_functions import FUNCTIONS as _IN_PLACE
from facula.version import __version__ as __version__

float, double, half = float32, float64, float16
long, int, short = int64, int32, int16
cfloat, cdouble, chalf = complex64, complex128, complex64
pi, e, inf, nan = _math.pi, _math.e, _math.inf, _math.nan
newaxis = None

autograd.Variable = _tensors.Variable  # it stands in torch.autograd, below which tensors are
globals().update(_tensors.legacy_types)
globals().update(_TORCH)
globals().update(_IN_PLACE)
globals().update({name: getattr(_torch_forms, name) for name in _torch_forms.NAMES})

# Loaded when first used: importing facula must stay quick.
_LAZY = {
    name: f"facula.{name}"
    for name in (
        "_dynamo", "accelerator", "amp", "backends", "compiler", "cpu", "cuda", "distributed",
        "distributions",
        "fft", "func", "functional", "hub", "jit", "linalg", "mps", "multiprocessing", "nn", "onnx",
        "optim", "profiler", "random", "serialization", "signal", "sparse", "special", "testing",
        "train", "types", "utils", "vision", "xpu",
    )
}  # fmt: skip
_LAZY["return_types"] = "facula.tensors.return_types"
_LAZY_NAMES = {
    name: module
    for module, names in {
        "facula.serialization": "save load",
        "facula.replay": "capture CaptureError",
        "facula._dynamo.eval_frame": "compile",
        "facula._lowrank": "pca_lowrank svd_lowrank",
        "facula.amp": "autocast GradScaler",
        "facula.amp.autocast_mode": (
            "is_autocast_enabled is_autocast_cpu_enabled set_autocast_enabled get_autocast_dtype "
            "set_autocast_dtype get_autocast_cpu_dtype get_autocast_gpu_dtype "
            "is_autocast_cache_enabled set_autocast_cache_enabled clear_autocast_cache"
        ),
        "facula.cuda.errors": "AcceleratorError OutOfMemoryError",
        "facula.foreach": "_foreach_copy_ _foreach_zero_ _foreach_norm "
        + " ".join(
            f"_foreach_{name} _foreach_{name}_"
            for name in (
                "abs add addcdiv addcmul ceil clamp_max clamp_min cos div erf exp floor lerp log "
                "maximum minimum mul neg pow reciprocal round rsqrt sigmoid sign sin sqrt sub tanh "
                "trunc"
            ).split()
        ),
        "facula.func": "vmap",
        "facula.sparse": "spmm",
        "facula.switches": (
            "use_deterministic_algorithms are_deterministic_algorithms_enabled "
            "is_deterministic_algorithms_warn_only_enabled set_deterministic_debug_mode "
            "get_deterministic_debug_mode set_float32_matmul_precision "
            "get_float32_matmul_precision set_flush_denormal get_num_interop_threads "
            "set_num_interop_threads set_warn_always is_warn_always_enabled get_default_device "
            "get_device_module _assert _check _check_value _check_index _check_type "
            "_check_not_implemented is_storage is_vulkan_available compiled_with_cxx11_abi"
        ),
        "facula.tensors": "default_generator",
        "facula.tensors.dlpack": "from_dlpack to_dlpack",
        "facula.tensors.sparse": "sparse_coo_tensor",
        "facula.tensors.storages": (
            "UntypedStorage TypedStorage DoubleStorage FloatStorage HalfStorage BFloat16Storage "
            "LongStorage IntStorage ShortStorage CharStorage ByteStorage BoolStorage "
            "ComplexFloatStorage ComplexDoubleStorage from_file frombuffer"
        ),
    }.items()
    for name in names.split()
}


def __getattr__(name: str):
    if name in _LAZY:
        module = _importlib.import_module(_LAZY[name])
        globals()[name] = module
        return module
    if name in _LAZY_NAMES:
        value = getattr(_importlib.import_module(_LAZY_NAMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'facula' has no attribute {name!r}")
