"""An LSTM over short sequences."""

from __future__ import annotations

from rows import Row

from families.training import classified, training


def _build(kit):
    t = kit.t
    nn = t.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(64, 128, batch_first=True)
            self.head = nn.Linear(128, 10)

        def forward(self, x):
            out, _ = self.lstm(x)
            return self.head(out[:, -1])

    net = Net()
    optimizer = t.optim.Adam(net.parameters(), lr=0.001)
    batches = classified(t, 4, (16, 50, 64))
    return training(kit, net, nn.CrossEntropyLoss(), optimizer, batches)


# PyTorch's counter does not see into its LSTM: gates of four times 128 from 64 + 128 inputs, 50
# times for 16 sequences, forward and twice as much backward; the gradient of the input is not
# needed.
_FORWARD = 2.0 * 16 * 50 * 512 * (64 + 128)
ROWS = [
    Row(
        "lstm", "LSTM 64-128, length 50, batch 16, Adam", "sequences", _build, goal=2.0,
        capture=True, flops=3 * _FORWARD - 2.0 * 16 * 50 * 512 * 64,
        peer=("lstm", {"lr": 0.001}),
    )
]  # fmt: skip
