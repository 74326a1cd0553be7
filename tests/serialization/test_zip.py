"""Checkpoints: both directions with PyTorch, sharing, damage, and atomic writing."""

import argparse
import collections
import datetime
import io
import os
import pathlib
import pickle
import stat
import zipfile

import numpy as np
import pytest

import facula as ft
from facula.serialization import zipformat

DTYPES = [
    *("float32", "float64", "float16", "bfloat16", "complex64", "complex128", "bool"),
    *("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64"),
]


def saved(value, library=ft, **options):
    buffer = io.BytesIO()
    library.save(value, buffer, **options)
    buffer.seek(0)
    return buffer


def numbers(tensor):
    """The tensor's values as a NumPy array (bfloat16 widened, which is exact)."""
    tensor = tensor.detach()
    return np.asarray((tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy())


def same(a, b):
    """Equal values, whichever library the tensors belong to."""
    if hasattr(a, "untyped_storage") or hasattr(a, "requires_grad"):
        facts = [(str(t.dtype), tuple(t.shape), t.stride(), t.requires_grad) for t in (a, b)]
        return facts[0] == facts[1] and np.array_equal(numbers(a), numbers(b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return a == b and type(a) is type(b)


def tensors_of(library):
    """One state with every dtype, views, parameters and nesting, made with either library."""
    base = library.tensor([[0.5, -1, 2], [3, 4, 1e-3]])
    rows = np.array([[0, 1, 2], [3, 4, 5]])
    parameter = library.nn.Parameter(library.tensor([1.5, 2]))
    frozen = library.nn.Parameter(library.tensor([1.0]), requires_grad=False)
    leaf = library.tensor([1.0])
    leaf.requires_grad_(True)
    return {
        "dtypes": {
            d: library.tensor((rows % 2 if d == "bool" else rows).tolist()).to(getattr(library, d))
            for d in DTYPES
        },
        "views": [base, base[1:, ::2], base.t(), base[0, 1], base[2:]],
        "parameters": collections.OrderedDict(weight=parameter, frozen=frozen, tied=parameter),
        "leaf": leaf,
        "empty": [library.tensor([]), library.zeros(0, 3)],
        "plain": [1, 2.5, None, True, "é", (1,), {2}, b"z\xff", 1j, 2**80, -1],
        "counter": collections.Counter("aab"),
    }


PLAIN = {
    "defaultdict": collections.defaultdict(list, a=[1]),
    "slice": slice(1, None, 2),
    "array": np.arange(6.0).reshape(2, 3).T,
    "scalar": np.float32(2.5),
    "dtype": np.dtype(">i2"),
    "strings": np.array(["ab", "c"]),
    "dates": np.array(["2020-01-01"], "M8[D]"),
    "namespace": argparse.Namespace(a=1, b=[2]),
    "path": pathlib.Path("a") / "b",
    "time": datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc),
    "span": datetime.timedelta(1),
    "frozenset": frozenset([1]),
    "bytearray": bytearray(b"q"),
    "range": range(3),
    "deque": collections.deque([1, 2], 5),
}


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_round_trip(protocol, weights_only):
    state = {**tensors_of(ft), **PLAIN}
    again = ft.load(saved(state, pickle_protocol=protocol), weights_only=weights_only)
    assert same(state, again)
    assert again["parameters"]["weight"] is again["parameters"]["tied"]
    assert isinstance(again["parameters"]["weight"], ft.nn.Parameter)


def test_round_trip_of_the_old_format():
    state = tensors_of(ft)
    for name in ("uint16", "uint32", "uint64"):
        del state["dtypes"][name]
    buffer = saved(state, _use_new_zipfile_serialization=False)
    assert buffer.getvalue()[:2] != b"PK"
    assert same(state, ft.load(buffer))


@pytest.mark.parametrize("weights_only", [True, False])
def test_pytorch_loads_our_files(weights_only):
    torch = pytest.importorskip("torch")
    again = torch.load(saved(tensors_of(ft)), weights_only=weights_only)
    assert same(tensors_of(torch), again)
    assert type(again["parameters"]["weight"]) is torch.nn.Parameter


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_we_load_pytorchs_files(weights_only, zipped):
    torch = pytest.importorskip("torch")
    state = tensors_of(torch)
    buffer = saved(state, torch, _use_new_zipfile_serialization=zipped)
    again = ft.load(buffer, weights_only=weights_only)
    assert same(tensors_of(ft), again)
    assert isinstance(again["parameters"]["weight"], ft.nn.Parameter)


def test_models_and_optimizers_travel_both_ways():
    torch = pytest.importorskip("torch")

    def trained(library):
        model = library.nn.Sequential(
            library.nn.Conv2d(1, 2, 3), library.nn.BatchNorm2d(2), library.nn.Linear(2, 3)
        )
        optimizer = library.optim.Adam(model.parameters(), lr=0.1)
        sum(p.sum() for p in model.parameters()).backward()
        optimizer.step()
        return {"model": model.state_dict(), "optimizer": optimizer.state_dict()}

    for writer, reader in ((torch, ft), (ft, torch)):
        state = trained(writer)
        again = reader.load(saved(state, writer))
        assert same(state, again)
        assert again["model"]._metadata == state["model"]._metadata


def test_whole_modules_travel_both_ways():
    torch = pytest.importorskip("torch")
    for writer, reader in ((torch, ft), (ft, torch)):
        model = writer.nn.Sequential(writer.nn.Linear(3, 4), writer.nn.ReLU()).eval()
        again = reader.load(saved(model, writer), weights_only=False)
        assert isinstance(again, reader.nn.Sequential) and not again.training
        assert repr(again) == repr(model)
        assert same(model.state_dict(), again.state_dict())
        inputs = np.ones((2, 3), np.float32)
        results = [m(lib.from_numpy(inputs)) for m, lib in ((model, writer), (again, reader))]
        np.testing.assert_allclose(numbers(results[0]), numbers(results[1]), rtol=1e-6)


def test_modules_that_hold_functions_travel_both_ways():
    torch = pytest.importorskip("torch")
    for writer, reader in ((torch, ft), (ft, torch)):
        model = writer.nn.TransformerEncoderLayer(4, 2, 8, activation=writer.nn.functional.gelu)
        again = reader.load(saved(model, writer), weights_only=False)
        assert again.activation is reader.nn.functional.gelu
        assert same(model.state_dict(), again.state_dict())


def test_other_values_of_the_library():
    values = [ft.Size([1, 2]), ft.device("cuda:1"), ft.bfloat16, ft.tensor([[1.0, 2]]).max(1)]
    size, device, dtype, result = ft.load(saved(values))
    assert type(size) is ft.Size and size == (1, 2)
    assert device == ft.device("cuda", 1) and dtype is ft.bfloat16
    assert result.indices.tolist() == [1] and type(result) is type(values[3])
    generator = ft.Generator()
    generator.manual_seed(7)
    again = ft.load(saved(generator))
    assert same(again.get_state(), generator.get_state())


def test_attributes_of_tensors_are_kept():
    tensor, parameter = ft.tensor([1.0]), ft.nn.Parameter(ft.tensor([2.0]))
    tensor.note, parameter.note = "a", "b"
    again = ft.load(saved([tensor, parameter]))
    assert [t.note for t in again] == ["a", "b"]


def test_shared_memory_is_stored_once_and_shared_again():
    base = ft.zeros(100)
    buffer = saved([base, base[10:20], base.view(10, 10)])
    names = zipfile.ZipFile(io.BytesIO(buffer.getvalue())).namelist()
    assert [n for n in names if "/data/" in n] == ["archive/data/0"]
    first, part, square = ft.load(buffer)
    part[0] = 7
    square[5, 5] = 8
    assert first[10] == 7 and first[55] == 8


def test_layout_of_the_archive(tmp_path):
    path = tmp_path / "model.pt"
    ft.save({"a": ft.zeros(3), "b": ft.zeros(5)}, path)
    archive = zipfile.ZipFile(path)
    assert archive.testzip() is None
    assert archive.namelist()[0] == "model/data.pkl"
    assert archive.read("model/byteorder") == b"little"
    assert archive.read("model/version") == b"3\n"
    content = path.read_bytes()
    for info in archive.infolist():
        header = content[info.header_offset :]
        start = (
            30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        )
        assert (info.header_offset + start) % 64 == 0
        assert info.compress_type == zipfile.ZIP_STORED


def test_same_content_gives_the_same_bytes():
    assert saved({"a": ft.ones(3)}).getvalue() == saved({"a": ft.ones(3)}).getvalue()


def test_mmap(tmp_path):
    path = tmp_path / "model.pt"
    ft.save({"a": ft.arange(5)}, path)
    loaded = ft.load(path, mmap=True)["a"]
    loaded[0] = 9
    assert ft.load(str(path))["a"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap"):
        ft.load(io.BytesIO(path.read_bytes()), mmap=True)


@pytest.mark.parametrize(
    "map_location",
    [None, "cpu", {"cpu": "cpu"}, {}, lambda storage, place: storage, lambda storage, place: None],
)
def test_map_location(map_location):
    assert ft.load(saved([ft.ones(2)]), map_location)[0].tolist() == [1, 1]
    assert ft.load(saved([ft.ones(2)]), ft.device("cpu"))[0].tolist() == [1, 1]


def from_cuda():
    """A file whose tensor was saved on a GPU."""
    buffer = saved([ft.ones(2)])
    result = io.BytesIO()
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            body = old.read(name)
            if name.endswith("data.pkl"):
                body = body.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
            new.writestr(name, body)
    result.seek(0)
    return result


def test_files_from_a_gpu():
    assert ft.load(from_cuda(), map_location="cpu")[0].tolist() == [1, 1]
    assert ft.load(from_cuda(), map_location={"cuda:0": "cpu"})[0].tolist() == [1, 1]
    seen = []
    ft.load(from_cuda(), lambda storage, place: seen.append(place) or storage)
    assert seen == ["cuda:0"]
    with pytest.raises(RuntimeError, match=r"map_location=torch\.device"):
        ft.load(from_cuda())


def test_every_damaged_byte_is_noticed_and_named():
    state = {"model": {"fc1.weight": ft.arange(6.0).view(2, 3), "fc1.bias": ft.ones(4)}}
    content = saved(state).getvalue()
    for name, values in (("fc1.weight", np.arange(6.0)), ("fc1.bias", np.ones(4))):
        raw = values.astype(np.float32).tobytes()
        at = content.index(raw)
        for place in range(at, at + len(raw)):
            damaged = bytearray(content)
            damaged[place] ^= 0x10
            with pytest.raises(RuntimeError, match=f"record 'data/.*model / {name}"):
                ft.load(io.BytesIO(damaged))
        with pytest.raises(RuntimeError, match=r"record 'data/.' is damaged: checksum"):
            ft.load(io.BytesIO(damaged), weights_only=False)


def test_files_without_checksums():
    ft.serialization.set_crc32_options(False)
    try:
        buffer = saved([ft.ones(2)])
    finally:
        ft.serialization.set_crc32_options(True)
    assert {info.CRC for info in zipfile.ZipFile(buffer).infolist()} == {0}
    buffer.seek(0)
    assert ft.load(buffer)[0].tolist() == [1, 1]


def test_truncated_files():
    content = saved({"a": ft.zeros(1000)}).getvalue()
    for length in (*range(4, 200, 7), *range(200, len(content) - 1, 397), len(content) - 1):
        with pytest.raises(RuntimeError, match="truncated or corrupted"):
            ft.load(io.BytesIO(content[:length]))
    with pytest.raises(EOFError):
        ft.load(io.BytesIO())


def test_truncated_files_of_the_old_format():
    content = saved({"a": ft.zeros(1000)}, _use_new_zipfile_serialization=False).getvalue()
    for length in (20, 100, 300, 1000, len(content) - 1):
        with pytest.raises((RuntimeError, pickle.UnpicklingError)):
            ft.load(io.BytesIO(content[:length]))


def test_not_a_checkpoint(tmp_path):
    with pytest.raises(pickle.UnpicklingError):
        ft.load(io.BytesIO(b"hello world"))
    with pytest.raises(FileNotFoundError):
        ft.load(tmp_path / "absent.pt")
    with pytest.raises(AttributeError, match="seekable"):
        ft.load(3)
    with pytest.raises(AttributeError, match="'write' attribute"):
        ft.save(1, 3)
    with pytest.raises(RuntimeError, match=r"Parent directory .* does not exist"):
        ft.save(1, tmp_path / "absent" / "a.pt")


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.pt"
    ft.save({"epoch": 1}, path)
    before = path.read_bytes()
    with pytest.raises((AttributeError, pickle.PicklingError)):
        ft.save({"epoch": 2, "bad": lambda: 0}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.pt"]


@pytest.mark.skipif(os.name != "posix", reason="permissions and links are Unix's")
def test_permissions_and_links_are_kept(tmp_path):
    path, link = tmp_path / "model.pt", tmp_path / "latest.pt"
    ft.save(1, path)
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    path.chmod(0o640)
    link.symlink_to(path)
    ft.save(2, link)
    assert link.is_symlink() and ft.load(path) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_memory_seen_under_two_dtypes_cannot_be_saved():
    base = ft.zeros(4)
    base.view(ft.int32).fill_(1)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        ft.save([base, base.view(ft.int32)], io.BytesIO())


@pytest.mark.parametrize(("small", "few"), [(200, 3), (200, 1000), (2**32, 3)])
def test_fields_for_huge_archives(monkeypatch, small, few):
    """The 64-bit fields of archives beyond 4 GB, provoked with low limits."""
    monkeypatch.setattr(zipformat, "LIMIT32", small)
    monkeypatch.setattr(zipformat, "LIMIT16", few)
    buffer = saved({"a": ft.arange(300), "b": ft.ones(3)})
    assert zipfile.ZipFile(io.BytesIO(buffer.getvalue())).testzip() is None
    assert ft.load(buffer)["a"].tolist() == list(range(300))
    buffer.seek(0)
    torch = pytest.importorskip("torch")
    assert torch.load(buffer)["a"].tolist() == list(range(300))
