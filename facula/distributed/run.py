"""``python -m facula.distributed.run``: starts a script in several processes, as torchrun does."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="facula.distributed.run", description=__doc__)

    def option(name: str, *more: str, **settings) -> None:
        parser.add_argument(f"--{name}", f"--{name.replace('_', '-')}", *more, **settings)

    option("nnodes", default="1", help="number of machines")
    option("nproc_per_node", default="1", help="processes on this machine, or 'auto'")
    option("node_rank", type=int, default=0, help="number of this machine")
    option("master_addr", default="127.0.0.1", help="address of machine 0")
    option("master_port", type=int, default=29500, help="port on machine 0")
    option("standalone", action="store_true", help="one machine, any free port")
    option("rdzv_backend", default="static", help="accepted for compatibility")
    option("rdzv_endpoint", default="", help="host:port, instead of master_addr and master_port")
    option("rdzv_id", default="none", help="name of the run")
    option("max_restarts", type=int, default=0, help="accepted for compatibility")
    parser.add_argument("-m", "--module", action="store_true", help="run a module, not a file")
    parser.add_argument("script")
    parser.add_argument("args", nargs=argparse.REMAINDER)
    return parser.parse_args(argv)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _start(options: argparse.Namespace, local: int, count: int) -> subprocess.Popen:
    machines = int(options.nnodes.split(":")[-1])
    environment = dict(
        os.environ,
        RANK=str(options.node_rank * count + local),
        LOCAL_RANK=str(local),
        GROUP_RANK=str(options.node_rank),
        WORLD_SIZE=str(machines * count),
        LOCAL_WORLD_SIZE=str(count),
        MASTER_ADDR=options.master_addr,
        MASTER_PORT=str(options.master_port),
        TORCHELASTIC_RUN_ID=options.rdzv_id,
    )
    environment.setdefault("OMP_NUM_THREADS", "1")
    module = ["-m"] if options.module else []
    command = [sys.executable, "-m", "facula", "run", *module, options.script, *options.args]
    return subprocess.Popen(command, env=environment)


def _watch(processes: list[subprocess.Popen]) -> int:
    """Wait for all; when one fails, end the others."""
    while True:
        codes = [p.poll() for p in processes]
        failed = next((c for c in codes if c), None)
        if failed is None and None in codes:
            time.sleep(0.1)
            continue
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait()
        return failed or 0


def main(argv: Sequence[str] | None = None) -> int:
    """Start the processes and wait; the exit status is that of the first that failed."""
    options = _arguments(argv)
    if options.rdzv_endpoint:
        host, _, port = options.rdzv_endpoint.partition(":")
        options.master_addr, options.master_port = host, int(port or 29500)
    if options.standalone:
        options.master_addr, options.master_port = "127.0.0.1", _free_port()
    count = options.nproc_per_node
    count = (os.cpu_count() or 1) if count in ("auto", "cpu", "gpu") else int(count)
    return _watch([_start(options, local, count) for local in range(count)])


if __name__ == "__main__":
    sys.exit(main())
