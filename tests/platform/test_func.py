"""torch.func, torch.vmap, torch._foreach_* and torch.utils.benchmark."""

import pytest

import facula
from facula.utils import benchmark

EXPRESSIONS = """
torch.func.grad(lambda x: (x**3).sum())(T([1.,2.]))
torch.func.grad(torch.func.grad(lambda x: x**3))(T(2.))
torch.func.grad_and_value(lambda x: x**2)(T(3.))
torch.func.grad(lambda x,y: (x*y).sum(), argnums=(0,1))(T([1.,2.]),T([3.,4.]))
torch.func.grad(lambda p: (p["a"]*p["b"]).sum())({"a":T([1.]),"b":T([5.])})
torch.func.grad(lambda x: (x**2, x*3), has_aux=True)(T(3.))
torch.func.grad(lambda x: x)(T([1.,2.]))
torch.func.vjp(lambda x: x**2, T([1.,2.]))[1](T([1.,1.]))
torch.func.jvp(lambda x: x**2, (T([1.,2.]),), (T([1.,1.]),))
torch.func.jvp(lambda x,y: x*y, (T([1.,2.]),T([3.,4.])), (T([1.,0.]),T([0.,1.])))
torch.func.jacrev(lambda x: x**2)(T([1.,2.,3.]))
torch.func.jacfwd(lambda x: x**2)(T([1.,2.,3.]))
torch.func.hessian(lambda x: (x**3).sum())(T([1.,2.]))
torch.func.jacrev(lambda x,y: (x.outer(y).sin(), {"s": x*y}), argnums=(0,1))(T([1.,2.]),T([3.,4.]))
torch.func.jacfwd(lambda x,y: (x.outer(y).sin(), {"s": x*y}), argnums=(0,1))(T([1.,2.]),T([3.,4.]))
torch.func.jacfwd(lambda d: d["a"].exp()*d["b"])({"a":T([1.,2.]),"b":T(3.)})
torch.func.jacfwd(lambda x: (x**2, x*3), has_aux=True)(T([3.,1.]))
torch.func.jacrev(lambda x: (x**2, x*3), has_aux=True)(T([3.,1.]))
torch.func.vjp(lambda x: (x**2, x*3), T([3.,1.]), has_aux=True)[2]
torch.func.jvp(lambda x: (x**2, x*3), (T([3.,1.]),), (T([3.,1.]),), has_aux=True)
torch.func.jvp(torch.func.grad(lambda x: x.prod()), (T([3.,1.]),), (T([3.,1.]),))
torch.func.jacfwd(lambda x: torch.ones(2))(T([3.,1.,2.]))
torch.func.jacfwd(torch.func.jacrev(lambda x: x.outer(x).sin().sum(1)))(T([1.,2.]))
torch.func.jacrev(torch.func.jacfwd(lambda x: x.outer(x).sin().sum(1)))(T([1.,2.]))
torch.func.hessian(lambda x,y: (x**3*y).sum(), argnums=(0,1))(T([1.,2.]),T([3.,4.]))
torch.func.hessian(lambda x: x.view(2,1)*x.exp())(T([1.,2.]))
torch.vmap(torch.func.hessian(lambda x: x.prod()))(T([[1.,2.],[3.,4.]]))
torch.vmap(torch.dot)(torch.ones(3,2),torch.ones(3,2))
torch.vmap(lambda x,y: x+y, in_dims=(0,None))(torch.ones(3,2),T([1.,2.]))
torch.vmap(lambda x: x*2, in_dims=1, out_dims=1)(torch.ones(3,2))
torch.vmap(lambda x: (x.sum(), x*2))(torch.ones(3,2))
torch.vmap(torch.func.grad(lambda x: (x**2).sum()))(T([[1.,2.],[3.,4.]]))
torch.vmap(torch.vmap(lambda x: x.sin()))(torch.ones(2,3))
torch.vmap(lambda d: d["a"]*2)({"a": torch.ones(2)})
torch.vmap(lambda x,y:x+y)(torch.ones(2),torch.ones(3))
torch.vmap(lambda x,y:x+y, in_dims=(0,))(torch.ones(2),torch.ones(3))
torch.func.functional_call(torch.nn.Linear(1,1), {"weight":T([[2.]]),"bias":T([3.])}, T([[1.]]))
torch.func.functional_call(torch.nn.Linear(2,1), {"weight":T([[1.,2.]])}, T([[1.,1.]])).shape
torch._foreach_add([T([1.]),T([2.])], 2)
torch._foreach_mul([T([1.]),T([2.])], [T([3.]),T([4.])])
torch._foreach_addcmul([T([1.])],[T([2.])],[T([3.])],value=2)
torch._foreach_sqrt([T([4.])])
torch._foreach_lerp([T([0.])],[T([10.])],0.3)
torch._foreach_norm([T([3.,4.])])
torch._foreach_maximum([T([1.,5.])], 3.)
torch.ones(2).coalesce()
torch.ones(2).sparse_dim()
torch.ones(2,2).dense_dim()
""".strip().splitlines()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_like_pytorch(expression):
    torch = pytest.importorskip("torch")
    from both import assert_same

    assert_same(expression, facula, torch)


def test_gradients_of_each_example():
    """The use vmap is best known for: gradients for each example of a batch."""
    torch = pytest.importorskip("torch")
    found = []
    for lib in (facula, torch):
        lib.manual_seed(0)
        model = lib.nn.Linear(3, 1)
        params = {name: p.detach() for name, p in model.named_parameters()}
        x, y = lib.randn(4, 3), lib.randn(4, 1)

        def loss(params, a, b, lib=lib, model=model):
            return ((lib.func.functional_call(model, params, (a,)) - b) ** 2).sum()

        each = lib.vmap(lib.func.grad(loss), in_dims=(None, 0, 0))(params, x, y)
        found.append([[round(v, 4) for v in g.reshape(-1).tolist()] for g in each.values()])
    assert found[0] == found[1]


def test_foreach_in_place():
    values = [facula.ones(2), facula.zeros(3)]
    facula._foreach_add_(values, 1)
    facula._foreach_mul_(values, [2.0, 3.0])
    assert [v.tolist() for v in values] == [[4.0, 4.0], [3.0, 3.0, 3.0]]
    facula._foreach_zero_(values)
    assert all(float(v.sum()) == 0 for v in values)


def test_timer_measures_and_compares(capsys):
    seen = []
    timer = benchmark.Timer(
        "seen.append(1)", globals={"seen": seen}, label="append", description="list"
    )
    once = timer.timeit(50)
    assert once.number_per_run == 50 and len(seen) >= 50 and once.mean > 0
    several = timer.blocked_autorange(min_run_time=0.01)
    assert several.median > 0 and "runs per measurement" in repr(several)
    single = benchmark.Timer("pass").timeit(10)
    lines = repr(single).splitlines()
    assert lines[0].startswith("<torch.utils.benchmark.utils.common.Measurement object at 0x")
    assert lines[1] == "pass" and lines[3] == "  1 measurement, 10 runs , 1 thread"
    benchmark.Compare([once, several]).print()
    assert "append" in capsys.readouterr().out
