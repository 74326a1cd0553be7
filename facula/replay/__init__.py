"""Capturing whole functions and replaying them as one program."""

from facula.replay.capture import Captured as Captured
from facula.replay.capture import capture as capture
from facula.replay.errors import CaptureError as CaptureError
