"""Training is the same bit for bit on any number of threads and from run to run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("llvmlite")

TRAIN = """
import hashlib, sys
import numpy as np
import facula as torch
from facula import nn
from facula.runtime import plans

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2, 2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2, 2), nn.Flatten(),
    nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
found = hashlib.sha256()
for batch, steps in ((4, 500), (64, 20)):
    images, labels = torch.randn(4 * batch, 3, 32, 32), torch.randint(0, 10, (4 * batch,))
    for step in range(steps):
        at = step % 4 * batch
        optimizer.zero_grad()
        loss = criterion(net(images[at : at + batch]), labels[at : at + batch])
        loss.backward()
        optimizer.step()
        found.update(np.float32(loss.item()).tobytes())
for value in net.state_dict().values():
    found.update(value.numpy().tobytes())
assert any(plan.engine == "native" for plan in plans.known())
assert np.isfinite(loss.item())
print(found.hexdigest())
"""


def train(threads: int, cache: str) -> str:
    """A digest of every loss and of the trained parameters, from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(threads)],
        env={**os.environ, "FACULA_CACHE": cache, "FACULA_ENGINE": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_training_is_bitwise_the_same_everywhere(tmp_path):
    first = train(1, str(tmp_path))  # compiles
    assert list((tmp_path / "code").glob("*.code"))
    assert train(2, str(tmp_path)) == first  # takes what the first one compiled
    assert train(2, "0") == first  # compiles again
    assert train(1, str(tmp_path)) == first
