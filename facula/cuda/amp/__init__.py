"""``torch.cuda.amp``: the old names of mixed precision, which switch themselves off here."""

from facula.cuda.amp import autocast_mode as autocast_mode
from facula.cuda.amp import grad_scaler as grad_scaler
from facula.cuda.amp.autocast_mode import autocast as autocast
from facula.cuda.amp.autocast_mode import custom_bwd as custom_bwd
from facula.cuda.amp.autocast_mode import custom_fwd as custom_fwd
from facula.cuda.amp.grad_scaler import GradScaler as GradScaler
