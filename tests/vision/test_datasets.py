"""Datasets: the real files, the published facts about them, folders, downloads, damage."""

import gzip
import hashlib
import http.server
import os
import threading
from urllib.error import URLError

import numpy as np
import pytest
from PIL import Image

from facula import tensors
from facula.base import dtypes
from facula.vision import datasets, transforms
from facula.vision.datasets import utils
from facula.vision.datasets.folder import default_loader, is_image_file

MNIST_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_mnist_is_mnist(real_data):
    data = datasets.MNIST(real_data)
    assert len(data) == 60000 and len(datasets.MNIST(real_data, train=False)) == 10000
    assert data.data.dtype == dtypes.uint8 and tuple(data.data.shape) == (60000, 28, 28)
    assert data.targets.dtype == dtypes.int64
    assert data.targets[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(data.targets.numpy()).tolist() == MNIST_COUNTS
    pixels = data.data.numpy() / 255
    assert round(pixels.mean(), 5) == 0.13066 and round(pixels.std(), 5) == 0.30811
    image, target = data[0]
    assert image.mode == "L" and image.size == (28, 28) and target == 5 and type(target) is int
    assert data.class_to_idx["7 - seven"] == 7
    expected = (
        f"Dataset MNIST\n    Number of datapoints: 60000\n    Root location: {real_data}\n"
        "    Split: Train"
    )
    assert repr(data) == expected
    with pytest.warns(UserWarning, match="renamed targets"):
        assert data.train_labels is data.targets


def test_cifar10_is_cifar10(real_data):
    data = datasets.CIFAR10(str(real_data), transform=transforms.ToTensor())
    assert data.data.shape == (50000, 32, 32, 3) and data.data.dtype == np.uint8
    assert isinstance(data.targets, list)
    assert data.targets[:10] == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert np.bincount(data.targets).tolist() == [5000] * 10
    means = data.data.mean((0, 1, 2)) / 255
    np.testing.assert_allclose(means, [0.49140, 0.48216, 0.44653], atol=5e-6)
    assert data.classes[:3] == ["airplane", "automobile", "bird"]
    assert data.class_to_idx["truck"] == 9
    image, target = data[0]
    assert tuple(image.shape) == (3, 32, 32) and target == 6
    assert repr(data).endswith("    Split: Train\n    StandardTransform\nTransform: ToTensor()")


def test_missing_data_is_said(tmp_path):
    with pytest.raises(RuntimeError, match="You can use download=True"):
        datasets.MNIST(tmp_path)
    with pytest.raises(RuntimeError, match="not found or corrupted"):
        datasets.CIFAR10(tmp_path)
    with pytest.raises(ValueError, match="Unknown value 'digit' for argument split"):
        datasets.EMNIST(tmp_path, "digit")


def _idx(array):
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return head + array.astype(np.uint8).tobytes()


def _write_mnist(folder, kind="MNIST"):
    raw = folder / kind / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    files = {}
    for prefix, count in (("train", 20), ("t10k", 6)):
        files[f"{prefix}-images-idx3-ubyte"] = rng.integers(0, 256, (count, 28, 28))
        files[f"{prefix}-labels-idx1-ubyte"] = rng.integers(0, 10, count)
    for name, array in files.items():
        (raw / name).write_bytes(_idx(array))
    return files


def test_relatives_of_mnist_read_the_same_format(tmp_path):
    files = _write_mnist(tmp_path, "FashionMNIST")
    data = datasets.FashionMNIST(tmp_path, train=False)
    assert np.array_equal(data.data.numpy(), files["t10k-images-idx3-ubyte"])
    assert data.targets.tolist() == files["t10k-labels-idx1-ubyte"].tolist()
    assert data.classes[9] == "Ankle boot"


def test_a_damaged_idx_file_is_named(tmp_path):
    _write_mnist(tmp_path)
    path = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte.*header"):
        datasets.MNIST(tmp_path)


class _Server:
    """A local file server that can break off a transfer and understands Range."""

    def __init__(self, files):
        outer = self
        self.files, self.break_after, self.ranges = files, None, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = outer.files.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                wanted = self.headers.get("Range")
                outer.ranges.append(wanted)
                start = int(wanted[6:-1]) if wanted else 0
                self.send_response(206 if wanted else 200)
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                stop = outer.break_after or len(body)
                self.wfile.write(body[start:stop])

            def log_message(self, *args):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server():
    running = _Server({})
    yield running
    running.close()


def _md5(data):
    return hashlib.md5(data).hexdigest()


def test_a_broken_download_is_resumed(tmp_path, server):
    body = bytes(range(256)) * 40
    server.files["/f.bin"] = body
    server.break_after = 5000
    with pytest.raises(URLError, match="connection closed"):
        utils.download_url(server.url + "f.bin", tmp_path, md5=_md5(body))
    assert not (tmp_path / "f.bin").exists()
    server.break_after = None
    utils.download_url(server.url + "f.bin", tmp_path, md5=_md5(body))
    assert (tmp_path / "f.bin").read_bytes() == body
    assert server.ranges == [None, "bytes=5000-"]
    utils.download_url(server.url + "f.bin", tmp_path, md5=_md5(body))
    assert len(server.ranges) == 2  # nothing is fetched twice


def test_wrong_contents_are_refused_and_deleted(tmp_path, server):
    server.files["/f.bin"] = b"something else"
    with pytest.raises(RuntimeError, match=r"corrupted.*expected md5"):
        utils.download_url(server.url + "f.bin", tmp_path, md5=_md5(b"the file"))
    assert list(tmp_path.iterdir()) == []


def test_mnist_goes_on_to_the_next_mirror(tmp_path, server):
    packed = {}
    source = tmp_path / "source"
    for name, array in _write_mnist(source).items():
        packed[name + ".gz"] = gzip.compress(_idx(array))
    server.files.update({"/" + name: body for name, body in packed.items()})

    class Local(datasets.MNIST):
        mirrors = [server.url + "nowhere/", server.url]
        resources = [(name, _md5(body)) for name, body in packed.items()]

    data = Local(tmp_path, download=True)
    assert len(data) == 20 and data.raw_folder.endswith("Local/raw")

    class Gone(Local):
        mirrors = [server.url + "nowhere/"]

    with pytest.raises(RuntimeError, match=r"404: Not Found[\s\S]*place these files in .*Gone/raw"):
        Gone(tmp_path, download=True)


def test_a_file_that_was_good_is_checked_again_once_it_changed(tmp_path, monkeypatch):
    path, old = tmp_path / "file", 10**9
    path.write_bytes(b"good")
    md5 = hashlib.md5(b"good").hexdigest()
    counted, sums = [], utils.calculate_md5
    monkeypatch.setattr(utils, "calculate_md5", lambda f, **k: counted.append(f) or sums(f, **k))
    monkeypatch.setattr(utils, "_YOUNG_S", 0.0)
    assert all(utils.check_integrity(path, md5) for _ in range(3)) and len(counted) == 1
    assert not utils.check_integrity(path, md5[::-1])
    path.write_bytes(b"evil")
    assert not utils.check_integrity(path, md5)
    os.utime(path, (old, old))  # nothing but the time of a change of the file's data is faked
    assert not utils.check_integrity(path, md5)


def test_a_young_file_is_always_checked(tmp_path, monkeypatch):
    path = tmp_path / "file"
    md5 = hashlib.md5(b"good").hexdigest()
    path.write_bytes(b"good")
    assert utils.check_integrity(path, md5)
    path.write_bytes(b"evil")  # perhaps within one tick of the file system's clock
    assert not utils.check_integrity(path, md5)


def test_all_files_are_checked(tmp_path):
    paths = [tmp_path / str(i) for i in range(9)]
    for path in paths:
        path.write_bytes(path.name.encode())
    files = [(path, hashlib.md5(path.name.encode()).hexdigest()) for path in paths]
    assert utils.check_all(files) and utils.check_all(iter(files)) and utils.check_all([])
    for path in paths:
        path.write_bytes(b"damaged")
        assert not utils.check_all(files)
        path.write_bytes(path.name.encode())
    paths[3].unlink()
    assert not utils.check_all(files)


def test_archives_do_not_leave_their_folder(tmp_path):
    import io
    import tarfile

    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("../escaped.txt")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"hi"))
    (tmp_path / "inside").mkdir()
    with pytest.raises((RuntimeError, tarfile.TarError)):
        utils.extract_archive(path, tmp_path / "inside")
    assert not (tmp_path / "escaped.txt").exists()


def test_a_cifar_file_cannot_run_code(tmp_path):
    import pickle

    from facula.vision.datasets.cifar import _read_pickle

    class Attack:
        def __reduce__(self):
            return os.system, ("true",)

    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps({"data": Attack()}))
    with pytest.raises(pickle.UnpicklingError, match="should not refer to"):
        _read_pickle(path)


def _folder(root):
    for name in ("cat/1.png", "cat/deep/2.JPG", "dog/3.bmp", "dog/notes.txt"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 5), 9).save(path, format="png")
    return root


def test_image_folder(tmp_path):
    data = datasets.ImageFolder(_folder(tmp_path))
    assert data.classes == ["cat", "dog"] and data.class_to_idx == {"cat": 0, "dog": 1}
    assert data.imgs is data.samples and data.targets == [0, 0, 1]
    assert [path.rsplit("/", 1)[1] for path, _ in data.samples] == ["1.png", "2.JPG", "3.bmp"]
    image, target = data[2]
    assert image.mode == "RGB" and image.size == (4, 5) and target == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no valid file for the classes empty"):
        datasets.ImageFolder(tmp_path)
    assert len(datasets.ImageFolder(tmp_path, allow_empty=True)) == 3
    assert is_image_file("a.PNG") and not is_image_file("a.txt")
    assert default_loader(data.samples[0][0]).mode == "RGB"


def test_fake_data_repeats_and_leaves_the_generator_alone():
    data = datasets.FakeData(size=3, image_size=(3, 8, 9))
    tensors.manual_seed(5)
    first = data[2]
    after = tensors.rand(1).item()
    tensors.manual_seed(5)
    assert tensors.rand(1).item() == after
    again = data[2]
    assert np.array_equal(np.asarray(first[0]), np.asarray(again[0])) and first[1] == again[1] == 2
    # Recorded from torchvision 0.28.
    corner = [[247, 26, 6], [233, 8, 14], [180, 44, 219]]
    assert np.asarray(again[0])[0, :3].tolist() == corner
    with pytest.raises(IndexError):
        data[3]
