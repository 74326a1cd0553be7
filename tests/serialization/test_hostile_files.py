"""Files made to run code or to reach memory must be refused by `weights_only=True`."""

import builtins
import collections
import contextlib
import io
import os
import pickle
import subprocess
import types
import zipfile

import numpy as np
import pytest

import facula as ft

GLOBAL = {
    "rebuild": b"ctorch._utils\n_rebuild_tensor_v2\n",
    "typed": b"ctorch._tensor\n_rebuild_from_type_v2\n",
    "tensor": b"ctorch\nTensor\n",
    "parameter": b"ctorch.nn.parameter\nParameter\n",
    "dict": b"ccollections\nOrderedDict\n",
}


def archive(body, data=b"\0" * 16):
    """A well-formed archive around the given pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", body)
        file.writestr("archive/byteorder", "little")
        file.writestr("archive/data/0", data)
        file.writestr("archive/version", "3\n")
    buffer.seek(0)
    return buffer


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Config:
    """A user's class."""

    def __init__(self, size):
        self.size = size


def run_me():
    raise AssertionError("code from the file was run")


REACHES = {
    "os.system": Calls(os.system, "true"),
    "eval": Calls(eval, "1"),
    "exec": Calls(exec, "1"),
    "getattr": Calls(getattr, "a", "upper"),
    "import": Calls(builtins.__import__, "os"),
    "open": Calls(open, os.devnull),
    "subprocess": Calls(subprocess.run, "true"),
    "type": Calls(type, "T", (), {}),
    "user function": Calls(run_me),
    "user class": Config(3),
    "bytes of a number": Calls(bytes, 10),
    "bytearray of a number": Calls(bytearray, 10),
    "huge set": Calls(set, range(10)),
    "dict of functions": {"a": run_me},
    "object array": np.array([1, "a"], object),
    "object dtype": np.dtype(object),
    "structured dtype": np.dtype([("a", "i4")]),
    "module": types.SimpleNamespace(f=run_me),
    "defaultdict": collections.defaultdict(run_me),
}


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
@pytest.mark.parametrize("name", REACHES)
def test_names_outside_the_list_are_refused(name, protocol):
    body = pickle.dumps({"weights": [REACHES[name]]}, protocol)
    with pytest.raises(pickle.UnpicklingError):
        ft.load(archive(body), weights_only=True)
    with pytest.raises(pickle.UnpicklingError):
        ft.load(archive(body))


def number(value):
    return b"K" + bytes([value])


def text(value):
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def reference(count=4, kind=b"ctorch\nFloatStorage\n", key="0"):
    return b"(" + text("storage") + kind + text(key) + text("cpu") + number(count) + b"tQ"


EMPTY_DICT = GLOBAL["dict"] + b")R"


def tensor(offset=0, size=4, stride=1, count=4):
    size, stride = (b"(" + number(n) + b"t" for n in (size, stride))
    body = reference(count) + number(offset) + size + stride + b"\x89" + EMPTY_DICT
    return GLOBAL["rebuild"] + b"(" + body + b"tR"


FORGED = {
    "view beyond the storage": tensor(size=5),
    "offset beyond the storage": tensor(offset=1),
    "stride beyond the storage": tensor(stride=2),
    "negative size": tensor().replace(number(4) + b"t" + b"(", b"J\xff\xff\xff\xfft("),
    "storage that is a string": GLOBAL["rebuild"]
    + b"("
    + text("x")
    + number(0)
    + b"(t(t\x89"
    + EMPTY_DICT
    + b"tR",
    "type builder that calls anything": GLOBAL["typed"]
    + b"("
    + GLOBAL["dict"]
    + GLOBAL["tensor"]
    + b")}tR",
    "attribute of a class": GLOBAL["parameter"] + b"}" + text("data") + number(1) + b"sb",
    "slots of a class": GLOBAL["parameter"] + b"N}" + text("data") + number(1) + b"s\x86b",
    "attribute of a function": GLOBAL["rebuild"] + b"}" + text("a") + number(1) + b"sb",
    "items of a class": GLOBAL["parameter"] + text("a") + number(1) + b"s",
    "append to a dict": b"}" + number(1) + b"a",
    "opcode INST": b"(ios\nsystem\n",
    "opcode OBJ": b"(" + GLOBAL["dict"] + b"o",
    "opcode EXT1": b"\x82\x01",
    "opcode PERSID": b"P0\n",
    "call of a dtype": b"ctorch\nfloat32\n)R",
    "call of Tensor": GLOBAL["tensor"] + b")R",
    "new Parameter without data": GLOBAL["parameter"] + b")\x81",
    "call of a list": b"])R",
    "reach through a name": b"\x8c\x0bcollections\x8c\x17OrderedDict.__init__.__x\x93",
    "unknown reference": text("storage") + b"Q",
    "storage class that is text": reference(kind=text("FloatStorage")),
    "empty stack": b"R",
    "unknown memo": b"h\x09",
    "huge bytearray": b"\x96" + b"\xff" * 6 + b"\0\0",
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_structures_are_refused(name):
    with pytest.raises(pickle.UnpicklingError):
        ft.load(archive(b"\x80\x02" + FORGED[name] + b"."))


def test_the_forged_tensor_without_forgery_loads():
    assert ft.load(archive(b"\x80\x02" + tensor() + b".")).tolist() == [0, 0, 0, 0]


def test_storage_of_the_wrong_length():
    with pytest.raises(RuntimeError, match="has 16 bytes where 12 are announced"):
        ft.load(archive(b"\x80\x02" + tensor(size=3, count=3) + b"."))
    with pytest.raises(RuntimeError, match="record 'data/1' is missing"):
        ft.load(archive(b"\x80\x02" + reference(key="1") + b"."))


def forged_array(state):
    """An array whose `__setstate__` gets the given state."""
    maker = np.zeros(1).__reduce__()[0]
    return Calls2(maker, (np.ndarray, (0,), b"b"), state)


class Calls2:
    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize(
    "state",
    [
        (1, (100,), np.dtype("f8"), False, b"\0" * 8),
        (1, (-1,), np.dtype("f8"), False, b""),
        (1, (2**62, 4), np.dtype("f8"), False, b""),
        (1, (1,), np.dtype("O"), False, [1]),
        (1, (1,), "f8", False, b"\0" * 8),
        (1, (1,)),
    ],
)
def test_forged_numpy_arrays_are_refused(state):
    with pytest.raises(pickle.UnpicklingError):
        ft.load(archive(pickle.dumps(forged_array(state), 2)))


def test_forged_numpy_dtype_is_refused():
    state = (3, "<", None, None, None, 1000, 1, 0)
    body = pickle.dumps(Calls2(np.dtype, ("S4", False, True), state), 2)
    with pytest.raises(pickle.UnpicklingError):
        ft.load(archive(body))


def test_random_damage_of_the_structure_never_runs_or_crashes():
    state = {"a": [1, "b", (2.5, None)], "w": ft.ones(4), "n": np.arange(3)}
    buffer = io.BytesIO()
    ft.save(state, buffer)
    body = zipfile.ZipFile(buffer).read("archive/data.pkl")
    draw = np.random.default_rng(0)
    for _ in range(1500):
        damaged = bytearray(body)
        for place in draw.integers(0, len(body), draw.integers(1, 4)):
            damaged[place] = draw.integers(0, 256)
        with contextlib.suppress(pickle.UnpicklingError, RuntimeError):
            ft.load(archive(bytes(damaged)))


def test_the_message_names_the_global_and_the_remedy():
    body = pickle.dumps(Config(3), 2)
    name = f"{Config.__module__}.Config"
    with pytest.raises(pickle.UnpicklingError, match="add_safe_globals") as caught:
        ft.load(archive(body))
    assert f"GLOBAL {name} was not an allowed global by default" in str(caught.value)
    assert ft.serialization.get_unsafe_globals_in_checkpoint(archive(body)) == [name]


@pytest.mark.parametrize("protocol", [2, 4])
def test_allowed_by_the_user(protocol):
    body = pickle.dumps([Config(3)], protocol)
    with ft.serialization.safe_globals([Config]):
        assert ft.load(archive(body))[0].size == 3
        assert ft.serialization.get_unsafe_globals_in_checkpoint(archive(body)) == []
    with pytest.raises(pickle.UnpicklingError):
        ft.load(archive(body))
    ft.serialization.add_safe_globals([(Config, f"{Config.__module__}.Config")])
    try:
        assert ft.load(archive(body))[0].size == 3
        assert len(ft.serialization.get_safe_globals()) >= 1
    finally:
        ft.serialization.clear_safe_globals()
    with pytest.raises(pickle.UnpicklingError):
        ft.load(archive(body))


def test_blocked_even_when_the_user_allows_it():
    refused = pytest.raises(pickle.UnpicklingError, match="is blocked")
    with ft.serialization.safe_globals([os.system]), refused:
        ft.load(archive(pickle.dumps(os.system, 2)))


def test_full_pickle_only_when_asked_for():
    body = pickle.dumps([Config(3)], 2)
    assert ft.load(archive(body), weights_only=False)[0].size == 3
    assert ft.load(archive(body), pickle_module=pickle)[0].size == 3
    with pytest.raises(RuntimeError, match="explicit pickle_module"):
        ft.load(archive(body), pickle_module=pickle, weights_only=True)
