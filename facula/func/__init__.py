"""``torch.func``: functions of functions (gradients, Jacobians, batching) and stateless modules."""

from facula.func.gradients import grad as grad
from facula.func.gradients import grad_and_value as grad_and_value
from facula.func.gradients import hessian as hessian
from facula.func.gradients import jacfwd as jacfwd
from facula.func.gradients import jacrev as jacrev
from facula.func.gradients import jvp as jvp
from facula.func.gradients import vjp as vjp
from facula.func.stateless import stack_module_state as stack_module_state
from facula.func.vmap import vmap as vmap
from facula.nn.utils.stateless import functional_call as functional_call
