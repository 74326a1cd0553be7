"""Stores: small tables of bytes that processes use to find each other."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Sequence
from datetime import timedelta

DEFAULT_TIMEOUT = timedelta(minutes=30)
_SET, _GET, _ADD, _WAIT, _CHECK, _DELETE, _COUNT, _SWAP = range(8)
_LENGTH = struct.Struct("<I")
_MISSING = b"\x00"
_FOUND = b"\x01"


class DistError(RuntimeError):
    """Something went wrong between processes."""


class DistStoreError(DistError):
    """A key did not appear in the store in time."""


class DistNetworkError(DistError):
    """A connection could not be made or broke."""


class DistBackendError(DistError):
    """A collective operation failed."""


def seconds(timeout: timedelta | float | None) -> float:
    """A timeout in seconds."""
    if timeout is None:
        timeout = DEFAULT_TIMEOUT
    return timeout.total_seconds() if isinstance(timeout, timedelta) else float(timeout)


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


class Store:
    """What all stores can do."""

    timeout = DEFAULT_TIMEOUT

    def set_timeout(self, timeout: timedelta) -> None:
        """How long ``get`` and ``wait`` wait for a key."""
        self.timeout = timeout

    def set(self, key: str, value: str | bytes) -> None:
        """Store a value."""
        raise NotImplementedError(f"{type(self).__name__}.set")

    def get(self, key: str) -> bytes:
        """The value of a key; waits until it is there."""
        raise NotImplementedError(f"{type(self).__name__}.get")

    def add(self, key: str, amount: int) -> int:
        """Add to a counter and return its new value."""
        raise NotImplementedError(f"{type(self).__name__}.add")

    def check(self, keys: Sequence[str]) -> bool:
        """Whether all keys are there."""
        raise NotImplementedError(f"{type(self).__name__}.check")

    def wait(self, keys: Sequence[str], timeout: timedelta | None = None) -> None:
        """Wait until all keys are there."""
        limit = time.monotonic() + seconds(timeout or self.timeout)
        while not self.check(keys):
            if time.monotonic() > limit:
                raise DistStoreError(f"wait timeout after waiting for keys: {', '.join(keys)}")
            time.sleep(0.01)


class HashStore(Store):
    """A store within one process, for its threads."""

    def __init__(self) -> None:
        self._table: dict[bytes, bytes] = {}
        self._changed = threading.Condition()

    def set(self, key: str, value: str | bytes) -> None:
        """Store a value."""
        with self._changed:
            self._table[_bytes(key)] = _bytes(value)
            self._changed.notify_all()

    def get(self, key: str) -> bytes:
        """The value of a key; waits until it is there."""
        self.wait([key])
        return self._table[_bytes(key)]

    def add(self, key: str, amount: int) -> int:
        """Add to a counter and return its new value."""
        with self._changed:
            total = int(self._table.get(_bytes(key), b"0")) + amount
            self._table[_bytes(key)] = str(total).encode()
            self._changed.notify_all()
            return total

    def compare_set(self, key: str, expected_value: str, desired_value: str) -> bytes:
        """Store a value if the old one is as expected; returns the value then stored."""
        with self._changed:
            old = self._table.get(_bytes(key))
            if old is None and expected_value:
                return _bytes(expected_value)
            if old is None or old == _bytes(expected_value):
                self._table[_bytes(key)] = _bytes(desired_value)
                self._changed.notify_all()
            return self._table[_bytes(key)]

    def check(self, keys: Sequence[str]) -> bool:
        """Whether all keys are there."""
        return all(_bytes(key) in self._table for key in keys)

    def wait(self, keys: Sequence[str], timeout: timedelta | None = None) -> None:
        """Wait until all keys are there."""
        with self._changed:
            if not self._changed.wait_for(
                lambda: self.check(keys), seconds(timeout or self.timeout)
            ):
                raise DistStoreError(f"wait timeout after waiting for keys: {', '.join(keys)}")

    def delete_key(self, key: str) -> bool:
        """Remove a key; False if it was not there."""
        with self._changed:
            return self._table.pop(_bytes(key), None) is not None

    def num_keys(self) -> int:
        """Number of keys."""
        return len(self._table)


class FileStore(Store):
    """A store in a file that all processes can reach; every change is appended to it."""

    def __init__(self, file_name: str, world_size: int = -1) -> None:
        self.path = file_name
        self.world_size = world_size

    @contextlib.contextmanager
    def _locked(self):
        lock = f"{self.path}.lock"
        limit = time.monotonic() + seconds(self.timeout)
        while True:
            try:
                handle = os.open(lock, os.O_CREAT | os.O_EXCL)
                break
            except FileExistsError:
                if time.monotonic() > limit:
                    raise DistStoreError(f"{lock} is held by another process") from None
                time.sleep(0.005)
        try:
            yield
        finally:
            os.close(handle)
            os.unlink(lock)

    def _read(self) -> dict[bytes, bytes]:
        table: dict[bytes, bytes] = {}
        try:
            with open(self.path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return table
        at = 0
        while at < len(data):
            parts = []
            for _ in range(2):
                (length,) = _LENGTH.unpack_from(data, at)
                parts.append(data[at + 4 : at + 4 + length])
                at += 4 + length
            table[parts[0]] = parts[1]
        return table

    def _append(self, key: bytes, value: bytes) -> None:
        with open(self.path, "ab") as file:
            file.write(b"".join([_LENGTH.pack(len(key)), key, _LENGTH.pack(len(value)), value]))

    def set(self, key: str, value: str | bytes) -> None:
        """Store a value."""
        with self._locked():
            self._append(_bytes(key), _bytes(value))

    def get(self, key: str) -> bytes:
        """The value of a key; waits until it is there."""
        self.wait([key])
        with self._locked():
            return self._read()[_bytes(key)]

    def add(self, key: str, amount: int) -> int:
        """Add to a counter and return its new value."""
        with self._locked():
            total = int(self._read().get(_bytes(key), b"0")) + amount
            self._append(_bytes(key), str(total).encode())
        return total

    def check(self, keys: Sequence[str]) -> bool:
        """Whether all keys are there."""
        with self._locked():
            table = self._read()
        return all(_bytes(key) in table for key in keys)


def read_exactly(connection: socket.socket, size: int) -> bytearray:
    """So many bytes from a socket; ConnectionError when it is closed before."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = connection.recv_into(view)
        if count == 0:
            raise ConnectionError("the other end closed the connection")
        view = view[count:]
    return data


def _send(connection: socket.socket, head: int, parts: Sequence[bytes]) -> None:
    data = [bytes((head, len(parts)))]
    for part in parts:
        data += [_LENGTH.pack(len(part)), part]
    connection.sendall(b"".join(data))


def _receive(connection: socket.socket) -> tuple[int, list[bytes]]:
    head, count = read_exactly(connection, 2)
    parts = []
    for _ in range(count):
        (length,) = _LENGTH.unpack(read_exactly(connection, 4))
        parts.append(bytes(read_exactly(connection, length)))
    return head, parts


class _Server:
    """The table behind TCPStores: a thread for each connection."""

    def __init__(self, host: str, port: int) -> None:
        self.table = HashStore()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server(("", port), family=family, backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, name="facula-store", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError, OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                code, parts = _receive(connection)
                _send(connection, code, self._answer(code, parts))

    def _answer(self, code: int, parts: list[bytes]) -> list[bytes]:
        table = self.table
        if code == _SET:
            table.set(parts[0].decode(), parts[1])
            return []
        names = [part.decode() for part in parts]
        if code == _ADD:
            return [str(table.add(names[0], int(names[1]))).encode()]
        if code in (_GET, _WAIT):
            limit = timedelta(seconds=float(names.pop()))
            try:
                table.wait(names, limit)
            except DistStoreError:
                return [_MISSING]
            return [_FOUND, table.get(names[0])] if code == _GET else [_FOUND]
        if code == _CHECK:
            return [_FOUND if table.check(names) else _MISSING]
        if code == _DELETE:
            return [_FOUND if table.delete_key(names[0]) else _MISSING]
        if code == _SWAP:
            return [table.compare_set(*names)]
        return [str(table.num_keys()).encode()]


class TCPStore(Store):
    """A store kept by one process (``is_master``) and reached by the others over TCP."""

    def __init__(
        self,
        host_name: str,
        port: int,
        world_size: int | None = None,
        is_master: bool = False,
        timeout: timedelta = timedelta(seconds=300),
        wait_for_workers: bool = True,
        multi_tenant: bool = False,
        master_listen_fd: int | None = None,
        use_libuv: bool = True,
    ) -> None:
        self.host, self.timeout, self.world_size = host_name, timeout, world_size
        self._server = _Server(host_name, port) if is_master else None
        self.port = self._server.port if self._server else port
        self._lock = threading.Lock()
        self._connection = self._connect()
        if wait_for_workers and world_size is not None:
            self._wait_for_workers(world_size)

    def _connect(self) -> socket.socket:
        limit = time.monotonic() + seconds(self.timeout)
        while True:
            try:
                made = socket.create_connection((self.host, self.port), timeout=10)
                made.settimeout(None)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return made
            except OSError as error:
                if time.monotonic() > limit:
                    raise DistNetworkError(
                        f"The client socket has timed out while trying to connect to "
                        f"({self.host}, {self.port}): {error}"
                    ) from None
                time.sleep(0.05)

    def close(self) -> None:
        """End the connection (and the table, in the process that keeps it)."""
        self._connection.close()
        if self._server is not None:
            self._server.close()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, OSError):
            self.close()

    def _wait_for_workers(self, world_size: int) -> None:
        if self.add("facula/workers", 1) == world_size:
            self.set("facula/all-here", b"1")
        self.get("facula/all-here")

    def _ask(self, code: int, *parts: bytes) -> list[bytes]:
        with self._lock:
            try:
                _send(self._connection, code, parts)
                return _receive(self._connection)[1]
            except (ConnectionError, OSError) as error:
                raise DistNetworkError(f"the store at {self.host} is gone: {error}") from None

    def _patience(self, timeout: timedelta | None = None) -> bytes:
        return str(seconds(timeout or self.timeout)).encode()

    def local_address(self) -> str:
        """The address of this process as the store's process sees it."""
        return self._connection.getsockname()[0]

    def set(self, key: str, value: str | bytes) -> None:
        """Store a value."""
        self._ask(_SET, _bytes(key), _bytes(value))

    def get(self, key: str) -> bytes:
        """The value of a key; waits until it is there."""
        answer = self._ask(_GET, _bytes(key), self._patience())
        if answer[0] == _MISSING:
            raise DistStoreError(f"wait timeout after {self.timeout}, keys: {key}")
        return answer[1]

    def add(self, key: str, amount: int) -> int:
        """Add to a counter and return its new value."""
        return int(self._ask(_ADD, _bytes(key), str(amount).encode())[0])

    def compare_set(self, key: str, expected_value: str, desired_value: str) -> bytes:
        """Store a value if the old one is as expected; returns the value then stored."""
        return self._ask(_SWAP, _bytes(key), _bytes(expected_value), _bytes(desired_value))[0]

    def check(self, keys: Sequence[str]) -> bool:
        """Whether all keys are there."""
        return self._ask(_CHECK, *map(_bytes, keys))[0] == _FOUND

    def wait(self, keys: Sequence[str], timeout: timedelta | None = None) -> None:
        """Wait until all keys are there."""
        answer = self._ask(_WAIT, *map(_bytes, keys), self._patience(timeout))
        if answer[0] == _MISSING:
            raise DistStoreError(f"wait timeout after waiting for keys: {', '.join(keys)}")

    def delete_key(self, key: str) -> bool:
        """Remove a key; False if it was not there."""
        return self._ask(_DELETE, _bytes(key))[0] == _FOUND

    def num_keys(self) -> int:
        """Number of keys."""
        return int(self._ask(_COUNT)[0])


class PrefixStore(Store):
    """Another store's keys that begin with a prefix."""

    def __init__(self, prefix: str, store: Store) -> None:
        self.prefix, self.underlying_store = prefix, store

    def _name(self, key: str) -> str:
        return f"{self.prefix}/{key}"

    def set(self, key: str, value: str | bytes) -> None:
        """Store a value."""
        self.underlying_store.set(self._name(key), value)

    def get(self, key: str) -> bytes:
        """The value of a key; waits until it is there."""
        return self.underlying_store.get(self._name(key))

    def add(self, key: str, amount: int) -> int:
        """Add to a counter and return its new value."""
        return self.underlying_store.add(self._name(key), amount)

    def check(self, keys: Sequence[str]) -> bool:
        """Whether all keys are there."""
        return self.underlying_store.check([self._name(key) for key in keys])

    def wait(self, keys: Sequence[str], timeout: timedelta | None = None) -> None:
        """Wait until all keys are there."""
        self.underlying_store.wait([self._name(key) for key in keys], timeout)
