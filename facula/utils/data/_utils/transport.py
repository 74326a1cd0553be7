"""Transport: batches through a pipe, with tensors as NumPy arrays and arrays outside the pickle.

Why pipes: they need no shared-memory segment that a container may keep too small, that a killed
worker may leave behind, or that ends a process with a bus error when it is full.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

from facula import tensors
from facula.tensors import Tensor

# Below this many bytes a separate read costs more than copying inside the pickle.
_OUT_OF_BAND = 2048
_PIPE_BYTES = 1 << 20
_HEAD = struct.Struct("<QQ")


class Message:
    """One object ready to be sent: its pickle and the array buffers beside it.

    `ours` says that nobody else knows the arrays, so they need not be copied.
    """

    def __init__(self, obj: Any, ours: bool = False) -> None:
        self.buffers: list[memoryview] = []
        stream = io.BytesIO()
        _Pickler(stream, self.buffers, ours).dump(obj)
        self.pickle = stream.getbuffer()

    def send(self, pipe: Connection) -> None:
        """Writes the message; blocks while the pipe is full."""
        sizes = np.array([view.nbytes for view in self.buffers], dtype="<u8").tobytes()
        head = _HEAD.pack(len(self.pickle), len(self.buffers))
        if os.name == "nt":
            pipe.send_bytes(head + sizes)
            for part in (self.pickle, *self.buffers):
                pipe.send_bytes(part)
            return
        if len(self.pickle) < _OUT_OF_BAND:
            _write(pipe.fileno(), memoryview(head + sizes + self.pickle))
        else:
            _write(pipe.fileno(), memoryview(head + sizes))
            _write(pipe.fileno(), self.pickle)
        for view in self.buffers:
            _write(pipe.fileno(), view)


def send(pipe: Connection, obj: Any) -> None:
    """Sends one object, blocking while the pipe is full."""
    Message(obj).send(pipe)


def receive(pipe: Connection) -> Any:
    """Receives one object; raises EOFError when the other end is gone."""
    if os.name == "nt":
        first = memoryview(pipe.recv_bytes())
        length, count = _HEAD.unpack_from(first)
        sizes = np.frombuffer(first, dtype="<u8", offset=_HEAD.size, count=count)
        body: Any = pipe.recv_bytes()
        views = [np.frombuffer(bytearray(pipe.recv_bytes()), np.uint8) for _ in sizes]
    else:
        fd = pipe.fileno()
        length, count = _HEAD.unpack(_read(fd, _HEAD.size))
        sizes = np.frombuffer(_read(fd, 8 * count), dtype="<u8") if count else ()
        body = _read(fd, length)
        views = [_read(fd, int(size)) for size in sizes]
    return pickle.loads(body, buffers=views)


def widen(pipe: Connection) -> None:
    """Asks for a larger pipe where the system can do that: fewer switches between processes."""
    try:
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        pass  # not Linux, or above the user's limit: only slower


class _Pickler(ForkingPickler):
    """Pickles like multiprocessing does, but tensors as arrays and array bytes out of band."""

    def __init__(self, stream: io.BytesIO, buffers: list[memoryview], ours: bool) -> None:
        def keep_in_band(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes < _OUT_OF_BAND:
                return True
            # User code may reuse its memory while the message waits to be sent.
            buffers.append(raw if ours else memoryview(bytes(raw)))
            return False

        super().__init__(stream, 5, True, keep_in_band)

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is not Tensor:
            return NotImplemented
        if obj.requires_grad and not obj.is_leaf:
            raise RuntimeError(
                "a DataLoader worker cannot send a non-leaf tensor which requires_grad: autograd "
                "does not cross process boundaries; call detach() on it in the dataset or "
                "collate_fn"
            )
        try:
            array = obj.detach().numpy()
        except TypeError:  # a dtype NumPy lacks: the tensor's own pickling
            return NotImplemented
        return _to_tensor, (array, obj.requires_grad)


def _to_tensor(array: np.ndarray, requires_grad: bool) -> Tensor:
    tensor = tensors.from_numpy(array if array.flags.writeable else array.copy())
    return tensor.requires_grad_() if requires_grad else tensor


def _write(fd: int, view: memoryview) -> None:
    while view:
        view = view[os.write(fd, view) :]


def _read(fd: int, size: int) -> np.ndarray:
    data = np.empty(size, np.uint8)
    rest = memoryview(data)
    while rest:
        count = os.readv(fd, [rest])
        if count == 0:
            raise EOFError
        rest = rest[count:]
    return data
