"""Translates between facula's module names and PyTorch's, which files and printed classes show.

Files always carry PyTorch's names, so that both libraries can read them. Reading is forgiving: a
name is looked for in the facula module of the same path, then in the packages above it.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

# Where PyTorch defines what users import from torch.nn; pickles record this, not the public name.
_NN_HOMES = {
    "activation": "CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid"
    " LogSoftmax Mish MultiheadAttention PReLU RReLU ReLU ReLU6 SELU SiLU Sigmoid Softmax Softmax2d"
    " Softmin Softplus Softshrink Softsign Tanh Tanhshrink Threshold",
    "adaptive": "AdaptiveLogSoftmaxWithLoss",
    "batchnorm": "BatchNorm1d BatchNorm2d BatchNorm3d LazyBatchNorm1d LazyBatchNorm2d"
    " LazyBatchNorm3d SyncBatchNorm",
    "channelshuffle": "ChannelShuffle",
    "container": "Container ModuleDict ModuleList ParameterDict ParameterList Sequential",
    "conv": "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LazyConv1d"
    " LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d",
    "distance": "CosineSimilarity PairwiseDistance",
    "dropout": "AlphaDropout Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout",
    "flatten": "Flatten Unflatten",
    "fold": "Fold Unfold",
    "instancenorm": "InstanceNorm1d InstanceNorm2d InstanceNorm3d LazyInstanceNorm1d"
    " LazyInstanceNorm2d LazyInstanceNorm3d",
    "linear": "Bilinear Identity LazyLinear Linear",
    "loss": "BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss GaussianNLLLoss"
    " HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss LinearCrossEntropyLoss MSELoss"
    " MarginRankingLoss MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss"
    " NLLLoss2d PoissonNLLLoss SmoothL1Loss SoftMarginLoss TripletMarginLoss"
    " TripletMarginWithDistanceLoss",
    "module": "Module",
    "normalization": "CrossMapLRN2d GroupNorm LayerNorm LocalResponseNorm RMSNorm",
    "padding": "CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d"
    " ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d"
    " ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d",
    "pixelshuffle": "PixelShuffle PixelUnshuffle",
    "pooling": "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d"
    " AdaptiveMaxPool2d AdaptiveMaxPool3d AvgPool1d AvgPool2d AvgPool3d FractionalMaxPool2d"
    " FractionalMaxPool3d LPPool1d LPPool2d LPPool3d MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d"
    " MaxUnpool2d MaxUnpool3d",
    "rnn": "GRU GRUCell LSTM LSTMCell RNN RNNBase RNNCell RNNCellBase",
    "sparse": "Embedding EmbeddingBag",
    "transformer": "Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder"
    " TransformerEncoderLayer",
    "upsampling": "Upsample UpsamplingBilinear2d UpsamplingNearest2d",
}
_NN_HOME_OF = {name: home for home, names in _NN_HOMES.items() for name in names.split()}

_DATA_HOMES = {
    "dataloader": "DataLoader",
    "dataset": "ChainDataset ConcatDataset Dataset IterableDataset StackDataset Subset"
    " TensorDataset",
    "distributed": "DistributedSampler",
    "sampler": "BatchSampler RandomSampler Sampler SequentialSampler SubsetRandomSampler"
    " WeightedRandomSampler",
}
_DATA_HOME_OF = {name: home for home, names in _DATA_HOMES.items() for name in names.split()}

_SINGLE = {
    "Tensor": "torch",
    "Size": "torch",
    "device": "torch",
    "dtype": "torch",
    "Generator": "torch._C",
    "Parameter": "torch.nn.parameter",
    "Buffer": "torch.nn.parameter",
    "UninitializedParameter": "torch.nn.parameter",
    "UninitializedBuffer": "torch.nn.parameter",
}
# Internal packages whose functions are public at the top of the namespace.
_TOP_LEVEL = ("base", "graph", "runtime", "autograd", "operators", "tensors")


def is_ours(module: str) -> bool:
    """Whether a module name belongs to this library."""
    return module == "facula" or module.startswith("facula.")


def is_theirs(module: str) -> bool:
    """Whether a module name in a file is one that facula stands in for."""
    return module.split(".", 1)[0] in ("torch", "torchvision", "facula")


def to_torch(module: str, name: str) -> tuple[str, str]:
    """Return the module and name under which PyTorch knows an object; others come back as given."""
    if not is_ours(module):
        return module, name
    area, _, rest = module.removeprefix("facula").lstrip(".").partition(".")
    outer = name.split(".", 1)[0]
    if outer in _SINGLE:
        home = _SINGLE[outer]
    elif area == "nn" and outer in _NN_HOME_OF and "functional" not in rest:
        home = f"torch.nn.modules.{_NN_HOME_OF[outer]}"
    elif area == "optim" and outer[0].isupper():
        home = _optimizer_home(rest, outer)
    elif module.startswith("facula.utils.data") and outer in _DATA_HOME_OF:
        home = f"torch.utils.data.{_DATA_HOME_OF[outer]}"
    elif rest == "return_types":
        home = "torch.return_types"
    elif area in ("vision", "distributions") and "transform" in rest and "._" in module:
        home = (
            "torchvision.transforms.transforms" if area == "vision" else f"torch.{area}.transforms"
        )
    elif area == "vision":
        home = f"torchvision.{rest}" if rest else "torchvision"
    elif area in _TOP_LEVEL:
        home = "torch"
    else:
        home = "torch" + module.removeprefix("facula")
    return home, name


def _optimizer_home(rest: str, name: str) -> str:
    if name.endswith(("LR", "Scheduler", "Restarts", "Plateau")) and name != "SWALR":
        return "torch.optim.lr_scheduler"
    if name in ("SWALR", "AveragedModel"):
        return "torch.optim.swa_utils"
    return "torch.optim.sparse_adam" if name == "SparseAdam" else f"torch.optim.{name.lower()}"


def find(module: str, name: str) -> Any:
    """Return facula's object for a PyTorch (or facula) name; AttributeError when there is none."""
    if module == "torch._C._nn":  # where PyTorch keeps the compiled part of nn.functional
        module = "torch.nn.functional"
    root, _, rest = module.partition(".")
    path = ["facula", *(["vision"] if root == "torchvision" else []), *rest.split(".")]
    path = [part for part in path if part]
    while path:
        found = _look_up(".".join(path), name)
        if found is not None:
            return found
        path.pop()
    raise AttributeError(
        f"the file refers to {module}.{name}, which facula does not have; load it with PyTorch and "
        "save what you need as a state_dict"
    )


def _look_up(module: str, name: str) -> Any:
    try:
        if importlib.util.find_spec(module) is None:
            return None
    except ModuleNotFoundError:
        return None
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
