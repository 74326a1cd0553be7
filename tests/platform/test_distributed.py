"""Several processes: collectives, DistributedDataParallel, spawn, the launcher."""

import os
import socket
import subprocess
import sys
import textwrap

import pytest

import facula
from facula import multiprocessing as mp

WORK = """
import os, torch, torch.distributed as dist, torch.nn as nn
dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
def say(*args):
    if rank == 0:
        print(*args, flush=True)
t = torch.arange(3.0) + rank; dist.all_reduce(t); say(t)
t = torch.tensor([rank + 1.0]); dist.all_reduce(t, op=dist.ReduceOp.PRODUCT); say(t)
big = torch.ones(50000) * (rank + 1); dist.all_reduce(big); say(big.sum())
t = torch.tensor([rank]); dist.broadcast(t, src=1); say(t)
parts = [torch.zeros(2) for _ in range(world)]
dist.all_gather(parts, torch.ones(2) * rank); say(parts)
g = [torch.zeros(1) for _ in range(world)] if rank == 0 else None
dist.gather(torch.ones(1) * rank, g, dst=0); say(g)
o = torch.zeros(1)
dist.scatter(o, [torch.ones(1) * i * 10 for i in range(world)] if rank == 0 else None, src=0)
r = o.clone(); dist.reduce(r, dst=0); say(r)
if rank == 0:
    dist.send(torch.full((2,), 5.0), 1)
elif rank == 1:
    b = torch.zeros(2); dist.recv(b, 0); assert b.tolist() == [5.0, 5.0]
objects = [None] * world; dist.all_gather_object(objects, {"rank": rank}); say(objects)
objects = [rank, "x" * rank]; dist.broadcast_object_list(objects, src=1); say(objects)
out = torch.zeros(2)
dist.reduce_scatter(out, [torch.ones(2) * (i + rank) for i in range(world)]); say(out)
sub = dist.new_group([1]); say(dist.get_rank(sub) if rank else dist.get_rank())
torch.manual_seed(rank)
net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
ddp = nn.parallel.DistributedDataParallel(net)
optimizer = torch.optim.SGD(ddp.parameters(), lr=0.1)
torch.manual_seed(0)
x, y = torch.randn(world * 8, 4), torch.randn(world * 8, 2)
data = torch.utils.data.TensorDataset(x, y)
sampler = torch.utils.data.distributed.DistributedSampler(data)
for epoch in range(2):
    sampler.set_epoch(epoch)
    for a, b in torch.utils.data.DataLoader(data, batch_size=4, sampler=sampler):
        optimizer.zero_grad()
        ((ddp(a) - b) ** 2).mean().backward()
        optimizer.step()
say([round(p.sum().item(), 3) for p in ddp.parameters()], sorted(ddp.state_dict())[:2])
flat = torch.cat([p.detach().reshape(-1) for p in ddp.parameters()])
all_flat = [torch.zeros_like(flat) for _ in range(world)]; dist.all_gather(all_flat, flat)
assert all(torch.equal(all_flat[0], other) for other in all_flat)
with ddp.no_sync():
    ddp(a).sum().backward()
dist.barrier()
dist.destroy_process_group()
"""


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def _run(command, world, tmp_path):
    script = tmp_path / "work.py"
    script.write_text(WORK)
    port = _free_port()
    processes = []
    for rank in range(world):
        env = dict(os.environ, RANK=str(rank), WORLD_SIZE=str(world), MASTER_PORT=port,
                   MASTER_ADDR="127.0.0.1", OMP_NUM_THREADS="1")  # fmt: skip
        processes.append(
            subprocess.Popen([*command, str(script)], env=env, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        )  # fmt: skip
    outputs = [p.communicate(timeout=120) for p in processes]
    assert all(p.returncode == 0 for p in processes), [e[-2000:] for _, e in outputs]
    return outputs[0][0]


@pytest.mark.slow
def test_two_processes_do_what_pytorch_does(tmp_path):
    pytest.importorskip("torch")
    ours = _run([sys.executable, "-m", "facula", "run"], 2, tmp_path)
    theirs = _run([sys.executable], 2, tmp_path)
    assert ours == theirs


@pytest.mark.slow
def test_the_launcher_starts_processes(tmp_path):
    script = tmp_path / "hello.py"
    script.write_text(
        textwrap.dedent(
            """
            import torch, torch.distributed as dist
            dist.init_process_group()
            t = torch.ones(1); dist.all_reduce(t)
            if dist.get_rank() == 0:
                print("sum", t.item())
            """
        )
    )
    command = [sys.executable, "-m", "facula.distributed.run", "--standalone"]
    done = subprocess.run(
        [*command, "--nproc-per-node=2", str(script)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "sum 2.0" in done.stdout


def test_one_process(tmp_path):
    dist = facula.distributed
    assert dist.is_available() and not dist.is_initialized()
    with pytest.raises(ValueError, match="has not been initialized"):
        dist.get_rank()
    with pytest.raises(ValueError, match="environment variable"):
        dist.init_process_group("gloo")
    with pytest.raises(RuntimeError, match="NCCL"):
        dist.init_process_group("nccl", rank=0, world_size=1)
    dist.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        t = facula.ones(2)
        dist.all_reduce(t)
        parts = [facula.zeros(2)]
        dist.all_gather(parts, t)
        dist.barrier()
        assert parts[0].tolist() == [1.0, 1.0] and dist.get_world_size() == 1
        model = facula.nn.parallel.DistributedDataParallel(facula.nn.Linear(2, 1))
        model(facula.ones(1, 2)).sum().backward()
        assert model.module.weight.grad.tolist() == [[1.0, 1.0]]
        with pytest.raises(ValueError, match="twice"):
            dist.init_process_group("gloo", rank=0, world_size=1)
    finally:
        dist.destroy_process_group()
    assert not dist.is_initialized()


def test_stores(tmp_path):
    dist = facula.distributed
    tcp = dist.TCPStore("127.0.0.1", 0, 1, True)
    for store in (dist.HashStore(), dist.FileStore(str(tmp_path / "s"), 1), tcp):
        store.set("a", "1")
        assert store.get("a") == b"1" and store.add("n", 2) == 2 and store.add("n", 3) == 5
        assert store.check(["a"]) and not store.check(["zzz"])
        inner = dist.PrefixStore("p", store)
        inner.set("a", b"\x00\xff")
        assert inner.get("a") == b"\x00\xff" and store.get("p/a") == b"\x00\xff"
    assert tcp.delete_key("a") and not tcp.check(["a"])


def _echo(rank, queue):
    queue.put((rank, facula.full((2,), float(rank))))


def _fail(rank):
    if rank == 1:
        raise ValueError("oops")


@pytest.mark.slow
def test_spawn_runs_and_reports():
    context = mp.get_context("spawn")
    queue = context.SimpleQueue()
    mp.spawn(_echo, args=(queue,), nprocs=2)
    found = sorted(queue.get() for _ in range(2))
    assert [(r, t.tolist()) for r, t in found] == [(0, [0.0, 0.0]), (1, [1.0, 1.0])]
    with pytest.raises(mp.ProcessRaisedException, match="oops"):
        mp.spawn(_fail, nprocs=2)
