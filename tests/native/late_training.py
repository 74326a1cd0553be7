"""Random training loops that read, write and share tensors between steps; see test_tails.py.

python -m tests.native.late_training FIRST COUNT
"""

from __future__ import annotations

import copy
import gc
import io
import random
import sys

import numpy as np

import facula as torch
from facula import nn
from facula.runtime import plans
from facula.runtime.recorder import recorder
from tests.native import late_plans

STEPS = 10


class Loop:
    """A network in training, and what is done to it between steps; ``log`` is what was seen."""

    def __init__(self, seed: int, waiting: bool):
        self.choice = random.Random(seed)
        self.waiting = waiting
        self.log: list = []
        self.held: list = []
        torch.manual_seed(seed)
        width = self.choice.choice([24, 40])
        first = self.choice.choice(["linear", "norm", "table"])
        self.memory = np.random.default_rng(seed).standard_normal((8, width)).astype(np.float32)
        if first == "table":
            self.memory = np.arange(8)
        begin = nn.Embedding(20, width) if first == "table" else nn.Linear(width, width)
        middle = nn.BatchNorm1d(width) if first == "norm" else nn.Tanh()
        self.net = nn.Sequential(begin, middle, nn.Dropout(0.2), nn.Linear(width, width))
        self.parameters = list(self.net.parameters())
        kind = self.choice.choice(["SGD", "Adam", "RMSprop"])
        self.optimizer = getattr(torch.optim, kind)(self.parameters, lr=0.01)
        shared = self.choice.random() < 0.5
        self.x = torch.from_numpy(self.memory) if shared else torch.tensor(self.memory)
        self.averages = [p.detach().clone() for p in self.parameters]
        self.step = torch.capture(self.train) if self.choice.random() < 0.4 else self.train

    def train(self, x):
        self.optimizer.zero_grad()
        loss = self.net(x).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss

    def run(self) -> list:
        actions = [getattr(self, name) for name in sorted(dir(Loop)) if name.startswith("do_")]
        for _ in range(STEPS):
            self.loss = self.step(self.x)
            for _ in range(self.choice.choice([0, 1, 3])):
                if self.waiting:
                    recorder.land()
                self.parameter = self.choice.choice(self.parameters)
                self.choice.choice(actions)()
            if self.waiting:
                recorder.land()
        for p in (*self.parameters, *self.averages, *self.held):
            self.see(p)
        return self.log

    def see(self, what) -> None:
        array = what.detach().numpy() if isinstance(what, torch.Tensor) else what
        self.log.append(np.array(array).tobytes())

    def do_read_the_loss(self):
        self.log.append(self.loss.item())

    def do_write_the_input(self):
        self.x[0] = 3

    def do_write_memory_of_the_input(self):
        self.memory[1:4] = self.memory[5:8]

    def do_write_an_element(self):
        self.parameter.data.view(-1)[3] = 0.125

    def do_scale_in_place(self):
        with torch.no_grad():
            self.parameter.mul_(0.9)

    def do_replace_the_data(self):
        if self.step == self.train:  # a captured function notices, and is recorded again
            self.parameter.data = self.parameter.data * 0.9

    def do_look_at_an_array(self):
        self.see(self.parameter)

    def do_hold_an_array(self):
        if self.step == self.train:  # captured functions do not write what NumPy sees
            self.held.append(self.parameter.detach().numpy())
            self.held[-1].reshape(-1)[0] = 0.5

    def do_hold_a_view(self):
        self.held.append(self.parameter.detach().view(-1)[2:9])

    def do_hold_a_copy(self):
        self.held.append(copy.deepcopy(self.parameter))

    def do_let_go(self):
        self.held.clear()
        gc.collect()

    def do_save_and_load(self):
        file = io.BytesIO()
        torch.save([self.net.state_dict(), self.optimizer.state_dict()], file)
        file.seek(0)
        for value in torch.load(file)[0].values():
            self.see(value)
        self.net.load_state_dict(self.net.state_dict())

    def do_average(self):
        with torch.no_grad():
            for average, p in zip(self.averages, self.parameters):
                average.mul_(0.9).add_(p, alpha=0.1)

    def do_read_a_gradient(self):
        if self.parameter.grad is not None:
            self.see(self.parameter.grad)

    def do_add_to_a_gradient(self):
        self.net(self.x).sum().backward()

    def do_evaluate(self):
        self.net.eval()
        with torch.no_grad():
            self.log.append(self.net(self.x).sum().item())
        self.net.train()

    def do_fail(self):
        if self.x.dtype == torch.int64:
            try:
                self.step(self.x + 30)
                raise AssertionError("no error")
            except IndexError:
                self.see(self.parameter)

    def do_forget_programs(self):
        plans.forget()

    def do_other_threads(self):
        torch.set_num_threads(self.choice.choice([1, 2, 3]))

    def do_exchange(self):
        self.see(np.from_dlpack(self.parameter.detach()))


def main() -> None:
    late_plans.install()
    first, count = int(sys.argv[1]), int(sys.argv[2])
    for seed in range(first, first + count):
        late, waited = Loop(seed, False).run(), Loop(seed, True).run()
        assert late == waited, f"loop {seed} differs"
    assert late_plans.found["waited"] > 4 * count
    print("good")


if __name__ == "__main__":
    main()
