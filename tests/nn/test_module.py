"""Module itself: attributes, traversal, conversion, printing, copying - beside PyTorch."""

import copy
import pickle
import warnings

import pytest


def net(torch, seed=3):
    """A small network with a shared module, buffers and nesting."""
    nn = torch.nn
    torch.manual_seed(seed)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(3, 4)
            self.block = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.BatchNorm1d(4))
            self.again = self.block[0]
            self.scale = nn.Parameter(torch.ones(4))
            self.register_buffer("seen", torch.zeros(2))
            self.register_buffer("hidden", torch.zeros(2), persistent=False)
            self.register_buffer("empty", None)
            self.register_parameter("nothing", None)
            self.note = "text"

        def forward(self, x):
            return self.block(self.first(x)) * self.scale

    return Net()


def names(pairs):
    return [name for name, _ in pairs]


def test_traversal(twin):
    def scenario(torch):
        m = net(torch)
        return (
            names(m.named_parameters()),
            names(m.named_parameters(prefix="p", recurse=False)),
            names(m.named_parameters(remove_duplicate=False)),
            names(m.named_buffers()),
            names(m.named_buffers(prefix="x", recurse=False)),
            names(m.named_modules()),
            names(m.named_modules(prefix="q", remove_duplicate=False)),
            names(m.named_children()),
            len(list(m.parameters())),
            len(list(m.buffers())),
            len(list(m.modules())),
            len(list(m.children())),
            sorted(n for n in vars(m) if n[0] != "_"),
            "scale" in dir(m) and "first" in dir(m) and "seen" in dir(m),
            repr(m),
            list(m.state_dict()),
            m.state_dict()._metadata,
            list(m.state_dict(prefix="a.", keep_vars=True)),
        )

    twin(scenario)


WRONG = {
    "forward missing": lambda t, m: t.nn.Module()(3),
    "positional": lambda t, m: t.nn.Module(3),
    "keyword": lambda t, m: t.nn.Module(a=3),
    "tensor for parameter": lambda t, m: setattr(m, "scale", t.zeros(2)),
    "number for parameter": lambda t, m: setattr(m, "scale", 3),
    "number for module": lambda t, m: setattr(m, "first", 3),
    "number for buffer": lambda t, m: setattr(m, "seen", 3),
    "buffer name": lambda t, m: m.register_buffer(3, None),
    "buffer dot": lambda t, m: m.register_buffer("a.b", None),
    "buffer empty": lambda t, m: m.register_buffer("", None),
    "buffer exists": lambda t, m: m.register_buffer("training", None),
    "buffer kind": lambda t, m: m.register_buffer("z", 3),
    "parameter name": lambda t, m: m.register_parameter(3, None),
    "parameter dot": lambda t, m: m.register_parameter("a.b", None),
    "parameter empty": lambda t, m: m.register_parameter("", None),
    "parameter exists": lambda t, m: m.register_parameter("note", None),
    "parameter kind": lambda t, m: m.register_parameter("z", t.zeros(1)),
    "module name": lambda t, m: m.add_module(3, None),
    "module dot": lambda t, m: m.add_module("a.b", m),
    "module empty": lambda t, m: m.add_module("", m),
    "module exists": lambda t, m: m.add_module("scale", m),
    "module kind": lambda t, m: m.register_module("z", 3),
    "attribute": lambda t, m: m.foo,
    "delete": lambda t, m: delattr(m, "foo"),
    "submodule": lambda t, m: m.get_submodule("block.9"),
    "not a submodule": lambda t, m: m.get_submodule("first.weight"),
    "get parameter": lambda t, m: m.get_parameter("first.zz"),
    "not a parameter": lambda t, m: m.get_parameter("note"),
    "not a buffer": lambda t, m: m.get_buffer("scale"),
    "set submodule": lambda t, m: m.set_submodule("", m),
    "train": lambda t, m: m.train("x"),
    "to int": lambda t, m: m.to(t.int64),
    "state kind": lambda t, m: m.load_state_dict(3),
    "state keys": lambda t, m: m.load_state_dict({"scale": t.zeros(3, 2), "zz": 3}),
    "state value": lambda t, m: m.first.load_state_dict({"weight": 3, "bias": t.zeros(4)}),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(twin, name):
    twin(lambda torch: WRONG[name](torch, net(torch)))


def test_cuda_is_refused_as_by_a_build_of_pytorch_for_cpus():
    facula = pytest.importorskip("facula")
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        net(facula).cuda()


def test_before_init(twin):
    def scenario(torch):
        class NoInit(torch.nn.Module):
            def __init__(self, name, value):
                setattr(self, name, value)

        for value in (torch.nn.Linear(1, 1), torch.nn.Parameter(torch.zeros(1))):
            try:
                NoInit("x", value)
            except AttributeError as error:
                yield_ = str(error)
                assert "before Module.__init__() call" in yield_
        return str(NoInit("x", 3).x)

    twin(scenario)


def test_assigning_and_deleting(twin):
    def scenario(torch):
        nn, m = torch.nn, net(torch)
        log = []
        m.note = nn.Parameter(torch.zeros(1))  # a plain attribute becomes a parameter
        log.append("note" in vars(m))
        m.note = None
        log.append(list(m._parameters))
        del m.note
        m.seen = torch.ones(3)
        m.again = None
        m.extra = nn.Buffer(torch.ones(1), persistent=False)
        m.kept = nn.Buffer(torch.ones(1))
        m.first = nn.Identity()
        m.set_submodule("block.1", nn.Tanh())
        del m.scale, m.hidden
        log += [list(m._parameters), list(m._buffers), list(m._modules)]
        log += [list(m.state_dict()), m._non_persistent_buffers_set, repr(m)]
        return log

    twin(scenario)


def test_modes_and_apply(twin):
    def scenario(torch):
        m = net(torch)
        order = []
        m.apply(lambda c: order.append(type(c).__name__))
        m.eval()
        off = [c.training for c in m.modules()]
        m.block.train()
        m.requires_grad_(False)
        m.first.requires_grad_(True)
        on = [c.training for c in m.modules()]
        return order, off, on, [p.requires_grad for p in m.parameters()]

    twin(scenario)


def test_conversion_keeps_identity(twin):
    def scenario(torch):
        m = net(torch)
        m(torch.ones(2, 3)).sum().backward()
        before = [id(p) for p in m.parameters()]
        log = []
        steps = (
            lambda: m.double(),
            lambda: m.half(),
            lambda: m.bfloat16(),
            lambda: m.float(),
            lambda: m.to(torch.float64),
            lambda: m.to("cpu"),
            lambda: m.to("cpu", torch.float32),
            lambda: m.to(torch.zeros(1, dtype=torch.float64)),
            lambda: m.to(device="cpu", dtype=torch.float32, non_blocking=True),
            lambda: m.type(torch.float64),
            lambda: m.cpu(),
        )
        for step in steps:
            assert step() is m
            log.append([str(p.dtype) for p in m.parameters()])
            log.append([str(b.dtype) for b in m.buffers()])
            log.append([str(p.grad.dtype) for p in m.parameters()])
        return (
            log,
            before == [id(p) for p in m.parameters()],
            all(p.is_leaf for p in m.parameters()),
        )

    twin(scenario)


def test_zero_grad(twin):
    def scenario(torch):
        m = net(torch)
        m(torch.ones(2, 3)).sum().backward()
        m.zero_grad(set_to_none=False)
        zeros = [p.grad for p in m.parameters()]
        m.zero_grad()
        return zeros, [p.grad for p in m.parameters()]

    twin(scenario)


def test_to_empty_and_share_memory(twin):
    def scenario(torch):
        m = net(torch).to_empty(device="cpu")
        m.share_memory()
        return [tuple(p.shape) for p in m.parameters()]

    twin(scenario)


def test_copies(twin):
    def scenario(torch):
        nn = torch.nn
        torch.manual_seed(1)
        m = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.1))
        calls = []
        m.register_forward_hook(lambda *a: calls.append(1))
        twin_copy = copy.deepcopy(m)
        with torch.no_grad():
            m[0].weight.zero_()
        twin_copy(torch.ones(3, 2))
        again = pickle.loads(pickle.dumps(m[0]))
        shallow = copy.copy(m)
        return (
            bool((twin_copy[0].weight != 0).any()),
            calls,
            again.state_dict(),
            repr(again),
            shallow[0] is m[0],
        )

    twin(scenario)


def test_pickled_hooks_still_run(twin):
    def scenario(torch):
        m = torch.nn.Linear(2, 2)
        m.register_forward_hook(negate)
        again = pickle.loads(pickle.dumps(m))
        return bool((again(torch.ones(1, 2)) == -m.forward(torch.ones(1, 2))).all())

    twin(scenario)


def negate(module, args, output):
    """A hook at module level, so that it can be pickled."""
    return -output


def test_forward_can_be_replaced_on_the_instance(twin):
    def scenario(torch):
        m = torch.nn.Linear(2, 2)
        m.forward = lambda x: x + 1
        return m(torch.ones(2))

    twin(scenario)


def test_call_super_init(twin):
    def scenario(torch):
        class Base:
            def __init__(self, value=0):
                self.value = value

        class Both(torch.nn.Module, Base):
            call_super_init = True

            def __init__(self, value):
                super().__init__(value=value)

        return Both(4).value

    twin(scenario)


def test_extra_repr_lines(twin):
    def scenario(torch):
        class Lines(torch.nn.Module):
            def extra_repr(self):
                return "one\ntwo"

        m = Lines()
        empty = repr(m)
        m.child = torch.nn.ReLU()
        return empty, repr(m), repr(torch.nn.Sequential(m, Lines())), str(torch.nn.Module())

    twin(scenario)


def test_share_one_parameter(twin):
    def scenario(torch):
        a, b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        b.weight = a.weight
        m = torch.nn.ModuleList([a, b])
        return len(list(m.parameters())), list(m.state_dict()), m[0].weight is m[1].weight

    twin(scenario)


def test_compile_changes_nothing(twin):
    def scenario(torch):
        m = torch.nn.Linear(2, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return m.compile() is None

    twin(scenario)


def test_class_hooks_and_names(twin):
    def scenario(torch):
        nn = torch.nn
        return [
            nn.modules.module.Module is nn.Module,
            nn.modules.batchnorm._BatchNorm in nn.BatchNorm2d.__mro__,
            nn.modules.conv._ConvNd in nn.Conv2d.__mro__,
            nn.modules.conv._ConvTransposeNd in nn.ConvTranspose1d.__mro__,
            nn.modules.loss._Loss in nn.CTCLoss.__mro__,
            nn.modules.loss._WeightedLoss in nn.NLLLoss.__mro__,
            nn.modules.instancenorm._InstanceNorm in nn.InstanceNorm1d.__mro__,
            nn.modules.utils._pair(3),
            nn.modules.utils._triple((1, 2, 3)),
            nn.modules.utils._ntuple(4)(1),
            nn.ConvTranspose2d.__module__,
            nn.MultiheadAttention.__module__,
            nn.LSTMCell.__module__,
            nn.ParameterList.__module__,
            nn.TripletMarginLoss.__module__,
            nn.modules.transformer._get_activation_fn("relu").__name__,
        ]

    twin(scenario)
