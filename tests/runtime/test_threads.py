"""Several threads record: their programs do not mix."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def test_threads_compute_what_they_would_alone():
    code = """
        import threading
        import facula as torch

        wrong = []

        def work(seed):
            x = torch.arange(5.0) + seed
            for i in range(300):
                y = (x * 2 + i).exp2().log2() if i < 50 else x * 2 + i
                z = (y - i) / 2
                if i % 7 == 0 and max(abs(a - b) for a, b in zip(z.tolist(), x.tolist())) > 1e-3:
                    wrong.append((seed, i, z.tolist()))

        threads = [threading.Thread(target=work, args=(s,)) for s in range(4)]
        for t in threads:
            t.start()
        work(9)
        for t in threads:
            t.join()
        print(wrong)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120
    )
    assert run.stdout.strip() == "[]", run.stdout + run.stderr


def test_a_pending_tensor_can_be_read_by_another_thread():
    code = """
        import threading
        import facula as torch

        x = torch.ones(3) * 2
        found = []
        t = threading.Thread(target=lambda: found.append((x + 1).tolist()))
        t.start()
        t.join()
        print(found, (x + 2).tolist())
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert run.stdout.strip() == "[[3.0, 3.0, 3.0]] [4.0, 4.0, 4.0]", run.stdout + run.stderr
