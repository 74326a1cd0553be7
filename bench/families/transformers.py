"""A small GPT: token and position embeddings, pre-norm blocks with causal attention."""

from __future__ import annotations

from rows import Row

from families.training import training

WIDTH, HEADS, LENGTH, WORDS, BATCH = 128, 4, 64, 65, 8


def gpt(t, layers: int = 2):
    nn, F = t.nn, t.nn.functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1 = nn.LayerNorm(WIDTH)
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
            self.out = nn.Linear(WIDTH, WIDTH)
            self.norm2 = nn.LayerNorm(WIDTH)
            self.up = nn.Linear(WIDTH, 4 * WIDTH)
            self.down = nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x):
            batch, length, _ = x.shape
            parts = self.qkv(self.norm1(x)).split(WIDTH, dim=2)
            q, k, v = (
                part.view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2) for part in parts
            )
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, WIDTH))
            return x + self.down(F.gelu(self.up(self.norm2(x))))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(WORDS, WIDTH)
            self.places = nn.Embedding(LENGTH, WIDTH)
            self.blocks = nn.Sequential(*[Block() for _ in range(layers)])
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, WORDS, bias=False)

        def forward(self, x):
            x = self.words(x) + self.places(t.arange(x.shape[1]))
            return self.head(self.norm(self.blocks(x)))

    return GPT()


def _build(kit):
    t = kit.t
    net = gpt(t)
    optimizer = t.optim.AdamW(net.parameters(), lr=3e-4)
    texts = [t.randint(0, WORDS, (BATCH, LENGTH + 1)) for _ in range(4)]
    batches = [(text[:, :-1].contiguous(), text[:, 1:].contiguous()) for text in texts]

    def criterion(scores, targets):
        return t.nn.functional.cross_entropy(scores.view(-1, WORDS), targets.view(-1))

    return training(kit, net, criterion, optimizer, batches)


ROWS = [
    Row(
        "gpt", "GPT, 2 layers (width 128, 4 heads, length 64, batch 8), AdamW", "sequences",
        _build, goal=2.0, capture=True, compiled=True,
        peer=("gpt", {"layers": 2, "heads": HEADS, "lr": 3e-4, "decay": 0.01}),
    )
]  # fmt: skip
