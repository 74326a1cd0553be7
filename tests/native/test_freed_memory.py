"""Arrays that are made and freed again and again do not ask the system for memory each time."""

import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import facula
import numpy as np
facula.ones(3).sum().item()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

np.ones(500_000)
before = faults()
for _ in range(50):
    np.ones(500_000)  # 977 pages
assert faults() - before < 2500, faults() - before
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that learns")
def test_memory_is_kept_by_the_process():
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC", "GLIBC"))}
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, env=environment, timeout=120)
