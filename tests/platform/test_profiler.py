"""torch.profiler: ranges of operations, programs, optimizers and names; tables and traces."""

import gzip
import json

import pytest

import facula
from facula import nn
from facula.profiler import ProfilerActivity, profile, record_function


@pytest.fixture(scope="module")
def profiled():
    net = nn.Sequential(nn.Linear(8, 4), nn.ReLU())
    optimizer = facula.optim.SGD(net.parameters(), lr=0.1)
    with profile(
        activities=[ProfilerActivity.CPU], record_shapes=True, with_stack=True, with_flops=True
    ) as prof:
        for _ in range(3):
            with record_function("forward"):
                loss = net(facula.ones(2, 8)).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return prof


def test_operations_programs_and_steps_are_counted(profiled):
    events = {event.key: event for event in profiled.key_averages()}
    assert events["aten::linear"].count == events["aten::relu"].count == 3
    assert events["forward"].count == events["Optimizer.step#SGD.step"].count == 3
    programs = [event for key, event in events.items() if key.startswith("facula::program [")]
    assert sum(event.count for event in programs) >= 3
    assert events["forward"].cpu_time_total >= events["aten::linear"].cpu_time_total
    total = profiled.key_averages().self_cpu_time_total
    assert total == pytest.approx(sum(e.self_cpu_time_total for e in events.values()))


def test_tables(profiled):
    table = profiled.key_averages().table(sort_by="self_cpu_time_total", row_limit=4)
    lines = table.splitlines()
    assert lines[1].split()[:4] == ["Name", "Self", "CPU", "%"] and len(lines) == 3 + 4 + 2
    assert lines[-1].startswith("Self CPU time total: ")
    by_shape = profiled.key_averages(group_by_input_shape=True)
    (linear,) = [e.input_shapes for e in by_shape if "linear" in e.key]
    assert list(linear[0]) == [2, 8]
    assert "[[2, 8], [4, 8], [4]]" in by_shape.table()
    by_stack = profiled.key_averages(group_by_stack_n=2).table()
    assert "Source Location" in by_stack and "test_profiler.py(" in by_stack


def test_files(profiled, tmp_path):
    profiled.add_metadata("note", "text")
    profiled.add_metadata_json("list", "[1, 2]")
    for name, open_file in (("a.json", open), ("a.json.gz", gzip.open)):
        profiled.export_chrome_trace(str(tmp_path / name))
        with open_file(tmp_path / name, "rt") as file:
            trace = json.load(file)
        assert trace["note"] == "text" and trace["list"] == [1, 2]
        kinds = {event["cat"] for event in trace["traceEvents"]}
        assert kinds == {"cpu_op", "program", "user_annotation"}
    profiled.export_stacks(str(tmp_path / "stacks"))
    for line in (tmp_path / "stacks").read_text().splitlines():
        assert "test_profiler.py(" in line and line.rsplit(" ", 1)[1].isdigit()
    with pytest.raises(ValueError):
        profiled.export_stacks(str(tmp_path / "stacks"), "other")


def test_traces_for_tensorboard(tmp_path):
    handler = facula.profiler.tensorboard_trace_handler(str(tmp_path), "me", use_gzip=True)
    with profile(
        schedule=facula.profiler.schedule(wait=1, warmup=1, active=2, repeat=1),
        on_trace_ready=handler,
    ) as prof:
        for _ in range(5):
            facula.ones(3).sum().item()
            prof.step()
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("me.") and file.name.endswith(".pt.trace.json.gz")
    names = [e["name"] for e in json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]]
    assert names.count("aten::sum") == 2 and "ProfilerStep#2" in names


def test_eager_mode_shows_how_the_work_divides():
    with facula.eager_mode(), profile() as prof:
        (facula.ones(300, 300) @ facula.ones(300, 300)).tanh()
    events = {event.key: event for event in prof.key_averages()}
    assert events["aten::matmul"].cpu_time_total > events["aten::matmul"].self_cpu_time_total


def test_nothing_is_left_behind():
    with pytest.raises(KeyError), profile():
        raise KeyError
    before = facula.ones(2) + 1
    assert before.tolist() == [2.0, 2.0]
    assert facula.autograd.profiler.active.collector is None


def test_the_older_form(tmp_path):
    with facula.autograd.profiler.profile(record_shapes=True) as prof:
        with facula.autograd.profiler.record_function("mine"):
            facula.ones(3).mul(2).sum().item()
        assert repr(prof) == "<unfinished torch.autograd.profile>"
        with pytest.raises(RuntimeError, match="didn't finish"):
            prof.key_averages()
    names = {event.key for event in prof.key_averages(group_by_input_shape=True)}
    assert {"mine", "aten::sum"} <= names
    assert prof.self_cpu_time_total > 0 and prof.total_average().count >= 3
    assert "aten::sum" in str(prof) and "# of Calls" in prof.table(sort_by="cpu_time_total")
    prof.export_chrome_trace(str(tmp_path / "trace.json"))
    assert "aten::sum" in (tmp_path / "trace.json").read_text()
    with facula.autograd.profiler.profile(enabled=False) as off:
        facula.ones(3)
    with pytest.raises(RuntimeError, match="didn't finish"):
        off.table()
