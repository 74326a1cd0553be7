"""``torch.utils.benchmark``: times statements, with enough repetitions to say something."""

from facula.utils.benchmark.compare import Compare as Compare
from facula.utils.benchmark.timer import Measurement as Measurement
from facula.utils.benchmark.timer import TaskSpec as TaskSpec
from facula.utils.benchmark.timer import Timer as Timer
from facula.utils.benchmark.timer import timer as timer
