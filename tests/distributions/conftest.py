"""Lets these tests import the helper that compares with PyTorch."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "platform"))
