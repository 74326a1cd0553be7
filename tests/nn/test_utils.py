"""nn.utils against PyTorch: clipping, vectors, reparametrisation, fusion, pruning."""

import copy
import warnings

import pytest


def graded(torch):
    torch.manual_seed(8)
    m = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    m(torch.randn(5, 3)).pow(2).sum().backward()
    return m


def grads(m):
    return [p.grad for p in m.parameters()]


@pytest.mark.parametrize("norm_type", [2.0, 1, 3.0, float("inf"), float("-inf"), 0])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clip_norm(twin, norm_type, max_norm):
    def scenario(torch):
        m = graded(torch)
        total = torch.nn.utils.clip_grad_norm_(m.parameters(), max_norm, norm_type)
        return total, grads(m)

    twin(scenario, rtol=1e-5, atol=1e-7)


def test_clip_helpers(twin):
    def scenario(torch):
        u, m = torch.nn.utils, graded(torch)
        total = u.get_total_norm([p.grad for p in m.parameters()])
        u.clip_grads_with_norm_(m.parameters(), 0.1, total)
        one = u.clip_grad_norm_(m[0].weight, 0.01)
        u.clip_grad_value_(m.parameters(), 0.001)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old = u.clip_grad_norm(m.parameters(), 1.0)
            nothing = u.clip_grad_norm_([], 1.0)
        return total, one, old, nothing, grads(m)

    twin(scenario, rtol=1e-5, atol=1e-7)


def test_clip_without_gradients(twin):
    def scenario(torch):
        return torch.nn.utils.clip_grad_norm_(torch.nn.Linear(2, 2).parameters(), 1.0)

    twin(scenario)


def test_clip_nonfinite(twin):
    def scenario(torch):
        m = graded(torch)
        m[0].weight.grad.fill_(float("nan"))
        silent = torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        try:
            torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0, error_if_nonfinite=True)
        except RuntimeError as error:
            return silent, str(error)[:40]

    twin(scenario)


def test_vectors(twin):
    def scenario(torch):
        u, m = torch.nn.utils, graded(torch)
        before = [id(p) for p in m.parameters()]
        vector = u.parameters_to_vector(m.parameters())
        u.vector_to_parameters(vector * 2, m.parameters())
        same = before == [id(p) for p in m.parameters()]
        return vector, list(m.parameters()), same, all(p.is_leaf for p in m.parameters())

    twin(scenario)


def test_vector_kind(twin):
    twin(lambda torch: torch.nn.utils.vector_to_parameters(3, []), message=False)


LAYERS = ["Linear(3, 4)", "Conv2d(2, 3, 2)", "ConvTranspose2d(2, 3, 2)"]


def layer(torch, text):
    torch.manual_seed(9)
    m = eval("nn." + text, {"nn": torch.nn})
    return m, torch.randn((2, 3) if "Linear" in text else (1, 2, 4, 4))


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("text", LAYERS)
def test_weight_norm(twin, text, dim):
    def scenario(torch):
        m, x = layer(torch, text)
        m = torch.nn.utils.weight_norm(m, dim=dim)
        out = m(x)
        out.pow(2).sum().backward()
        found = [repr(m), list(m.state_dict()), grads(m), out]
        m = torch.nn.utils.remove_weight_norm(m)
        return [*found, list(m.state_dict()), m.weight, m(x)]

    twin(scenario, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", LAYERS)
def test_spectral_norm(twin, text):
    def scenario(torch):
        m, x = layer(torch, text)
        m = torch.nn.utils.spectral_norm(m)
        out = m(x) + m(x)
        out.pow(2).sum().backward()
        m.eval()
        found = [list(m.state_dict()), m.state_dict()._metadata, grads(m), out, m(x), m.weight_u]
        m = torch.nn.utils.remove_spectral_norm(m)
        return [*found, list(m.state_dict()), m.weight, m(x)]

    twin(scenario, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm"])
@pytest.mark.parametrize("text", LAYERS)
def test_parametrizations(twin, text, kind):
    def scenario(torch):
        from importlib import import_module

        made = import_module(torch.nn.__name__ + ".utils.parametrizations")
        tools = import_module(torch.nn.__name__ + ".utils.parametrize")
        m, x = layer(torch, text)
        m = getattr(made, kind)(m)
        out = m(x)
        out.pow(2).sum().backward()
        found = [repr(m), list(m.state_dict()), grads(m), out, tools.is_parametrized(m, "weight")]
        second = copy.deepcopy(m)
        found += [second.eval()(x), type(second).__name__]
        m.eval()
        tools.remove_parametrizations(m, "weight")
        return [*found, repr(m), type(m).__name__, list(m.state_dict()), m.weight]

    twin(scenario, rtol=1e-3, atol=1e-4)


def test_custom_parametrization(twin):
    def scenario(torch):
        from importlib import import_module

        tools = import_module(torch.nn.__name__ + ".utils.parametrize")

        class Symmetric(torch.nn.Module):
            calls = 0

            def forward(self, x):
                Symmetric.calls += 1
                return x.triu() + x.triu(1).transpose(-1, -2)

            def right_inverse(self, x):
                return x.triu()

        class Double(torch.nn.Module):
            def forward(self, x):
                return x * 2

            def right_inverse(self, x):
                return x / 2

        torch.manual_seed(0)
        m = torch.nn.Linear(3, 3)
        before = m.weight
        tools.register_parametrization(m, "weight", Symmetric())
        first = m.weight
        tools.register_parametrization(m, "weight", Double())
        second = m.weight
        m.weight = torch.ones(3, 3)
        Symmetric.calls = 0
        with tools.cached():
            cached = m.weight + m.weight
        calls = Symmetric.calls
        found = [
            before is m.parametrizations.weight.original,
            first,
            second,
            m.weight,
            cached,
            calls,
            repr(m),
            list(m.state_dict()),
            isinstance(m, torch.nn.Linear),
            tools.type_before_parametrizations(m).__name__,
            tools.is_parametrized(m),
        ]
        tools.remove_parametrizations(m, "weight", leave_parametrized=False)
        return [*found, m.weight, type(m).__name__]

    twin(scenario)


def test_parametrization_errors(twin):
    class Bad:
        pass

    def scenario(torch):
        from importlib import import_module

        tools = import_module(torch.nn.__name__ + ".utils.parametrize")

        class Grow(torch.nn.Module):
            def forward(self, x):
                return x.flatten()

        kinds = []
        for call in (
            lambda: tools.register_parametrization(torch.nn.Linear(2, 2), "weight", Grow()),
            lambda: tools.register_parametrization(torch.nn.Linear(2, 2), "zz", Grow()),
            lambda: tools.remove_parametrizations(torch.nn.Linear(2, 2), "weight"),
        ):
            try:
                call()
            except Exception as error:
                kinds.append(type(error).__name__)
        return kinds

    twin(scenario)


def test_old_weight_norm_checkpoint_loads_into_the_new_form(twin):
    def scenario(torch):
        from importlib import import_module

        made = import_module(torch.nn.__name__ + ".utils.parametrizations")
        torch.manual_seed(0)
        old = torch.nn.utils.weight_norm(torch.nn.Linear(2, 3))
        new = made.weight_norm(torch.nn.Linear(2, 3))
        result = repr(new.load_state_dict(old.state_dict()))
        return result, new.weight, old.weight

    twin(scenario, rtol=1e-6)


def test_fusion(twin):
    def scenario(torch):
        nn, u = torch.nn, torch.nn.utils
        torch.manual_seed(0)
        conv, bn = nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3)
        line, bn1 = nn.Linear(3, 4), nn.BatchNorm1d(4)
        turned, bn2 = nn.ConvTranspose2d(2, 3, 2), nn.BatchNorm2d(3)
        x = torch.randn(4, 2, 6, 6)
        bn(conv(x)), bn1(line(torch.randn(5, 3))), bn2(turned(x))
        for m in (conv, bn, line, bn1, turned, bn2):
            m.eval()
        fused = u.fusion.fuse_conv_bn_eval(conv, bn)
        return (
            fused(x) - bn(conv(x)),
            fused.weight,
            fused.bias,
            u.fusion.fuse_linear_bn_eval(line, bn1).weight,
            u.fusion.fuse_conv_bn_eval(turned, bn2, transpose=True)(x),
        )

    twin(scenario, rtol=1e-4, atol=1e-5)


PRUNINGS = {
    "l1 share": lambda p, m: p.l1_unstructured(m, "weight", 0.4),
    "l1 count": lambda p, m: p.l1_unstructured(m, "weight", 3),
    "l1 nothing": lambda p, m: p.l1_unstructured(m, "weight", 0),
    "random": lambda p, m: p.random_unstructured(m, "weight", 0.5),
    "random rows": lambda p, m: p.random_structured(m, "weight", 0.5, dim=0),
    "ln": lambda p, m: p.ln_structured(m, "weight", 0.5, n=2, dim=0),
    "ln columns": lambda p, m: p.ln_structured(m, "weight", 1, n=1, dim=1),
    "identity": lambda p, m: p.identity(m, "bias"),
    "twice": lambda p, m: p.l1_unstructured(p.l1_unstructured(m, "weight", 0.3), "weight", 0.5),
    "mixed": lambda p, m: p.l1_unstructured(p.ln_structured(m, "weight", 1, 2, 0), "weight", 2),
}


@pytest.mark.parametrize("name", PRUNINGS)
def test_pruning(twin, name):
    def scenario(torch):
        from importlib import import_module

        prune = import_module(torch.nn.__name__ + ".utils.prune")
        m, x = layer(torch, "Linear(3, 4)")
        PRUNINGS[name](prune, m)
        out = m(x)
        out.sum().backward()
        which = "bias" if name == "identity" else "weight"
        found = [m.state_dict(), out, grads(m), prune.is_pruned(m), repr(m)]
        prune.remove(m, which)
        return [*found, m.state_dict(), prune.is_pruned(m), m(x)]

    twin(scenario, rtol=1e-5, atol=1e-6)


def test_global_and_custom_pruning(twin):
    def scenario(torch):
        from importlib import import_module

        prune = import_module(torch.nn.__name__ + ".utils.prune")

        class EveryOther(prune.BasePruningMethod):
            PRUNING_TYPE = "unstructured"

            def compute_mask(self, t, default_mask):
                mask = default_mask.clone()
                mask.view(-1)[::2] = 0
                return mask

        m = graded(torch)
        pairs = [(m[0], "weight"), (m[2], "weight")]
        prune.global_unstructured(pairs, pruning_method=prune.L1Unstructured, amount=0.5)
        first = {k: v.clone() for k, v in m.state_dict().items()}
        EveryOther.apply(m[0], "bias")
        prune.custom_from_mask(m[2], "bias", torch.tensor([0.0, 1.0]))
        alone = prune.L1Unstructured(amount=2).prune(torch.tensor([1.0, -3.0, 0.5, 2.0]))
        return first, m.state_dict(), alone

    twin(scenario, rtol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda p, m: p.l1_unstructured(m, "weight", 1.5),
        lambda p, m: p.l1_unstructured(m, "weight", -1),
        lambda p, m: p.l1_unstructured(m, "weight", "a"),
        lambda p, m: p.l1_unstructured(m, "weight", 1000),
        lambda p, m: p.ln_structured(m, "bias", 1, 2, 0),
        lambda p, m: p.ln_structured(m, "weight", 1, 2, 5),
        lambda p, m: p.remove(m, "weight"),
        lambda p, m: p.global_unstructured([(m, "weight")], p.LnStructured, amount=1, n=1),
    ],
)
def test_pruning_errors(twin, call):
    def scenario(torch):
        from importlib import import_module

        call(import_module(torch.nn.__name__ + ".utils.prune"), torch.nn.Linear(3, 4))

    twin(scenario, message=False)


def test_skip_init(twin):
    def scenario(torch):
        torch.manual_seed(0)
        m = torch.nn.utils.skip_init(torch.nn.Linear, 2, 3)
        return repr(m), [tuple(p.shape) for p in m.parameters()], torch.rand(1)

    twin(scenario)


def test_parallel_helpers(twin):
    def scenario(torch):
        nn = torch.nn
        torch.manual_seed(0)
        m = nn.DataParallel(nn.Linear(2, 3))
        x = torch.randn(4, 2)
        return repr(m), m(x), m.module.weight

    twin(scenario, rtol=1e-6)


def test_functional_call(twin):
    def scenario(torch):
        from importlib import import_module

        call = import_module(torch.__name__ + (".func" if torch.__name__ == "torch" else ".nn"))
        call = getattr(call, "functional_call", None) or call.utils.stateless.functional_call
        torch.manual_seed(0)
        nn = torch.nn
        m = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2))
        m[2].weight = m[0].weight
        x = torch.randn(4, 2)
        w = torch.full((2, 2), 0.5, requires_grad=True)
        out = call(m, {"0.weight": w, "1.running_mean": torch.ones(2)}, (x,))
        out.pow(2).sum().backward()
        untied = call(m, [{"0.weight": w}], x, tie_weights=False)
        return out, w.grad, untied, m.state_dict(), m[0].weight.grad

    twin(scenario, rtol=1e-4, atol=1e-5)


def test_functional_call_with_unknown_names(twin):
    def scenario(torch):
        import_ = __import__("importlib").import_module
        call = import_(torch.nn.__name__ + ".utils.stateless").functional_call
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            one = {"weight": torch.ones(1, 1), "bias": torch.ones(1), "zz": torch.ones(1)}
            return call(torch.nn.Linear(1, 1), one, torch.ones(1, 1))

    twin(scenario, message=False)


def test_float_functional(twin):
    def scenario(torch):
        f = torch.nn.quantized.FloatFunctional()
        x = torch.tensor([1.0, -2.0])
        return (
            repr(f),
            f.add(x, x),
            f.mul(x, x),
            f.add_relu(x, x),
            f.cat([x, x]),
            f.add_scalar(x, 2),
        )

    twin(scenario)
