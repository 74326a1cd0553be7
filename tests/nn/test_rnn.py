"""Recurrent layers: packed sequences, states, errors, and the helpers for sequences."""

import pytest

KINDS = ["RNN(3, 4)", "GRU(3, 4, 2, bidirectional=True)", "LSTM(3, 4, 2, bidirectional=True)",
         "LSTM(3, 4, bidirectional=True, proj_size=2)"]  # fmt: skip


def layer(torch, text):
    torch.manual_seed(4)
    return eval("nn." + text, {"nn": torch.nn})


@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("text", KINDS)
def test_packed(twin, text, enforce_sorted):
    def scenario(torch):
        rnn = torch.nn.utils.rnn
        m = layer(torch, text)
        x = torch.randn(5, 3, 3, requires_grad=True)
        lengths = [5, 3, 2] if enforce_sorted else torch.tensor([2, 5, 3])
        packed = rnn.pack_padded_sequence(x, lengths, enforce_sorted=enforce_sorted)
        out, state = m(packed)
        padded, sizes = rnn.pad_packed_sequence(out, padding_value=-1.0)
        states = list(state) if isinstance(state, tuple) else [state]
        (padded.sum() + sum((s * s).sum() for s in states)).backward()
        return padded, sizes, states, x.grad, [p.grad for p in m.parameters()]

    twin(scenario, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", KINDS)
def test_packed_with_initial_state(twin, text):
    def scenario(torch):
        rnn = torch.nn.utils.rnn
        m = layer(torch, text)
        x = [torch.randn(n, 3) for n in (2, 4, 1)]
        packed = rnn.pack_sequence(x, enforce_sorted=False)
        count = m.num_layers * (2 if m.bidirectional else 1)
        h = torch.randn(count, 3, m.proj_size or m.hidden_size)
        hx = (h, torch.randn(count, 3, m.hidden_size)) if m.mode == "LSTM" else h
        out, state = m(packed, hx)
        return out.data, out.batch_sizes, out.sorted_indices, state, rnn.unpack_sequence(out)

    twin(scenario, rtol=1e-4, atol=1e-5)


def test_unbatched_and_batch_first(twin):
    def scenario(torch):
        m = layer(torch, "LSTM(3, 4, 2, batch_first=True)")
        x = torch.randn(6, 3)
        hx = (torch.randn(2, 4), torch.randn(2, 4))
        one = m(x, hx)
        many = m(x.unsqueeze(0), (hx[0].unsqueeze(1), hx[1].unsqueeze(1)))
        return one, many, layer(torch, "GRU(3, 4)")(x, torch.randn(1, 4))

    twin(scenario, rtol=1e-4, atol=1e-5)


def test_dropout_draws_as_pytorch_does(twin):
    def scenario(torch):
        m = layer(torch, "GRU(3, 4, 3, dropout=0.5, batch_first=True)")
        out, state = m(torch.randn(2, 5, 3))
        packed = torch.nn.utils.rnn.pack_padded_sequence(torch.randn(2, 5, 3), [5, 2], True)
        return out, state, m(packed)[0].data, torch.rand(2)

    twin(scenario, rtol=1e-4, atol=1e-5)


def test_weight_lists(twin):
    def scenario(torch):
        m = layer(torch, "LSTM(2, 3, 2, bidirectional=True)")
        m.flatten_parameters()
        return (
            [[tuple(w.shape) for w in group] for group in m.all_weights],
            m._flat_weights_names,
            len(m._flat_weights),
            m.weight_ih_l0.shape,
            m.bias_hh_l1_reverse.shape,
        )

    twin(scenario)


def test_cells_with_states(twin):
    def scenario(torch):
        torch.manual_seed(0)
        nn = torch.nn
        x, h, c = torch.randn(2, 3), torch.randn(2, 4), torch.randn(2, 4)
        return (
            nn.RNNCell(3, 4)(x, h),
            nn.GRUCell(3, 4, bias=False)(x, h),
            nn.LSTMCell(3, 4)(x, (h, c)),
            nn.LSTMCell(3, 4)(x[0], (h[0], c[0])),
            nn.GRUCell(3, 4)(x[0]),
        )

    twin(scenario, rtol=1e-5, atol=1e-6)


WRONG = {
    "dropout": lambda t, z: t.nn.LSTM(2, 3, dropout=2),
    "hidden": lambda t, z: t.nn.LSTM(2, 0),
    "layers": lambda t, z: t.nn.LSTM(2, 3, num_layers=0),
    "projection": lambda t, z: t.nn.LSTM(2, 3, proj_size=3),
    "negative projection": lambda t, z: t.nn.LSTM(2, 3, proj_size=-1),
    "gru projection": lambda t, z: t.nn.GRU(2, 3, proj_size=1),
    "nonlinearity": lambda t, z: t.nn.RNN(2, 3, nonlinearity="foo"),
    "float hidden": lambda t, z: t.nn.LSTM(2, 2.5),
    "keyword": lambda t, z: t.nn.LSTM(2, 3, hidden=4),
    "missing": lambda t, z: t.nn.LSTM(2),
    "mode": lambda t, z: t.nn.RNNBase("FOO", 2, 3),
    "axes": lambda t, z: t.nn.LSTM(2, 3)(z(2)),
    "more axes": lambda t, z: t.nn.GRU(2, 3)(z(5, 4, 2, 3)),
    "input size": lambda t, z: t.nn.LSTM(2, 3)(z(2, 3, 4)),
    "h size": lambda t, z: t.nn.LSTM(2, 3)(z(5, 3, 2), (z(2, 3, 3), z(1, 3, 3))),
    "c size": lambda t, z: t.nn.LSTM(2, 3)(z(5, 3, 2), (z(1, 3, 3), z(1, 3, 4))),
    "batch": lambda t, z: t.nn.GRU(2, 3)(z(5, 3, 2), z(1, 4, 3)),
    "unbatched state": lambda t, z: t.nn.LSTM(2, 3)(z(5, 2), (z(1, 3, 3), z(1, 3, 3))),
    "unbatched gru": lambda t, z: t.nn.GRU(2, 3)(z(5, 2), z(1, 3, 3)),
    "batched gru": lambda t, z: t.nn.GRU(2, 3)(z(5, 4, 2), z(1, 3)),
    "batched lstm": lambda t, z: t.nn.LSTM(2, 3)(z(5, 4, 2), (z(1, 3), z(1, 3))),
    "dtype": lambda t, z: t.nn.GRU(2, 3)(z(5, 4, 2).double()),
    "cell axes": lambda t, z: t.nn.RNNCell(2, 3)(z(1, 1, 1)),
    "cell state axes": lambda t, z: t.nn.RNNCell(2, 3)(z(2, 2), z(1, 1, 1)),
    "cell size": lambda t, z: t.nn.GRUCell(2, 3)(z(2, 1)),
    "cell state": lambda t, z: t.nn.GRUCell(2, 3)(z(2, 2), z(2, 4)),
    "cell batch": lambda t, z: t.nn.LSTMCell(2, 3)(z(2, 2), (z(3, 3), z(3, 3))),
    "cell kind": lambda t, z: t.nn.RNNCell(2, 3, nonlinearity="x")(z(2, 2)),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(twin, name):
    twin(lambda torch: WRONG[name](torch, torch.zeros))


def test_padding_helpers(twin):
    def scenario(torch):
        rnn = torch.nn.utils.rnn
        a, b, c = torch.ones(3, 2), torch.ones(1, 2) * 2, torch.ones(2, 2) * 3
        padded = rnn.pad_sequence([a, b, c], batch_first=True)
        return (
            padded,
            rnn.pad_sequence([a, b, c]),
            rnn.pad_sequence([a, b], padding_value=9.0, padding_side="left"),
            rnn.unpad_sequence(padded, torch.tensor([3, 1, 2]), batch_first=True),
            rnn.pack_sequence([a, c, b]),
            rnn.pad_packed_sequence(rnn.pack_sequence([a, c, b]), total_length=5),
            rnn.pad_packed_sequence(rnn.pack_sequence([b, a], enforce_sorted=False), True),
            rnn.unpack_sequence(rnn.pack_sequence([b, a], enforce_sorted=False)),
            rnn.invert_permutation(torch.tensor([2, 0, 1])),
        )

    twin(scenario)


def test_packed_sequence_object(twin):
    def scenario(torch):
        rnn = torch.nn.utils.rnn
        packed = rnn.pack_sequence([torch.ones(2, 1), torch.ones(1, 1)])
        data, sizes, order, _ = packed
        return (
            repr(packed),
            packed.double().data,
            packed.to(torch.float16).data,
            packed.long().data,
            packed.is_cuda,
            packed.to("cpu") is packed,
            sizes,
            order,
            rnn.PackedSequence(data, sizes) == packed,
        )

    twin(lambda torch: scenario(torch)[:-1])


@pytest.mark.parametrize(
    "call",
    [
        lambda r, t: r.pack_padded_sequence(t.ones(3, 2), [1, 3]),
        lambda r, t: r.pack_padded_sequence(t.ones(3, 2), [3, 0]),
        lambda r, t: r.pack_padded_sequence(t.ones(3, 2), [3]),
        lambda r, t: r.pad_packed_sequence(r.pack_sequence([t.ones(3, 1)]), total_length=2),
        lambda r, t: r.pad_sequence([]),
    ],
)
def test_helper_errors(twin, call):
    twin(lambda torch: call(torch.nn.utils.rnn, torch), message=False)
