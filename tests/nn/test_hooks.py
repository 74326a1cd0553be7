"""Forward, backward and global hooks of modules, in PyTorch's order and with its arguments."""

import warnings

import pytest


def data(torch):
    torch.manual_seed(11)
    return torch.nn.Linear(3, 2), torch.randn(4, 3, requires_grad=True)


def test_forward_hooks(twin):
    def scenario(torch):
        m, x = data(torch)
        log = []
        m.register_forward_pre_hook(lambda mod, args: log.append(("pre", len(args))))
        double = m.register_forward_pre_hook(lambda mod, args: args[0] * 2)
        m.register_forward_pre_hook(lambda mod, args: log.append("first"), prepend=True)
        m.register_forward_hook(lambda mod, args, out: out + 1)
        m.register_forward_hook(lambda mod, args, out: log.append(out.sum()))
        out = m(x)
        double.remove()
        double.remove()
        with m.register_forward_hook(lambda mod, args, out: -out):
            inside = m(x)
        return out, inside, m(x), log

    twin(scenario, rtol=1e-5, atol=1e-6)


def test_keyword_hooks(twin):
    def scenario(torch):
        class Scale(torch.nn.Module):
            def forward(self, x, by=1.0):
                return x * by

        m, log = Scale(), []

        def pre(mod, args, kwargs):
            log.append(sorted(kwargs))
            return args, {"by": kwargs.get("by", 1.0) + 1}

        m.register_forward_pre_hook(pre, with_kwargs=True)
        m.register_forward_hook(
            lambda mod, args, kwargs, out: log.append(kwargs["by"]), with_kwargs=True
        )
        return m(torch.ones(2)), m(torch.ones(2), by=3.0), log

    twin(scenario)


def test_bad_keyword_hook(twin):
    def scenario(torch):
        m, x = data(torch)
        m.register_forward_pre_hook(lambda mod, args, kwargs: 3, with_kwargs=True)
        m(x)

    twin(scenario)


def test_always_called(twin):
    def scenario(torch):
        class Broken(torch.nn.Module):
            def forward(self, x):
                raise ValueError("no")

        m, log = Broken(), []
        m.register_forward_hook(lambda mod, args, out: log.append(out), always_call=True)
        m.register_forward_hook(lambda mod, args, out: log.append("never"))
        try:
            m(torch.ones(1))
        except ValueError as error:
            log.append(str(error))
        return log

    twin(scenario)


def test_full_backward_hooks(twin):
    def scenario(torch):
        m, x = data(torch)
        log = []
        m.register_full_backward_pre_hook(lambda mod, go: log.append(("pre", go)))
        m.register_full_backward_hook(lambda mod, gi, go: log.append((gi, go)))
        m.register_full_backward_hook(lambda mod, gi, go: (gi[0] * 3,))
        m.register_full_backward_pre_hook(lambda mod, go: (go[0] * 2,), prepend=True)
        out = m(x)
        out.sum().backward()
        return log, x.grad, m.weight.grad

    twin(scenario, rtol=1e-5, atol=1e-6)


def test_full_backward_hook_without_input_gradient(twin):
    def scenario(torch):
        m, x = data(torch)
        log = []
        m.register_full_backward_hook(lambda mod, gi, go: log.append((gi, go)))
        m(x.detach()).sum().backward()
        with torch.no_grad():
            m(x)
        return log, m.weight.grad

    twin(scenario, rtol=1e-5, atol=1e-6)


def test_full_backward_hook_on_a_network(twin):
    def scenario(torch):
        nn = torch.nn
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
        log = []
        for name, module in net.named_modules():
            module.register_full_backward_hook(
                lambda mod, gi, go, name=name: log.append((name, gi, go))
            )
        net(torch.randn(2, 1, 4, 4)).pow(2).sum().backward()
        return log

    twin(scenario, rtol=1e-4, atol=1e-5)


def test_hooks_with_several_outputs(twin):
    def scenario(torch):
        class Two(torch.nn.Module):
            def forward(self, x, y, n):
                return x * y, x + y, n

        log = []
        m = Two()
        m.register_full_backward_hook(lambda mod, gi, go: log.append((gi, go)))
        x, y = torch.ones(2, requires_grad=True), torch.full((2,), 3.0)
        a, _, n = m(x, y, 5)
        a.sum().backward()
        return log, n, x.grad

    twin(scenario)


@pytest.mark.parametrize("kind", ["length", "no input"])
def test_backward_hook_errors(twin, kind):
    def scenario(torch):
        m, x = data(torch)
        if kind == "length":
            m.register_full_backward_hook(lambda mod, gi, go: (gi[0], gi[0]))
        else:
            x = x.detach()
            m.register_full_backward_hook(lambda mod, gi, go: (torch.ones(1),))
        m(x).sum().backward()

    twin(scenario)


def test_legacy_backward_hook(twin):
    def scenario(torch):
        log = []
        m = torch.nn.Tanh()
        m.register_backward_hook(lambda mod, gi, go: log.append((gi, go)))
        x = torch.tensor([0.5, 1.0], requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            m(x).sum().backward()
        return log, x.grad

    twin(scenario, rtol=1e-5)


def test_legacy_and_full_do_not_mix(twin):
    def scenario(torch):
        m, _ = data(torch)
        m.register_full_backward_hook(lambda *a: None)
        m.register_backward_hook(lambda *a: None)

    twin(scenario)


def test_global_hooks(twin):
    def scenario(torch):
        where = torch.nn.modules.module
        m, x = data(torch)
        log = []
        handles = [
            where.register_module_forward_pre_hook(lambda mod, args: log.append("pre")),
            where.register_module_forward_hook(lambda mod, args, out: log.append("post")),
            where.register_module_full_backward_pre_hook(lambda mod, go: log.append("gpre")),
            where.register_module_full_backward_hook(lambda mod, gi, go: log.append("grad")),
            where.register_module_parameter_registration_hook(
                lambda mod, name, value: log.append(name)
            ),
            where.register_module_buffer_registration_hook(
                lambda mod, name, value: log.append(name)
            ),
            where.register_module_module_registration_hook(
                lambda mod, name, value: log.append(name)
            ),
        ]
        m.register_forward_hook(lambda mod, args, out: log.append("own"))
        try:
            m(x).sum().backward()
            torch.nn.Sequential(torch.nn.BatchNorm1d(1))
        finally:
            for handle in handles:
                handle.remove()
        m(x)
        return log

    twin(scenario)


def test_hook_sees_views_and_keeps_double_backward(twin):
    def scenario(torch):
        m = torch.nn.Tanh()
        m.register_full_backward_hook(lambda mod, gi, go: None)
        x = torch.tensor([0.3, -0.7], requires_grad=True)
        (g,) = torch.autograd.grad(m(x).sum(), x, create_graph=True)
        (h,) = torch.autograd.grad(g.sum(), x)
        return g, h

    twin(scenario, rtol=1e-5)
