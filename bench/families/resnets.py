"""Convolutional networks: ResNet-18 and -34 for small and large images, MobileNet v2."""

from __future__ import annotations

from rows import Row

from families.training import classified, inference, training

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
# Expansion, channels, blocks, stride of the first: the table of the MobileNet v2 paper.
INVERTED = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


def resnet(t, depth: int, small: bool, classes: int):
    """A residual network; ``small`` is the variant for 32-pixel images (3x3 stem, no pooling)."""
    nn, F = t.nn, t.nn.functional

    class Block(nn.Module):
        def __init__(self, before, channels, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)
            self.shortcut = nn.Sequential()
            if stride != 1 or before != channels:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
                )

        def forward(self, x):
            out = F.relu(self.bn1(self.conv1(x)))
            out = self.bn2(self.conv2(out))
            out += self.shortcut(x)
            return F.relu(out)

    stem = [nn.Conv2d(3, 64, 3, 1, 1, bias=False)] if small else [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False)]  # fmt: skip
    layers = [*stem, nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    layers += [] if small else [nn.MaxPool2d(3, 2, 1)]
    before = 64
    for stage, blocks in enumerate(DEPTHS[depth]):
        for i in range(blocks):
            layers.append(Block(before, 64 << stage, 2 if stage and not i else 1))
            before = 64 << stage
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes)]
    return nn.Sequential(*layers, *head)


def mobilenet(t, classes: int = 1000):
    """MobileNet v2 at width 1, without dropout, whose draws would be part of the result."""
    nn = t.nn

    def unit(before, channels, size=1, stride=1, groups=1, active=True):
        layers = [
            nn.Conv2d(before, channels, size, stride, size // 2, groups=groups, bias=False),
            nn.BatchNorm2d(channels),
        ]
        return [*layers, nn.ReLU6(inplace=True)] if active else layers

    class Inverted(nn.Module):
        def __init__(self, before, channels, stride, expansion):
            super().__init__()
            wide = before * expansion
            self.body = nn.Sequential(
                *(unit(before, wide) if expansion > 1 else []),
                *unit(wide, wide, 3, stride, groups=wide),
                *unit(wide, channels, active=False),
            )
            self.residual = stride == 1 and before == channels

        def forward(self, x):
            return x + self.body(x) if self.residual else self.body(x)

    layers, before = unit(3, 32, 3, 2), 32
    for expansion, channels, blocks, stride in INVERTED:
        for i in range(blocks):
            layers.append(Inverted(before, channels, 1 if i else stride, expansion))
            before = channels
    layers += unit(before, 1280)
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, classes)]
    return nn.Sequential(*layers, *head)


def _row(name, title, network, batch, size, train: bool, peer=None, **options) -> Row:
    classes = 10 if size == 32 else 1000

    def build(kit):
        t = kit.t
        net = network(t, classes)
        batches = classified(t, 2, (batch, 3, size, size), classes)
        if not train:
            return inference(kit, net, batches)
        optimizer = t.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        return training(kit, net, t.nn.CrossEntropyLoss(), optimizer, batches)

    what = "train" if train else "infer"
    return Row(
        f"{name}-{what}",
        f"{title}, {size} px, batch {batch}, {'SGD with momentum' if train else 'inference'}",
        "convolutional networks",
        build,
        peer=("resnet", peer) if peer and train else None,
        checks=2,  # batch norm at a few images amplifies rounding from step to step
        tolerance=5e-3,
        **options,
    )


def _resnet_row(depth: int, small: bool, train: bool, **options) -> Row:
    peer = {"depths": DEPTHS[depth], "small": small, "lr": 0.01, "momentum": 0.9}
    size, batch = (32, 32) if small else (224, 4 if train else 8)
    return _row(
        f"resnet{depth}-{size}",
        f"ResNet-{depth}",
        lambda t, classes: resnet(t, depth, small, classes),
        batch,
        size,
        train,
        peer,
        **options,
    )


ROWS = [
    _resnet_row(34, True, True, goal=1.25, compiled=True, capture=True),
    _resnet_row(34, True, False),
    _resnet_row(18, True, True),
    _resnet_row(18, True, False),
    _resnet_row(34, False, True),
    _resnet_row(34, False, False),
    _resnet_row(18, False, True),
    _resnet_row(18, False, False),
    _row("mobilenet-224", "MobileNet v2", mobilenet, 4, 224, True),
    _row("mobilenet-224", "MobileNet v2", mobilenet, 8, 224, False),
]
