"""Children and parameters as attributes: found in every way PyTorch finds them, and in no other."""

from __future__ import annotations

import copy
import pickle

import pytest

import facula


@pytest.fixture(params=["facula", "torch"])
def lib(request):
    return facula if request.param == "facula" else pytest.importorskip("torch")


def make(lib, **members):
    """A class of networks with a child and a parameter, and ``members`` beside."""

    def init(self):
        lib.nn.Module.__init__(self)
        self.child = lib.nn.Identity()
        self.scale = lib.nn.Parameter(lib.ones(1))
        self.register_buffer("seen", lib.zeros(1))

    return type("Net", (lib.nn.Module,), {"__init__": init, **members})


def test_the_class_has_none_of_them(lib):
    Net = make(lib)
    net = Net()
    assert net.child is net._modules["child"] and net.scale is net._parameters["scale"]
    assert net.seen is net._buffers["seen"]
    assert "child" not in vars(net)
    assert not hasattr(Net, "child")
    with pytest.raises(AttributeError):
        Net.scale


def test_tables_may_be_written_directly(lib):
    net, other = make(lib)(), lib.nn.Tanh()
    net._modules["child"] = other
    assert net.child is other
    del net._modules["child"]
    assert not hasattr(net, "child")
    net._parameters["child"] = net.scale
    assert net.child is net.scale
    net._modules, net._parameters = {"scale": other}, {}
    assert net.scale is other


def test_deleted_and_replaced(lib):
    net = make(lib)()
    first = net.child
    net.child = None
    assert net.child is None
    del net.child
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'child'"):
        net.child
    net.child = 5
    assert net.child == 5
    net.child = first  # the plain attribute goes
    assert net.child is first
    del net.scale
    net.scale = lib.nn.Identity()
    assert isinstance(net.scale, lib.nn.Identity)


def test_attributes_of_classes_come_first(lib):
    net = make(lib, child="of the class")()
    assert net.child == "of the class"
    Net = make(lib)
    net = Net()
    Net.child = "set later"
    assert net.child == "set later"
    del Net.child
    assert net.child is net._modules["child"]


def test_lookups_of_ones_own_see_every_name(lib):
    seen = []

    def own(self, name):
        seen.append(name)
        return lib.nn.Module.__getattr__(self, name)

    Net = make(lib)
    Net().child
    Watching = type("Watching", (Net,), {"__getattr__": own})
    net = Watching()
    seen.clear()
    net.child, net.scale
    assert seen == ["child", "scale"]


def test_copies_have_their_own(lib):
    net = make(lib)()
    deep = copy.deepcopy(net)
    assert deep.child is deep._modules["child"] is not net.child
    shallow = copy.copy(net)
    shallow.child = lib.nn.Tanh()
    assert shallow.child is shallow._modules["child"] is net.child
    linear = pickle.loads(pickle.dumps(lib.nn.Linear(2, 2)))
    assert linear.weight is linear._parameters["weight"]


def test_before_init(lib):
    Net = make(lib)
    Net()
    raw = Net.__new__(Net)
    assert not hasattr(raw, "child")
    with pytest.raises(AttributeError):
        raw.scale = lib.nn.Parameter(lib.ones(1))
