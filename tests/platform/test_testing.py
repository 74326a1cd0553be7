"""torch.testing, torch.jit, torch.random, torch.compiler and torch.profiler."""

import json

import pytest

import facula

CLOSE = """
torch.testing.assert_close(T([1.0, 2, 3]), T([1.0, 2, 4]))
torch.testing.assert_close(T([1, 2]), T([1, 3]))
torch.testing.assert_close(1.0, 2.0)
torch.testing.assert_close(1, 2)
torch.testing.assert_close(T([1.0]), T([1.0], dtype=torch.float64))
torch.testing.assert_close(T([1.0]), T([1.0, 2.0]))
torch.testing.assert_close([T([1.0]), T([2.0])], [T([1.0]), T([3.0])])
torch.testing.assert_close({"a": T(1.0)}, {"a": T(2.0)})
torch.testing.assert_close({"a": 1}, {"b": 1})
torch.testing.assert_close([1], [1, 2])
torch.testing.assert_close(T([float("nan")]), T([float("nan")]))
torch.testing.assert_close(T([float("nan")]), T([float("nan")]), equal_nan=True)
torch.testing.assert_close(1, 1.0)
torch.testing.assert_close(T([1.0]), T([1.1]), rtol=1)
torch.testing.assert_close(T([1.0]), T([1.1]), rtol=0.2, atol=0)
torch.testing.assert_close(T([True]), T([False]))
torch.testing.assert_close(T([1.0]), T([2.0]), msg="hi")
torch.testing.assert_close(T([float("inf")]), T([float("inf")]))
torch.testing.assert_close(T([[1.0, 2], [3, 4]]), T([[1.0, 2], [3.5, 4]]))
torch.testing.assert_close("a", "a")
torch.testing.assert_allclose(T([1.0]), T([1.00005], dtype=torch.float64))
torch.testing.assert_allclose([1.0, float("nan")], T([1.0, float("nan")]))
torch.testing.assert_allclose(T([1.0, 2.0]), T([1.0, 3.0]))
torch.testing.assert_allclose(T([1.0]), 1.1, rtol=1)
torch.testing.assert_allclose(T([1.0]), T([2.0]), msg="hi")
""".strip().splitlines()


@pytest.mark.filterwarnings("ignore:.*assert_allclose:FutureWarning")
@pytest.mark.parametrize("expression", CLOSE)
def test_assert_close_says_what_pytorch_says(expression):
    torch = pytest.importorskip("torch")
    texts = []
    for lib in (facula, torch):
        try:
            eval(expression, {"torch": lib, "T": lib.tensor})
            texts.append("passed")
        except Exception as error:
            texts.append(f"{type(error).__name__}: {error}")
    assert texts[0] == texts[1]


@pytest.mark.parametrize("kind", ["float32", "int64", "bool", "uint8", "complex64"])
def test_make_tensor(kind):
    dtype = getattr(facula, kind)
    x = facula.testing.make_tensor((3, 4), dtype=dtype, device="cpu", noncontiguous=True)
    assert x.shape == (3, 4) and x.dtype is dtype and not x.is_contiguous()
    if kind == "float32":
        low = facula.testing.make_tensor(50, dtype=dtype, device="cpu", low=2, high=3)
        assert float(low.min()) >= 2 and float(low.max()) < 3


def test_script_and_trace_return_the_code_itself():
    module = facula.nn.Linear(2, 2)
    assert not isinstance(module, facula.jit.ScriptModule)
    assert facula.jit.script(module) is module
    assert isinstance(module, facula.jit.ScriptModule)
    traced = facula.jit.trace(facula.nn.Linear(2, 1), facula.ones(1, 2))
    assert isinstance(traced, facula.jit.ScriptModule) and traced(facula.ones(3, 2)).shape == (3, 1)

    @facula.jit.script
    def double(x):
        return x * 2

    class Scripted(facula.jit.ScriptModule):
        @facula.jit.script_method
        def forward(self, x):
            return double(x)

    assert Scripted()(facula.ones(1)).item() == 2
    assert not facula.jit.is_scripting() and facula.jit.annotate(int, 3) == 3
    assert facula.jit.isinstance([1, 2], list[int]) and not facula.jit.isinstance(["a"], list[int])


def test_compiler_decorators_leave_functions_alone():
    def f(x):
        return x

    assert facula.compiler.disable(f) is f and facula.compiler.disable()(f) is f
    assert not facula.compiler.is_compiling()


def test_fork_rng_restores_the_stream():
    facula.manual_seed(1)
    expected = facula.rand(2).tolist()
    facula.manual_seed(1)
    with facula.random.fork_rng():
        facula.rand(10)
    assert facula.rand(2).tolist() == expected


def test_profiler_counts_operations(tmp_path):
    model = facula.nn.Linear(3, 2)
    named = facula.profiler.record_function("forward")
    with facula.profiler.profile(record_shapes=True) as prof, named:
        for _ in range(3):
            model(facula.ones(4, 3)).relu().sum().item()
    events = {event.key: event for event in prof.key_averages()}
    assert events["aten::linear"].count == 3 and events["forward"].count == 1
    assert events["forward"].cpu_time_total >= events["aten::linear"].cpu_time_total
    assert "aten::relu" in prof.key_averages().table(sort_by="cpu_time_total", row_limit=8)
    prof.export_chrome_trace(str(tmp_path / "trace.json"))
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert any(event["name"] == "forward" for event in trace["traceEvents"])


def test_profiler_schedule():
    ready = []
    plan = facula.profiler.schedule(wait=1, warmup=1, active=2, repeat=2)
    with facula.profiler.profile(
        schedule=plan, on_trace_ready=lambda p: ready.append(p.step_num)
    ) as prof:
        for _ in range(10):
            facula.ones(2).sum().item()
            prof.step()
    assert ready == [4, 8]
