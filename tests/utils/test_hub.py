"""Downloads appear whole and checked or not at all; models come from local folders."""

import hashlib
import os

import pytest

import facula as torch
from facula import hub


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "hub"


def test_folder(cache, monkeypatch, tmp_path):
    assert hub.get_dir() == str(cache)
    monkeypatch.setattr(hub, "_folder", None)
    hub.set_dir(tmp_path)
    assert hub.get_dir() == str(tmp_path)
    monkeypatch.setattr(hub, "_folder", None)
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert hub.get_dir() == os.path.join("/c", "torch", "hub")


def test_download(tmp_path, capsys):
    source = tmp_path / "source"
    source.write_bytes(b"abc" * 100_000)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    target = tmp_path / "target"
    with pytest.raises(RuntimeError, match='invalid hash value \\(expected "1234"'):
        hub.download_url_to_file(source.as_uri(), str(target), hash_prefix="1234")
    assert sorted(os.listdir(tmp_path)) == ["source"]
    hub.download_url_to_file(source.as_uri(), str(target), digest[:8], progress=False)
    assert target.read_bytes() == source.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["source", "target"]


def test_weights_are_downloaded_once_and_checked(tmp_path, cache, capsys):
    file = tmp_path / "net.pth"
    torch.save({"w": torch.arange(3)}, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    good = file.rename(tmp_path / f"net-{digest[:8]}.pth")
    url = good.as_uri()
    for _ in range(2):
        state = hub.load_state_dict_from_url(url, check_hash=True, progress=False)
        assert state["w"].tolist() == [0, 1, 2]
    assert capsys.readouterr().err.count("Downloading") == 1
    assert (cache / "checkpoints" / good.name).exists()
    bad = good.rename(tmp_path / "net-00000000.pth")
    with pytest.raises(RuntimeError, match="invalid hash value"):
        hub.load_state_dict_from_url(bad.as_uri(), check_hash=True, progress=False)
    from facula.utils import model_zoo

    assert model_zoo.load_url(bad.as_uri(), progress=False)["w"].tolist() == [0, 1, 2]


def test_load_local(tmp_path):
    (tmp_path / "helper_of_hubconf.py").write_text("SCALE = 3\n")
    (tmp_path / "hubconf.py").write_text(
        "from helper_of_hubconf import SCALE\ndependencies = ['numpy']\n"
        "def net(size, bias=0):\n    return size * SCALE + bias\n"
    )
    assert hub.load(str(tmp_path), "net", 2, bias=1, source="local") == 7
    with pytest.raises(RuntimeError, match="Cannot find callable other in hubconf"):
        hub.load(str(tmp_path), "other", source="local")
    (tmp_path / "hubconf.py").write_text("dependencies = ['no_such_package_x']\n")
    with pytest.raises(RuntimeError, match="Missing dependencies: no_such_package_x"):
        hub.load(str(tmp_path), "net", source="local")
    with pytest.raises(ValueError, match="Unknown source"):
        hub.load("a", "b", source="x")
    with pytest.raises(ValueError, match="source='local'"):
        hub.load("owner/repo", "net")
