"""Storages, buffers, files and DLPack: memory seen from outside."""

import numpy as np
import pytest

import facula


def test_storage_shares_the_tensor_memory():
    x = facula.arange(6.0).reshape(2, 3)
    storage = x.untyped_storage()
    assert storage.nbytes() == 24 and len(storage) == 24
    assert x[1].untyped_storage().data_ptr() == storage.data_ptr()
    assert facula.ones(2).untyped_storage().data_ptr() != storage.data_ptr()
    x.storage()[0] = 7
    assert x[0, 0].item() == 7
    x[0, 1] = 9
    assert x.storage().tolist() == [7, 9, 2, 3, 4, 5]
    assert x[1].storage().size() == 6 and facula.is_storage(x.storage())


def test_typed_storages():
    assert facula.FloatStorage([1, 2]).tolist() == [1.0, 2.0]
    assert facula.ByteStorage.from_buffer(b"ab").tolist() == [97, 98]
    assert facula.ByteTensor(facula.ByteStorage.from_buffer(b"ab")).tolist() == [97, 98]
    big = facula.ShortStorage.from_buffer(b"\x00\x01", byte_order="big")
    assert big.tolist() == [1]
    assert isinstance(facula.ones(1).storage(), facula.FloatStorage)
    assert not isinstance(facula.ones(1).storage(), facula.LongStorage)


def test_frombuffer_shares_writable_memory():
    data = bytearray(b"abcd")
    x = facula.frombuffer(data, dtype=facula.uint8, offset=1, count=2)
    x[0] = 65
    assert data == b"aAcd" and x.tolist() == [65, 99]
    with pytest.raises(ValueError):
        facula.frombuffer(b"abc", dtype=facula.int16)
    with pytest.raises(ValueError):
        facula.frombuffer(b"", dtype=facula.uint8)


def test_from_file(tmp_path):
    path = tmp_path / "numbers"
    np.arange(4, dtype=np.float32).tofile(path)
    private = facula.from_file(str(path), size=4)
    private[0] = 5
    assert np.fromfile(path, np.float32)[0] == 0
    shared = facula.from_file(str(path), shared=True, size=4)
    shared[0] = 9
    assert np.fromfile(path, np.float32)[0] == 9


def test_dlpack_shares_both_ways():
    array = np.arange(3.0)
    x = facula.from_dlpack(array)
    x[0] = 5
    assert array[0] == 5
    y = facula.arange(3.0)
    assert np.from_dlpack(y).tolist() == [0, 1, 2]
    capsule = facula.to_dlpack(y)
    assert facula.from_dlpack(capsule).tolist() == [0, 1, 2]
    with pytest.raises(BufferError):
        facula.ones(1, requires_grad=True).__dlpack__()


def test_dlpack_with_pytorch():
    torch = pytest.importorskip("torch")
    ours = facula.arange(3.0)
    theirs = torch.from_dlpack(ours)
    theirs[1] = 8
    assert ours.tolist() == [0, 8, 2]
    assert facula.from_dlpack(torch.arange(3)).tolist() == [0, 1, 2]
