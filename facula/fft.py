"""torch.fft: discrete Fourier transforms under the names of ``torch.fft``."""

from facula.operators.fourier import fft_fft as fft
from facula.operators.fourier import fft_fft2 as fft2
from facula.operators.fourier import fft_fftfreq as fftfreq
from facula.operators.fourier import fft_fftn as fftn
from facula.operators.fourier import fft_fftshift as fftshift
from facula.operators.fourier import fft_hfft as hfft
from facula.operators.fourier import fft_hfft2 as hfft2
from facula.operators.fourier import fft_hfftn as hfftn
from facula.operators.fourier import fft_ifft as ifft
from facula.operators.fourier import fft_ifft2 as ifft2
from facula.operators.fourier import fft_ifftn as ifftn
from facula.operators.fourier import fft_ifftshift as ifftshift
from facula.operators.fourier import fft_ihfft as ihfft
from facula.operators.fourier import fft_ihfft2 as ihfft2
from facula.operators.fourier import fft_ihfftn as ihfftn
from facula.operators.fourier import fft_irfft as irfft
from facula.operators.fourier import fft_irfft2 as irfft2
from facula.operators.fourier import fft_irfftn as irfftn
from facula.operators.fourier import fft_rfft as rfft
from facula.operators.fourier import fft_rfft2 as rfft2
from facula.operators.fourier import fft_rfftfreq as rfftfreq
from facula.operators.fourier import fft_rfftn as rfftn
from facula.operators.namespaces import with_spellings

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2",
    "ifftn", "ifftshift", "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft",
    "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

with_spellings(globals(), plain=("fftshift", "ifftshift"))
