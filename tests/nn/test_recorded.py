"""Values recorded from PyTorch 2.13, so that the essentials are checked where it is missing."""

import numpy as np
import pytest

torch = pytest.importorskip("facula")


def test_first_weights_of_seed_0():
    torch.manual_seed(0)
    layer = torch.nn.Linear(2, 2)
    np.testing.assert_array_equal(layer.weight.detach().numpy(), RECORDED["linear.weight"])
    np.testing.assert_array_equal(layer.bias.detach().numpy(), RECORDED["linear.bias"])


def test_first_kernel_of_seed_0():
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(1, 1, 2)
    np.testing.assert_array_equal(layer.weight.detach().numpy().ravel(), RECORDED["conv.weight"])


def test_first_embedding_of_seed_0():
    torch.manual_seed(0)
    layer = torch.nn.Embedding(2, 2, padding_idx=0)
    np.testing.assert_array_equal(layer.weight.detach().numpy(), RECORDED["embedding.weight"])


def test_printed_network():
    nn = torch.nn
    net = nn.Sequential(nn.Conv2d(3, 6, 5, padding=2, bias=False), nn.BatchNorm2d(6), nn.ReLU(True))
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Conv2d(3, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2), bias=False)\n"
        "  (1): BatchNorm2d(6, eps=1e-05, momentum=0.1, affine=True, bias=True, "
        "track_running_stats=True)\n"
        "  (2): ReLU(inplace=True)\n"
        ")"
    )


def test_loading_errors_name_every_key():
    layer = torch.nn.Linear(2, 2)
    with pytest.raises(RuntimeError) as caught:
        layer.load_state_dict({"weight": torch.zeros(3, 2), "zz": torch.zeros(1)})
    assert str(caught.value) == (
        "Error(s) in loading state_dict for Linear:\n"
        '\tMissing key(s) in state_dict: "bias". \n'
        '\tUnexpected key(s) in state_dict: "zz". \n'
        "\tsize mismatch for weight: copying a param with shape torch.Size([3, 2]) from "
        "checkpoint, the shape in current model is torch.Size([2, 2])."
    )


RECORDED = {
    "linear.weight": np.array(
        [[-0.005293981172144413, 0.37932288646698], [-0.5819807648658752, -0.5203874707221985]],
        np.float32,
    ),
    "linear.bias": np.array([-0.27234524488449097, 0.1896158903837204], np.float32),
    "conv.weight": np.array(
        [-0.003743410110473633, 0.26822179555892944, -0.4115225672721863, -0.3679695129394531],
        np.float32,
    ),
    "embedding.weight": np.array(
        [[0.0, 0.0], [-2.1787893772125244, 0.5684312582015991]], np.float32
    ),
}
