"""The event files hold what was logged, read back by tensorboardX's own record reader."""

import glob
import io
import struct

import numpy as np
import pytest

import facula as torch
from facula.utils.tensorboard import SummaryWriter
from facula.utils.tensorboard.records import crc32c


def events(folder):
    """The summaries of all event files of a folder."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
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
    pytest.importorskip("tensorboardX")
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
        writer.flush()
    values = {(value.tag, step): value for step, value in events(tmp_path / "log")}
    assert values["loss", 3].simple_value == 1.5
    assert values["half", 4].simple_value == 2.5
    assert {v.simple_value for (tag, _), v in values.items() if tag == "both"} <= {1.0, 2.0}
    assert values["weights", 1].histo.sum == 45
    assert (values["image", 0].image.height, values["image", 0].image.width) == (4, 5)
    tags = {tag for tag, _ in values}
    assert {"acc", "pr", "images", "text/text_summary"} <= tags


def test_figure(tmp_path):
    pytest.importorskip("tensorboardX")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(1, 1))
    pyplot.plot(np.arange(3))
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_figure("curve", figure, 2)
    ((step, value),) = [(s, v) for s, v in events(tmp_path) if v.tag == "curve"]
    assert step == 2 and value.image.width == 100


def test_checksums():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    data = np.random.default_rng(0).bytes(10_007)
    state = 0xFFFFFFFF  # one bit at a time
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    assert crc32c(data) == state ^ 0xFFFFFFFF


def test_records_have_checksums(tmp_path):
    """What a reader checks: length and data are followed by their masked checksums."""
    with SummaryWriter(tmp_path) as writer:
        writer.add_text("text", "x" * 9000)
    (path,) = tmp_path.iterdir()
    data, count = path.read_bytes(), 0
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        for part, at in ((data[:8], 8), (data[12 : 12 + length], 12 + length)):
            crc = crc32c(part)
            masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
            assert struct.unpack("<I", data[at : at + 4]) == (masked,)
        data, count = data[16 + length :], count + 1
    assert count == 2


def test_histogram_buckets(tmp_path):
    values = np.random.default_rng(0).normal(size=1000)
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("h", values, 1)
        writer.add_histogram("edges", np.arange(10), 1, bins=[0, 2, 5, 9])
        with pytest.raises(ValueError, match="no element"):
            writer.add_histogram("none", torch.zeros(0), 1)
    found = {value.tag: value.histo for _, value in events(tmp_path)}
    counted = np.histogram(values, found["h"].bucket_limit)[0]
    assert list(found["h"].bucket)[1:] == counted.tolist() and found["h"].bucket[0] == 0
    assert found["h"].num == 1000 and found["h"].sum_squares == pytest.approx(values @ values)
    assert list(found["edges"].bucket_limit) == [0, 2, 5, 9]
    assert list(found["edges"].bucket) == [0, 2, 3, 5]


def test_images_keep_their_pixels(tmp_path):
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5), dtype=np.uint8)
    with SummaryWriter(tmp_path) as writer:
        writer.add_images("grid", torch.from_numpy(pixels))
        writer.add_image("float", torch.from_numpy(pixels[0]) / 255)
        writer.add_image("flat", pixels[0, 0], dataformats="HW")
        writer.add_video("film", torch.from_numpy(pixels[None]), fps=10)
        writer.add_audio("sound", torch.zeros(1, 100), sample_rate=8000)
        writer.add_image_with_boxes("boxes", pixels[0], torch.tensor([[0, 0, 2, 2]]))
    found = {value.tag: value for _, value in events(tmp_path)}

    def shown(tag):
        return Image.open(io.BytesIO(found[tag].image.encoded_image_string))

    grid = np.concatenate(list(pixels.transpose(0, 2, 3, 1)), 1)
    assert np.array_equal(np.asarray(shown("grid")), grid)
    assert np.array_equal(np.asarray(shown("float")), pixels[0].transpose(1, 2, 0))
    assert np.array_equal(np.asarray(shown("flat")), np.stack([pixels[0, 0]] * 3, -1))
    assert shown("film").n_frames == 2 and found["sound"].audio.length_frames == 100
    assert np.asarray(shown("boxes"))[0, 0].tolist() == [255, 0, 0]


def test_graph(tmp_path):
    graph_pb2 = pytest.importorskip("tensorboardX.proto.graph_pb2")
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
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


def test_writing_goes_on_after_closing(tmp_path):
    writer = SummaryWriter(tmp_path, purge_step=7)
    writer.add_scalar("a", 1.0, 7)
    writer.close()
    writer.add_scalar("a", 2.0, 8, new_style=True)
    writer.flush()
    found = events(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert {step for step, _ in found} == {7, 8}
    assert [v.tensor.float_val[0] for step, v in found if step == 8] == [2.0]
