"""Every layer against PyTorch: printed form, first weights, state_dict, outputs, gradients."""

import warnings

import pytest

# (constructor, shapes of the inputs); "i" marks class numbers, "p" probabilities
F32 = [
    ("Linear(4, 3)", [(2, 4)]),
    ("Linear(4, 3, bias=False)", [(2, 5, 4)]),
    ("Bilinear(3, 4, 2)", [(5, 3), (5, 4)]),
    ("Identity(3, a=2)", [(2, 2)]),
    ("Conv1d(2, 4, 3)", [(2, 2, 7)]),
    ("Conv1d(2, 4, 3, padding='same', padding_mode='circular')", [(2, 2, 7)]),
    ("Conv2d(2, 4, 3, stride=2, padding=1, dilation=2, groups=2, bias=False)", [(2, 2, 9, 8)]),
    ("Conv2d(2, 4, (3, 1), padding='same')", [(2, 2, 5, 6)]),
    ("Conv2d(2, 4, (2, 4), padding='same', padding_mode='reflect')", [(2, 2, 6, 6)]),
    ("Conv2d(2, 4, 3, padding=(1, 2), padding_mode='replicate')", [(2, 5, 6)]),
    ("Conv3d(2, 4, 3, padding=(1, 2, 3))", [(1, 2, 4, 4, 4)]),
    ("ConvTranspose1d(2, 4, 3, stride=2)", [(2, 2, 5)]),
    ("ConvTranspose2d(4, 2, 3, stride=2, output_padding=1, dilation=2, groups=2)", [(1, 4, 4, 4)]),
    ("ConvTranspose3d(2, 2, 2, stride=2, bias=False)", [(1, 2, 3, 3, 3)]),
    ("MaxPool1d(2)", [(2, 3, 8)]),
    ("MaxPool2d(3, stride=2, padding=1, ceil_mode=True)", [(2, 3, 8, 7)]),
    ("MaxPool2d(2, return_indices=True)", [(2, 3, 8, 7)]),
    ("MaxPool3d((2, 1, 1), stride=1)", [(1, 2, 4, 4, 4)]),
    ("AvgPool1d(2)", [(2, 3, 8)]),
    ("AvgPool2d(3, stride=2, padding=1, count_include_pad=False)", [(2, 3, 8, 7)]),
    ("AvgPool2d(2, divisor_override=3)", [(2, 3, 8, 7)]),
    ("AvgPool3d(2)", [(1, 2, 4, 4, 4)]),
    ("LPPool1d(2, 3)", [(2, 3, 8)]),
    ("LPPool2d(2, 3)", [(2, 3, 8, 8)]),
    ("AdaptiveAvgPool1d(3)", [(2, 3, 8)]),
    ("AdaptiveAvgPool2d((1, None))", [(2, 3, 8, 7)]),
    ("AdaptiveAvgPool2d(3)", [(2, 3, 8, 7)]),
    ("AdaptiveAvgPool3d(2)", [(1, 2, 4, 5, 4)]),
    ("AdaptiveMaxPool1d(3)", [(2, 3, 8)]),
    ("AdaptiveMaxPool2d((3, 2))", [(2, 3, 8, 7)]),
    ("AdaptiveMaxPool3d(2)", [(1, 2, 4, 5, 4)]),
    ("BatchNorm1d(3)", [(4, 3)]),
    ("BatchNorm1d(3, momentum=None)", [(4, 3, 5)]),
    ("BatchNorm2d(3)", [(4, 3, 5, 5)]),
    ("BatchNorm2d(3, affine=False, track_running_stats=False)", [(4, 3, 5, 5)]),
    ("BatchNorm2d(3, bias=False)", [(4, 3, 5, 5)]),
    ("BatchNorm3d(2, eps=1e-3)", [(2, 2, 3, 3, 3)]),
    ("InstanceNorm1d(3)", [(4, 3, 5)]),
    ("InstanceNorm2d(3, affine=True, track_running_stats=True)", [(4, 3, 5, 5)]),
    ("InstanceNorm3d(2)", [(2, 3, 3, 3)]),
    ("LayerNorm(4)", [(2, 3, 4)]),
    ("LayerNorm((3, 4), bias=False)", [(2, 3, 4)]),
    ("LayerNorm(4, elementwise_affine=False)", [(2, 3, 4)]),
    ("GroupNorm(2, 4)", [(2, 4, 5)]),
    ("GroupNorm(2, 4, affine=False)", [(2, 4, 5)]),
    ("RMSNorm(4)", [(2, 3, 4)]),
    ("LocalResponseNorm(2)", [(2, 4, 5, 5)]),
    *[
        (f"{name}", [(3, 4)])
        for name in (
            "ReLU()", "ReLU(True)", "ReLU6()", "ELU()", "ELU(0.5, True)", "SELU()", "CELU(2.0)",
            "GELU()", "GELU('tanh')", "Mish()", "SiLU()", "Softmax(1)", "LogSoftmax(dim=0)",
            "Softmin(1)", "Softplus()", "Softplus(2, 1)", "Softshrink()", "Softsign()", "Tanh()",
            "Tanhshrink()", "Threshold(0.1, 2.0)", "GLU()", "Hardshrink()", "Hardsigmoid()",
            "Hardswish()", "Hardtanh()", "Hardtanh(-0.3, 0.2)", "LeakyReLU(0.2)", "LogSigmoid()",
            "PReLU()", "PReLU(4)", "Sigmoid()", "RReLU()", "Dropout(0.3)", "Dropout(0.3, True)",
            "AlphaDropout(0.3)",
        )
    ],
    ("Softmax2d()", [(2, 3, 4, 4)]),
    ("Dropout1d(0.5)", [(3, 4, 5)]),
    ("Dropout2d(0.5)", [(3, 4, 5, 5)]),
    ("Dropout3d(0.5)", [(3, 4, 2, 2, 2)]),
    ("FeatureAlphaDropout(0.5)", [(3, 4, 5)]),
    ("Embedding(5, 3)", ["i(4, 2)5"]),
    ("Embedding(5, 3, padding_idx=-2)", ["i(4, 2)5"]),
    ("Embedding(5, 3, max_norm=1.0)", ["i(4, 2)5"]),
    ("EmbeddingBag(5, 3, mode='sum')", ["i(4, 2)5"]),
    ("EmbeddingBag(5, 3, padding_idx=2)", ["i(4, 2)5"]),
    ("ReflectionPad1d(2)", [(2, 3, 5)]),
    ("ReflectionPad2d((1, 2, 0, 1))", [(2, 3, 5, 5)]),
    ("ReplicationPad2d(1)", [(2, 3, 5, 5)]),
    ("ReplicationPad3d(1)", [(1, 2, 3, 3, 3)]),
    ("ConstantPad1d(2, 1.5)", [(2, 3, 5)]),
    ("ConstantPad2d((1, -1, 2, 0), 2.5)", [(2, 3, 5, 5)]),
    ("ZeroPad2d(1)", [(2, 3, 5, 5)]),
    ("CircularPad2d((1, 2, 3, 0))", [(2, 3, 5, 5)]),
    ("Flatten()", [(2, 3, 4)]),
    ("Flatten(0, 1)", [(2, 3, 4)]),
    ("Unflatten(1, (2, 3))", [(2, 6)]),
    ("Fold(4, 2)", [(1, 8, 9)]),
    ("Unfold((2, 3), padding=1)", [(1, 2, 5, 5)]),
    ("PixelShuffle(2)", [(1, 8, 3, 3)]),
    ("PixelUnshuffle(2)", [(1, 2, 6, 6)]),
    ("ChannelShuffle(2)", [(1, 4, 3, 3)]),
    ("Upsample(scale_factor=2)", [(1, 2, 3, 3)]),
    ("Upsample(size=(5, 4), mode='bilinear', align_corners=True)", [(1, 2, 3, 3)]),
    ("Upsample(scale_factor=(1.5, 2), mode='bilinear')", [(1, 2, 4, 3)]),
    ("UpsamplingNearest2d(scale_factor=2)", [(1, 2, 3, 3)]),
    ("UpsamplingBilinear2d(size=5)", [(1, 2, 3, 3)]),
    ("CosineSimilarity()", [(3, 4), (3, 4)]),
    ("PairwiseDistance(keepdim=True)", [(3, 4), (3, 4)]),
    ("MSELoss()", [(3, 4), (3, 4)]),
    ("MSELoss(reduction='sum')", [(3, 4), (3, 4)]),
    ("L1Loss(reduction='none')", [(3, 4), (3, 4)]),
    ("SmoothL1Loss(beta=0.5)", [(3, 4), (3, 4)]),
    ("HuberLoss(delta=0.5)", [(3, 4), (3, 4)]),
    ("NLLLoss()", [(3, 4), "i(3,)4"]),
    ("NLLLoss(ignore_index=1, reduction='sum')", [(3, 4, 2), "i(3, 2)4"]),
    ("CrossEntropyLoss()", [(3, 4), "i(3,)4"]),
    ("CrossEntropyLoss(label_smoothing=0.1)", [(3, 4), "i(3,)4"]),
    ("CrossEntropyLoss(reduction='none')", [(3, 4), "p(3, 4)"]),
    ("BCELoss()", ["p(3, 4)", "p(3, 4)"]),
    ("BCEWithLogitsLoss()", [(3, 4), "p(3, 4)"]),
    ("KLDivLoss(reduction='batchmean')", [(3, 4), "p(3, 4)"]),
    ("PoissonNLLLoss(full=True)", [(3, 4), "p(3, 4)"]),
    ("GaussianNLLLoss()", [(3, 4), (3, 4), "p(3, 4)"]),
    ("HingeEmbeddingLoss()", [(3, 4), "s(3, 4)"]),
    ("CosineEmbeddingLoss(margin=0.1)", [(3, 4), (3, 4), "s(3,)"]),
    ("MarginRankingLoss(margin=0.1)", [(3,), (3,), "s(3,)"]),
    ("SoftMarginLoss()", [(3, 4), "s(3, 4)"]),
    ("MultiLabelSoftMarginLoss()", [(3, 4), "p(3, 4)"]),
    ("MultiMarginLoss(p=2)", [(3, 4), "i(3,)4"]),
    ("TripletMarginLoss()", [(3, 4), (3, 4), (3, 4)]),
    ("TripletMarginWithDistanceLoss()", [(3, 4), (3, 4), (3, 4)]),
    ("MultiheadAttention(4, 2)", [(3, 2, 4), (5, 2, 4), (5, 2, 4)]),
    (
        "MultiheadAttention(4, 2, kdim=3, vdim=5, add_bias_kv=True, batch_first=True)",
        [(2, 3, 4), (2, 5, 3), (2, 5, 5)],
    ),
    ("MultiheadAttention(4, 2, bias=False, add_zero_attn=True, dropout=0.2)", [(3, 4)] * 3),
    ("TransformerEncoderLayer(4, 2, 8)", [(3, 2, 4)]),
    ("TransformerEncoderLayer(4, 2, 8, norm_first=True, activation='gelu')", [(3, 2, 4)]),
    ("TransformerDecoderLayer(4, 2, 8, batch_first=True)", [(2, 3, 4), (2, 5, 4)]),
    ("Transformer(4, 2, 1, 2, 8)", [(3, 2, 4), (4, 2, 4)]),
    ("RNN(3, 4)", [(5, 2, 3)]),
    ("RNN(3, 4, nonlinearity='relu', num_layers=2, bidirectional=True)", [(5, 2, 3)]),
    ("GRU(3, 4, 2, bidirectional=True)", [(5, 2, 3)]),
    ("GRU(3, 4, bias=False)", [(5, 3)]),
    ("LSTM(3, 4)", [(5, 2, 3)]),
    ("LSTM(3, 4, 2, batch_first=True, bidirectional=True, proj_size=2)", [(2, 5, 3)]),
    ("LSTM(3, 4, 3, dropout=0.4)", [(5, 2, 3)]),
    ("RNNCell(3, 4)", [(2, 3)]),
    ("RNNCell(3, 4, bias=False, nonlinearity='relu')", [(3,)]),
    ("LSTMCell(3, 4)", [(2, 3)]),
    ("GRUCell(3, 4)", [(2, 3)]),
]  # fmt: skip


def make_inputs(torch, wanted, requires_grad):
    """Random inputs of the shapes asked for; integers, probabilities and signs by prefix."""
    made = []
    for what in wanted:
        if isinstance(what, tuple):
            made.append(torch.randn(what).requires_grad_(requires_grad))
            continue
        shape = eval(what[1 : what.index(")") + 1])
        if what[0] == "i":
            made.append(torch.randint(0, int(what[what.index(")") + 1 :]), shape))
        elif what[0] == "p":
            made.append(torch.rand(shape) * 0.8 + 0.1)
        else:
            made.append(torch.randint(0, 2, shape) * 2 - 1)
    return made


def flat(value, torch):
    """The tensors in a nested output, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (tuple, list)):
        return [t for item in value for t in flat(item, torch)]
    return []


def build(torch, text):
    """The layer of a constructor text, with PyTorch's warnings silenced."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval("torch.nn." + text, {"torch": torch})


@pytest.mark.parametrize("text,_", F32, ids=[text for text, _ in F32])
def test_construction(twin, text, _):
    def scenario(torch):
        torch.manual_seed(7)
        layer = build(torch, text)
        after = torch.rand(3)  # the stream stands where PyTorch's stands
        return repr(layer), layer.state_dict(), after

    twin(scenario)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("text,inputs", F32, ids=[text for text, _ in F32])
def test_outputs_and_gradients(twin, text, inputs, training):
    def scenario(torch):
        torch.manual_seed(7)
        layer = build(torch, text).train(training)
        # an in-place layer may not change a leaf that requires gradients
        values = make_inputs(
            torch, inputs, requires_grad=", True" not in text and "(True)" not in text
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = layer(*values)
        outputs = flat(out, torch)
        real = [t for t in outputs if t.is_floating_point() and t.requires_grad]
        if real:
            weights = [torch.randn(t.shape) for t in real]
            sum((t * w).sum() for t, w in zip(real, weights)).backward()
        grads = [v.grad for v in values] + [p.grad for p in layer.parameters()]
        return outputs, grads, layer.state_dict()

    twin(scenario, rtol=2e-4, atol=2e-5)


def test_half_precision_and_double_layers(twin):
    def scenario(torch):
        torch.manual_seed(1)
        layers = [
            torch.nn.Linear(3, 4, dtype=torch.float64),
            torch.nn.Conv2d(1, 2, 3, dtype=torch.float64),
            torch.nn.Embedding(4, 3, dtype=torch.float64),
            torch.nn.LSTM(2, 3, dtype=torch.float64),
        ]
        return [layer.state_dict() for layer in layers]

    twin(scenario)
