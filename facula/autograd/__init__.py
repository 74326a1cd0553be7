"""``torch.autograd``: the gradient graph, the backward sweep, custom functions, modes."""

from facula.autograd import functional as functional
from facula.autograd import grad_mode as grad_mode
from facula.autograd import graph as graph
from facula.autograd import profiler as profiler
from facula.autograd.anomaly import detect_anomaly as detect_anomaly
from facula.autograd.anomaly import set_detect_anomaly as set_detect_anomaly
from facula.autograd.function import Function as Function
from facula.autograd.gradcheck import gradcheck as gradcheck
from facula.autograd.gradcheck import gradgradcheck as gradgradcheck
from facula.autograd.modes import enable_grad as enable_grad
from facula.autograd.modes import inference_mode as inference_mode
from facula.autograd.modes import no_grad as no_grad
from facula.autograd.modes import set_grad_enabled as set_grad_enabled
from facula.autograd.public import backward as backward
from facula.autograd.public import grad as grad
