"""Attention and the Transformer with masks, in training and evaluation."""

import pytest


def padding(torch):
    return torch.tensor([[False, False, True, True], [False, False, False, True]])


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("text", ["", ", norm_first=True", ", activation='gelu', bias=False"])
def test_encoder_with_padding(twin, text, training, grad):
    def scenario(torch):
        nn = torch.nn
        torch.manual_seed(6)
        layer = eval(f"nn.TransformerEncoderLayer(8, 2, 16, batch_first=True{text})", {"nn": nn})
        m = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(8)).train(training)
        x = torch.randn(2, 4, 8)
        with torch.set_grad_enabled(grad):
            return m(x, src_key_padding_mask=padding(torch)), m(x)

    twin(scenario, rtol=1e-4, atol=1e-5)


def test_padding_not_at_the_end_is_kept(twin):
    def scenario(torch):
        nn = torch.nn
        torch.manual_seed(6)
        m = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1).eval()
        mask = torch.tensor([[True, False, False, False], [False, False, False, True]])
        with torch.no_grad():
            return m(torch.randn(2, 4, 8), src_key_padding_mask=mask)

    twin(scenario, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_first", [True, False])
def test_transformer_with_masks(twin, batch_first):
    def scenario(torch):
        nn = torch.nn
        torch.manual_seed(6)
        m = nn.Transformer(8, 2, 2, 2, 16, batch_first=batch_first)
        shape = (2, 4, 8) if batch_first else (4, 2, 8)
        src, tgt = torch.randn(shape), torch.randn(shape)
        causal = m.generate_square_subsequent_mask(4)
        out = m(
            src,
            tgt,
            tgt_mask=causal,
            src_key_padding_mask=padding(torch),
            memory_key_padding_mask=padding(torch),
            tgt_key_padding_mask=torch.zeros(2, 4),
        )
        told = m(src, tgt, tgt_mask=causal, tgt_is_causal=True)
        return causal, out, told

    twin(scenario, rtol=1e-4, atol=1e-5)


def test_attention_masks(twin):
    def scenario(torch):
        nn = torch.nn
        torch.manual_seed(6)
        m = nn.MultiheadAttention(8, 2, batch_first=True)
        x = torch.randn(2, 4, 8)
        causal = torch.ones(4, 4).triu(1) > 0
        return (
            m(x, x, x, attn_mask=causal),
            m(x, x, x, key_padding_mask=padding(torch), average_attn_weights=False),
            m(x, x, x, attn_mask=causal, is_causal=True, need_weights=False),
            m(x[0], x[1], x[1], need_weights=False)[0],
        )

    twin(scenario, rtol=1e-4, atol=1e-5)


def test_gradients(twin):
    def scenario(torch):
        nn = torch.nn
        torch.manual_seed(6)
        m = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0)
        m(torch.randn(3, 2, 8), torch.randn(4, 2, 8)).pow(2).sum().backward()
        return {name: p.grad for name, p in m.named_parameters()}

    twin(scenario, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "call",
    [
        lambda n, z: n.MultiheadAttention(4, 3),
        lambda n, z: n.MultiheadAttention(0, 3),
        lambda n, z: n.TransformerEncoderLayer(4, 2, activation="foo"),
        lambda n, z: n.Transformer(4, 2, 1, 1)(z(3, 2, 4), z(3, 1, 4)),
        lambda n, z: n.Transformer(4, 2, 1, 1)(z(3, 2, 5), z(3, 2, 4)),
    ],
)
def test_errors(twin, call):
    twin(lambda torch: call(torch.nn, torch.zeros))


def test_sdpa_kernel_is_accepted(twin):
    def scenario(torch):
        from importlib import import_module

        attention = import_module(torch.nn.__name__ + ".attention")
        with attention.sdpa_kernel([attention.SDPBackend.MATH]):
            x = torch.ones(1, 1, 2, 2)
            return torch.nn.functional.scaled_dot_product_attention(x, x, x)

    twin(scenario, rtol=1e-6)
