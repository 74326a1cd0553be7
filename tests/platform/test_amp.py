"""autocast and GradScaler, beside PyTorch's."""

import warnings

import pytest

import facula

OPERATIONS = """
torch.nn.functional.linear(x, w)
x @ w.t()
torch.mm(x, w.t())
torch.bmm(x3, x3.transpose(1, 2))
torch.addmm(T([0.0] * 5), x, w.t())
torch.einsum("ij,kj->ik", x, w)
torch.nn.functional.conv2d(image, kernel)
torch.nn.functional.conv1d(x3.transpose(1, 2), kernel[:, :, 0])
torch.nn.functional.scaled_dot_product_attention(x3, x3, x3)
torch.nn.functional.softmax(h, -1)
torch.nn.functional.relu(h)
torch.nn.functional.layer_norm(h, (3,))
torch.nn.functional.cross_entropy(h, torch.zeros(4, dtype=torch.long))
torch.nn.functional.mse_loss(h, h)
torch.nn.functional.binary_cross_entropy_with_logits(h, h.sigmoid())
torch.cat([h, x])
h + x
h.exp()
h.sum()
h.prod()
torch.mv(w, x[0])
torch.nn.functional.linear(x.double(), w.double())
torch.nn.Linear(3, 2)(x)
torch.nn.Conv2d(3, 2, 3)(image)
torch.nn.MultiheadAttention(3, 1)(x3, x3, x3)[0]
""".strip().splitlines()


def _names(lib):
    x = lib.ones(4, 3)
    return {
        "x": x, "w": lib.ones(5, 3, requires_grad=True), "x3": lib.ones(2, 4, 3),
        "image": lib.ones(1, 3, 8, 8), "kernel": lib.ones(2, 3, 3, 3), "h": x.bfloat16(),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("expression", OPERATIONS)
def test_dtypes_inside_autocast(expression, kind):
    torch = pytest.importorskip("torch")
    if kind == "float16" and "cat(" in expression:
        pytest.skip("PyTorch refuses to mix bfloat16 and float32 there")
    found = []
    for lib in (facula, torch):
        with lib.autocast("cpu", dtype=getattr(lib, kind)):
            value = eval(expression, {"torch": lib, "T": lib.tensor, **_names(lib)})
        found.append(str(value.dtype))
    assert found[0] == found[1], expression


def test_autocast_nests_and_ends():
    x = facula.ones(2, 2)
    linear = facula.nn.functional.linear
    with facula.autocast("cpu"):
        assert facula.is_autocast_enabled("cpu")
        assert linear(x, x).dtype is facula.bfloat16
        with facula.autocast("cpu", enabled=False):
            assert linear(x, x).dtype is facula.float32
        assert linear(x, x).dtype is facula.bfloat16
    assert linear(x, x).dtype is facula.float32
    with pytest.raises(ValueError), facula.autocast("cpu"):
        raise ValueError
    assert (x @ x).dtype is facula.float32


def test_gradients_have_the_dtype_of_the_weights():
    w = facula.ones(2, 2, requires_grad=True)
    with facula.autocast("cpu"):
        loss = (facula.ones(2, 2) @ w).float().sum()
    loss.backward()
    assert w.grad.dtype is facula.float32 and w.grad.tolist() == [[2.0, 2.0], [2.0, 2.0]]


def test_autocast_for_missing_devices_warns_and_does_nothing():
    with pytest.warns(UserWarning, match="Disabling"), facula.autocast("cuda"):
        assert (facula.ones(2, 2) @ facula.ones(2, 2)).dtype is facula.float32
    with pytest.warns(UserWarning, match="Disabling"):
        facula.autocast("cpu", dtype=facula.float32)
    with pytest.raises(ValueError):
        facula.autocast(3)


def _scaled_run(lib):
    p = lib.nn.Parameter(lib.ones(2))
    optimizer = lib.optim.SGD([p], lr=1.0)
    scaler = lib.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    seen = []
    for i in range(5):
        optimizer.zero_grad()
        loss = (p * p).sum() * (float("inf") if i == 1 else 1)
        scaler.scale(loss).backward()
        if i == 2:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        seen.append((p.detach().tolist(), scaler.get_scale(), scaler.state_dict()))
    return seen


def test_grad_scaler_grows_backs_off_and_skips():
    torch = pytest.importorskip("torch")
    assert _scaled_run(facula) == _scaled_run(torch)


def test_grad_scaler_errors_and_states():
    scaler = facula.amp.GradScaler("cpu")
    with pytest.raises(AssertionError, match="_scale is None"):
        scaler.update()
    with pytest.raises(RuntimeError, match="state dict is empty"):
        scaler.load_state_dict({})
    with pytest.raises(AssertionError):
        facula.amp.GradScaler("cpu", growth_factor=0.5)
    off = facula.amp.GradScaler("cpu", enabled=False)
    x = facula.ones(1)
    assert off.scale(x) is x and off.state_dict() == {} and off.get_scale() == 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not facula.cuda.amp.GradScaler().is_enabled()


def test_custom_fwd_casts():
    class Double(facula.autograd.Function):
        @staticmethod
        @facula.amp.custom_fwd(device_type="cpu", cast_inputs=facula.float32)
        def forward(ctx, x):
            return x * 2

        @staticmethod
        @facula.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            return g * 2

    with facula.autocast("cpu"):
        assert Double.apply(facula.ones(2).bfloat16()).dtype is facula.float32
