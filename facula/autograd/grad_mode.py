"""``torch.autograd.grad_mode``: the gradient modes under the name of their module in PyTorch."""

from facula.autograd.modes import enable_grad as enable_grad
from facula.autograd.modes import inference_mode as inference_mode
from facula.autograd.modes import no_grad as no_grad
from facula.autograd.modes import set_grad_enabled as set_grad_enabled
