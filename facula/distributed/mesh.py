"""Mesh: a TCP connection between every two processes, and messages that never block their sender.

Each connection has a thread that reads messages into a mailbox, so two processes may send to each
other at the same time however large the messages are.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Hashable

from facula.distributed.store import (
    DistBackendError,
    DistNetworkError,
    Store,
    read_exactly,
    seconds,
)

_HEAD = struct.Struct("<iiqq")  # group, kind or tag, number of the operation, bytes that follow
_HELLO = struct.Struct("<16si")
Key = tuple[int, int, int]


class Mesh:
    """Connections of this process (``rank``) to all others."""

    def __init__(self, store: Store | None, rank: int, world_size: int, timeout) -> None:
        self.rank, self.world_size, self.timeout = rank, world_size, seconds(timeout)
        self._sockets: dict[int, socket.socket] = {}
        self._send_locks: dict[int, threading.Lock] = {}
        self._mail: dict[tuple[int, Hashable], deque] = {}
        self._arrived = threading.Condition()
        self._gone: dict[int, str] = {}
        self._closing = False
        if world_size > 1:
            assert store is not None
            self._connect(store)

    def _connect(self, store: Store) -> None:
        if self.rank == 0:
            store.set("mesh/token", os.urandom(16))
        token = store.get("mesh/token")
        listener = socket.create_server(("", 0), backlog=self.world_size)
        address = getattr(store, "local_address", lambda: "127.0.0.1")()
        store.set(f"mesh/{self.rank}", f"{address} {listener.getsockname()[1]}")
        for peer in range(self.rank):
            host, port = store.get(f"mesh/{peer}").decode().split()
            made = socket.create_connection((host, int(port)), timeout=self.timeout)
            made.sendall(_HELLO.pack(token, self.rank))
            self._adopt(peer, made)
        listener.settimeout(self.timeout)
        with listener:
            while len(self._sockets) < self.world_size - 1:
                self._accept(listener, token)
        # The process that keeps the store must not leave before all have found each other.
        if store.add("mesh/connected", 1) == self.world_size:
            store.set("mesh/ready", b"1")
        if self.rank == 0:
            store.get("mesh/ready")

    def _accept(self, listener: socket.socket, token: bytes) -> None:
        try:
            made, _ = listener.accept()
        except TimeoutError:
            missing = sorted(set(range(self.world_size)) - set(self._sockets) - {self.rank})
            raise DistNetworkError(f"rank {self.rank} waited in vain for ranks {missing}") from None
        made.settimeout(30)
        try:
            found, peer = _HELLO.unpack(read_exactly(made, _HELLO.size))
        except (ConnectionError, OSError):
            made.close()
            return
        if found != token:  # a stranger
            made.close()
            return
        self._adopt(peer, made)

    def _adopt(self, peer: int, made: socket.socket) -> None:
        made.settimeout(None)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets[peer] = made
        self._send_locks[peer] = threading.Lock()
        name = f"facula-from-rank-{peer}"
        threading.Thread(target=self._read, args=(peer, made), name=name, daemon=True).start()

    def _read(self, peer: int, connection: socket.socket) -> None:
        reason = "closed the connection"
        try:
            while True:
                group, kind, number, size = _HEAD.unpack(read_exactly(connection, _HEAD.size))
                data = read_exactly(connection, size)
                with self._arrived:
                    box = self._mail.setdefault((peer, (group, kind, number)), deque())
                    box.append(data)
                    self._arrived.notify_all()
        except (ConnectionError, OSError) as error:
            reason = str(error) or reason
        with self._arrived:
            self._gone[peer] = reason
            self._arrived.notify_all()

    def send(self, peer: int, key: Key, data) -> None:
        """Send bytes to a peer; a message to oneself goes straight to the mailbox."""
        view = memoryview(data).cast("B")
        if peer == self.rank:
            with self._arrived:
                self._mail.setdefault((peer, key), deque()).append(bytearray(view))
                self._arrived.notify_all()
            return
        try:
            with self._send_locks[peer]:
                self._sockets[peer].sendall(_HEAD.pack(*key, view.nbytes))
                self._sockets[peer].sendall(view)
        except OSError as error:
            raise DistBackendError(f"rank {self.rank} cannot reach rank {peer}: {error}") from None

    def receive(self, peer: int, key: Key) -> bytearray:
        """The next message of a peer under a key; waits for it."""
        with self._arrived:
            box = self._mail.setdefault((peer, key), deque())
            if not self._arrived.wait_for(lambda: box or peer in self._gone, self.timeout):
                raise DistBackendError(
                    f"rank {self.rank} waited {self.timeout:g} s in vain for rank {peer}"
                )
            if not box:
                raise DistBackendError(
                    f"rank {self.rank} lost its connection to rank {peer}: {self._gone[peer]}"
                )
            data = box.popleft()
            if not box:
                self._mail.pop((peer, key), None)
            return data

    def receive_any(self, peers: list[int], key: Key) -> tuple[int, bytearray]:
        """The next message under a key of whichever peer sends first."""

        def ready() -> int | None:
            return next((p for p in peers if self._mail.get((p, key))), None)

        with self._arrived:
            if not self._arrived.wait_for(lambda: ready() is not None, self.timeout):
                raise DistBackendError(f"rank {self.rank} waited in vain for any message")
            peer = ready()
            assert peer is not None
        return peer, self.receive(peer, key)

    def close(self) -> None:
        """End all connections."""
        self._closing = True
        for connection in self._sockets.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._sockets.clear()
