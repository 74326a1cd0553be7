"""torchvision.ops: boxes, detection losses and building blocks of networks."""

from facula.vision.ops import boxes, losses, misc
from facula.vision.ops.boxes import *
from facula.vision.ops.losses import *
from facula.vision.ops.misc import *
from facula.vision.ops.stochastic_depth import *
