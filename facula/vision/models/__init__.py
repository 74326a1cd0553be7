"""torchvision.models: image classification networks with torchvision's state_dict keys."""

from facula.vision.models._api import (
    get_model,
    get_model_builder,
    get_model_weights,
    get_weight,
    list_models,
)
from facula.vision.models.densenet import *
from facula.vision.models.efficientnet import *
from facula.vision.models.inception import *
from facula.vision.models.mobilenetv2 import *
from facula.vision.models.resnet import *
from facula.vision.models.shufflenetv2 import *
from facula.vision.models.squeezenet import *
from facula.vision.models.vgg import *
from facula.vision.models.vision_transformer import *

# Last: these functions take over the names of their modules, as in torchvision.
from facula.vision.models.alexnet import *  # isort: skip
from facula.vision.models.lenet import *  # isort: skip
