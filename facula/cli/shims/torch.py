"""Stands for `torch` in a freshly started child process: turns to facula and steps aside."""

import importlib
import sys

from facula.cli.aliases import install

install()
del sys.modules["torch"]
importlib.import_module("torch")
