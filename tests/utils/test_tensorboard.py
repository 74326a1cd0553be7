"""The event files hold what was logged, read back record by record."""

import glob
import struct
import sys

import numpy as np
import pytest
from tensorboardX.proto import event_pb2, graph_pb2

import facula as torch
from facula.utils.tensorboard import SummaryWriter


def events(folder):
    """The summaries of all event files of a folder."""
    found = []
    for path in glob.glob(f"{folder}/**/events.*", recursive=True):
        with open(path, "rb") as file:
            while head := file.read(12):
                (length,) = struct.unpack("<Q", head[:8])
                event = event_pb2.Event.FromString(file.read(length))
                file.read(4)
                found += [(event.step, value) for value in event.summary.value]
    return found


def test_values(tmp_path):
    with SummaryWriter(tmp_path / "log") as writer:
        assert writer.log_dir == writer.get_logdir() == str(tmp_path / "log")
        writer.add_scalar("loss", torch.tensor(1.5, requires_grad=True), torch.tensor(3))
        writer.add_scalar("half", torch.tensor([2.5], dtype=torch.bfloat16), 4)
        writer.add_scalars("both", {"a": torch.tensor(1.0), "b": 2.0}, 5)
        writer.add_histogram("weights", torch.arange(10.0), 1)
        writer.add_image("image", torch.rand(3, 4, 5))
        writer.add_images("images", torch.rand(2, 1, 4, 5))
        writer.add_text("text", "hello")
        writer.add_hparams({"lr": torch.tensor(0.5), "opt": "sgd", "on": True}, {"acc": 0.9})
        writer.add_embedding(torch.rand(3, 2), metadata=["a", "b", "c"], global_step=1)
        writer.add_pr_curve("pr", torch.tensor([0, 1]), torch.tensor([0.2, 0.9]))
        writer.add_pr_curve_raw("raw", *torch.ones(6, 3), num_thresholds=3)
        box = torch.tensor([[0, 0, 2, 2]])
        writer.add_image_with_boxes("boxes", torch.zeros(3, 4, 5), box, labels="one")
        writer.add_custom_scalars_marginchart(["a", "b", "c"])
        writer.flush()
    values = {(value.tag, step): value for step, value in events(tmp_path / "log")}
    assert values["loss", 3].simple_value == 1.5
    assert values["half", 4].simple_value == 2.5
    assert {v.simple_value for (tag, _), v in values.items() if tag == "both"} <= {1.0, 2.0}
    assert values["weights", 1].histo.sum == 45
    assert (values["image", 0].image.height, values["image", 0].image.width) == (4, 5)
    tags = {tag for tag, _ in values}
    assert {"acc", "pr", "raw", "images", "boxes", "text/text_summary"} <= tags


def test_figure(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(1, 1))
    pyplot.plot(np.arange(3))
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_figure("curve", figure, 2)
    ((step, value),) = [(s, v) for s, v in events(tmp_path) if v.tag == "curve"]
    assert step == 2 and value.image.width == 100


def test_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match="pip install tensorboardX"):
        SummaryWriter(tmp_path)


def test_graph(tmp_path):
    nn = torch.nn
    net = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.Sequential(nn.ReLU(), nn.Linear(3, 2)))
    state = torch.get_rng_state()
    with SummaryWriter(tmp_path) as writer:
        writer.add_graph(net, torch.ones(2, 4))
    assert net.training and torch.equal(torch.get_rng_state(), state)
    data = next(tmp_path.iterdir()).read_bytes()
    graphs = []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = event_pb2.Event.FromString(data[12 : 12 + length])
        graphs += [event.graph_def] if event.graph_def else []
        data = data[16 + length :]
    nodes = {n.name: n for n in graph_pb2.GraphDef.FromString(graphs[0]).node}
    assert nodes["Sequential/Sequential[2]/ReLU[0]/relu"].input == ["Sequential/Linear[0]/addmm"]
    assert nodes["Sequential/Linear[0]/addmm"].op == "aten::addmm"
    assert "input/input.0" in nodes["Sequential/Linear[0]/addmm"].input
    last = "Sequential/Sequential[2]/Linear[1]"
    assert nodes["output/output.0"].input == [f"{last}/addmm"]
    assert {f"{last}/weight", f"{last}/bias"} <= set(nodes[f"{last}/addmm"].input)
