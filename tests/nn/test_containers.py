"""Sequential, ModuleList, ModuleDict, ParameterList and ParameterDict beside PyTorch."""

from collections import OrderedDict

import pytest


def build(torch):
    nn = torch.nn
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))


SEQUENTIAL = {
    "index": lambda t, s: [type(s[0]).__name__, type(s[-1]).__name__, repr(s[1:]), repr(s[::2])],
    "named": lambda t, s: repr(
        t.nn.Sequential(OrderedDict([("a", t.nn.ReLU()), ("b", t.nn.Tanh())]))
    ),
    "iterate": lambda t, s: [type(m).__name__ for m in s] + [len(s)],
    "run": lambda t, s: s(t.ones(1, 2)),
    "append": lambda t, s: repr(s.append(t.nn.Tanh())),
    "extend": lambda t, s: repr(s.extend([t.nn.Tanh(), t.nn.ReLU()])),
    "insert": lambda t, s: repr(s.insert(1, t.nn.Tanh())),
    "insert last": lambda t, s: repr(s.insert(-1, t.nn.Tanh())),
    "pop": lambda t, s: [repr(s.pop(0)), repr(s), repr(s.pop(-1)), list(s.state_dict())],
    "delete": lambda t, s: [s.__delitem__(1), repr(s)],
    "delete slice": lambda t, s: [s.__delitem__(slice(0, 2)), repr(s)],
    "set": lambda t, s: [s.__setitem__(1, t.nn.Tanh()), repr(s)],
    "add": lambda t, s: repr(s + t.nn.Sequential(t.nn.Tanh())),
    "iadd": lambda t, s: repr(s.__iadd__(t.nn.Sequential(t.nn.Tanh()))),
    "multiply": lambda t, s: [repr(s * 2), repr(2 * s)],
    "imultiply": lambda t, s: repr(s.__imul__(2)),
    "nested": lambda t, s: repr(t.nn.Sequential(s, t.nn.Sequential())),
    "dir": lambda t, s: [n for n in dir(s) if n.isdigit()],
    "bad index": lambda t, s: s[3],
    "bad negative": lambda t, s: s[-4],
    "bad module": lambda t, s: t.nn.Sequential(1),
    "bad list": lambda t, s: t.nn.Sequential([t.nn.ReLU()]),
    "bad pop": lambda t, s: s.pop(5),
    "bad insert": lambda t, s: s.insert(7, t.nn.ReLU()),
    "bad inserted": lambda t, s: s.insert(0, 3),
    "bad times": lambda t, s: s * 0,
    "bad factor": lambda t, s: s * 1.5,
    "bad add": lambda t, s: s + 3,
    "bad extend": lambda t, s: s.extend(3),
}


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_sequential(twin, name):
    twin(lambda torch: SEQUENTIAL[name](torch, build(torch)), rtol=1e-5, atol=1e-6)


def layers(torch):
    torch.manual_seed(2)
    return torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.ReLU()])


MODULE_LIST = {
    "repr": lambda t, m: [repr(m), repr(t.nn.ModuleList()), repr(t.nn.ModuleList([m, m]))],
    "index": lambda t, m: [repr(m[0]), repr(m[-1]), repr(m[1:]), len(m)],
    "set": lambda t, m: [m.__setitem__(1, t.nn.Tanh()), repr(m)],
    "delete": lambda t, m: [m.__delitem__(0), repr(m), list(m._modules)],
    "delete slice": lambda t, m: [m.__delitem__(slice(0, 2)), repr(m), list(m._modules)],
    "append": lambda t, m: repr(m.append(t.nn.Tanh())),
    "insert": lambda t, m: [m.insert(1, t.nn.Tanh()), repr(m)],
    "extend": lambda t, m: repr(m.extend(t.nn.Tanh() for _ in range(2))),
    "iadd": lambda t, m: repr(m.__iadd__([t.nn.Tanh()])),
    "add": lambda t, m: repr(m + [t.nn.Tanh()]),
    "pop": lambda t, m: [repr(m.pop(0)), repr(m)],
    "contains": lambda t, m: [m[0] in m, t.nn.ReLU() in m],
    "iterate": lambda t, m: [type(x).__name__ for x in m],
    "reversed": lambda t, m: [type(x).__name__ for x in reversed(m)],
    "call": lambda t, m: m(3),
    "bad index": lambda t, m: m[3],
    "bad item": lambda t, m: t.nn.ModuleList([3]),
    "bad argument": lambda t, m: t.nn.ModuleList(3),
}


@pytest.mark.parametrize("name", MODULE_LIST)
def test_module_list(twin, name):
    twin(lambda torch: MODULE_LIST[name](torch, layers(torch)))


def named(torch):
    return torch.nn.ModuleDict({"b": torch.nn.ReLU(), "a": torch.nn.Linear(1, 1)})


MODULE_DICT = {
    "repr": lambda t, m: [repr(m), repr(t.nn.ModuleDict())],
    "views": lambda t, m: [list(m), list(m.keys()), [k for k, _ in m.items()], len(m.values())],
    "get": lambda t, m: [repr(m["a"]), "a" in m, "z" in m, len(m)],
    "set": lambda t, m: [m.__setitem__("c", t.nn.Tanh()), list(m)],
    "delete": lambda t, m: [m.__delitem__("a"), list(m)],
    "pop": lambda t, m: [repr(m.pop("b")), list(m)],
    "clear": lambda t, m: [m.clear(), list(m)],
    "update": lambda t, m: [m.update([["x", t.nn.Tanh()]]), m.update(named(t)), list(m)],
    "missing": lambda t, m: m["z"],
    "bad value": lambda t, m: t.nn.ModuleDict({"a": 3}),
    "bad key": lambda t, m: t.nn.ModuleDict({3: t.nn.ReLU()}),
    "bad pair": lambda t, m: m.update([(1, 2, 3)]),
    "bad argument": lambda t, m: m.update(3),
    "method name": lambda t, m: m.__setitem__("keys", t.nn.ReLU()),
}


@pytest.mark.parametrize("name", MODULE_DICT)
def test_module_dict(twin, name):
    twin(lambda torch: MODULE_DICT[name](torch, named(torch)))


def weights(torch):
    return torch.nn.ParameterList([torch.zeros(2, 3), torch.nn.Parameter(torch.ones(2)), 3])


PARAMETER_LIST = {
    "repr": lambda t, p: [repr(p), repr(t.nn.ParameterList())],
    "kinds": lambda t, p: [type(x).__name__ for x in p] + [len(p)],
    "state": lambda t, p: p.state_dict(),
    "index": lambda t, p: [p[1], p[-1], repr(p[:2])],
    "set": lambda t, p: [p.__setitem__(0, t.ones(1)), p[0], p[0].requires_grad],
    "append": lambda t, p: repr(p.append(t.ones(4))),
    "extend": lambda t, p: repr(p.extend([t.ones(4), "x"])),
    "iadd": lambda t, p: repr(p.__iadd__([t.ones(4)])),
    "call": lambda t, p: p(),
    "bad index": lambda t, p: p[3],
    "bad extend": lambda t, p: p.extend(t.zeros(2)),
    "bad argument": lambda t, p: t.nn.ParameterList(3),
}


@pytest.mark.parametrize("name", PARAMETER_LIST)
def test_parameter_list(twin, name):
    twin(lambda torch: PARAMETER_LIST[name](torch, weights(torch)))


def table(torch):
    return torch.nn.ParameterDict({"b": torch.zeros(2), "a": torch.nn.Parameter(torch.ones(1))})


PARAMETER_DICT = {
    "repr": lambda t, p: [repr(p), repr(t.nn.ParameterDict())],
    "order": lambda t, p: [list(p), list(p.keys()), [k for k, _ in p.items()], list(reversed(p))],
    "values": lambda t, p: list(p.values()),
    "state": lambda t, p: p.state_dict(),
    "get": lambda t, p: [p["a"], p.get("z"), p.get("z", 3), "a" in p, len(p)],
    "set": lambda t, p: [p.__setitem__("c", t.ones(2)), p["c"].requires_grad],
    "setdefault": lambda t, p: [p.setdefault("c", t.ones(2)), list(p)],
    "pop": lambda t, p: [p.pop("a"), list(p)],
    "popitem": lambda t, p: [p.popitem(), list(p)],
    "clear": lambda t, p: [p.clear(), list(p)],
    "copy": lambda t, p: [p.copy() is p, repr(p.copy())],
    "update": lambda t, p: [p.update([("z", t.ones(1))]), p.update(table(t)), list(p)],
    "union": lambda t, p: repr(p | t.nn.ParameterDict({"q": t.ones(1)})),
    "iunion": lambda t, p: repr(p.__ior__(t.nn.ParameterDict({"q": t.ones(1)}))),
    "fromkeys": lambda t, p: repr(p.fromkeys(["x", "y"], 4)),
    "missing": lambda t, p: p["zz"],
    "bad argument": lambda t, p: t.nn.ParameterDict(3),
}


@pytest.mark.parametrize("name", PARAMETER_DICT)
def test_parameter_dict(twin, name):
    twin(lambda torch: PARAMETER_DICT[name](torch, table(torch)))


def test_module_dict_wants_pairs(twin):
    twin(lambda torch: named(torch).update([3]), message=False)


def test_parameter_dict_wants_text_keys(twin):
    twin(lambda torch: torch.nn.ParameterDict({1: 2}), message=False)
