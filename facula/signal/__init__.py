"""torch.signal: window functions for signal processing."""

from facula.signal import windows as windows
