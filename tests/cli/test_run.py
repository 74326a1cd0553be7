"""`facula run`: what a script sees is what Python would show it, with torch from facula."""

import textwrap

import pytest


@pytest.fixture
def script(tmp_path):
    def write(text, name="script.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return path

    return write


def test_script_sees_what_python_shows(script, facula_command, tmp_path):
    (tmp_path / "helper.py").write_text("value = 3")
    script(
        """
        import sys, os, inspect, helper
        print(__name__, __file__, sys.argv[1:], __spec__, helper.value)
        print(os.path.samefile(sys.path[0], os.getcwd()), sys.modules["__main__"].__file__)
        def f(): pass
        print(inspect.getsource(f).strip())
        """
    )
    done = facula_command("run", "script.py", "--lr", "0.1", "-h", "--", "x")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "__main__ script.py ['--lr', '0.1', '-h', '--', 'x'] None 3",
        "True script.py",
        "def f(): pass",
    ]


def test_common_imports_are_facula(script, facula_command):
    script(
        """
        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        import torch.optim as optim
        import torchvision
        import torchvision.transforms as transforms
        from torch.autograd import Variable
        from torch.utils.data import DataLoader, Dataset
        from torch.optim import lr_scheduler
        from torchvision import datasets, models
        import facula, facula.nn, facula.vision
        assert torch is facula and nn is facula.nn and torchvision is facula.vision
        assert F is facula.nn.functional and torch.nn.functional is F
        assert torch.utils.data.DataLoader is DataLoader
        assert nn.__spec__.name == "facula.nn"
        net = nn.Linear(3, 2)
        loss = F.mse_loss(net(Variable(torch.ones(4, 3))), torch.zeros(4, 2))
        loss.backward()
        print(net.weight.grad.shape)
        """
    )
    done = facula_command("run", "script.py")
    assert (done.stdout, done.stderr) == ("torch.Size([2, 3])\n", "")


def test_classes_have_their_names(script, facula_command):
    """`print(type(x))` shows what PyTorch shows, and pickles find the classes again."""
    script(
        """
        import pickle
        import torch
        from torch import nn, optim
        import torchvision.models
        from torchvision import transforms
        x = torch.ones(2)
        layer = nn.Linear(2, 2)
        for value in (x, layer, layer.weight, x.shape, x.dtype, x.device, nn.Sequential(),
                      optim.Adam([x]), torch.utils.data.DataLoader([1]), transforms.ToTensor(),
                      optim.lr_scheduler.StepLR(optim.SGD([x]), 1), nn.MSELoss(),
                      torch.distributions.Normal(0.0, 1.0)):
            kind = type(value)
            print(kind)
            assert pickle.loads(pickle.dumps(kind)) is kind
        print(torch.autograd.Function, torch.typename(layer), torch.nn.Module)
        """
    )
    done = facula_command("run", "script.py")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "<class 'torch.Tensor'>",
        "<class 'torch.nn.modules.linear.Linear'>",
        "<class 'torch.nn.parameter.Parameter'>",
        "<class 'torch.Size'>",
        "<class 'torch.dtype'>",
        "<class 'torch.device'>",
        "<class 'torch.nn.modules.container.Sequential'>",
        "<class 'torch.optim.adam.Adam'>",
        "<class 'torch.utils.data.dataloader.DataLoader'>",
        "<class 'torchvision.transforms.transforms.ToTensor'>",
        "<class 'torch.optim.lr_scheduler.StepLR'>",
        "<class 'torch.nn.modules.loss.MSELoss'>",
        "<class 'torch.distributions.normal.Normal'>",
        "<class 'torch.autograd.function.Function'> torch.nn.modules.linear.Linear "
        "<class 'torch.nn.modules.module.Module'>",
    ]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import torch\ntorch.no_such_name", "facula has no torch.no_such_name (yet)"),
        ("import torch\ntorch.nn.Linera", "did you mean torch.nn.Linear?"),
        ("import torch.no_such_part", "facula has no torch.no_such_part (yet)"),
        ("import torchvision.no.part", "facula has no torchvision.no (yet)"),
        ("from torch.nn import NoSuchLayer", "facula has no torch.nn.NoSuchLayer (yet)"),
        ("import torch\ntorch.ones(2).no_such()", "facula has no torch.Tensor.no_such (yet)"),
    ],
)
def test_missing_names_say_so_at_their_use(script, facula_command, code, message):
    script("print('before')\n" + code)
    done = facula_command("run", "script.py")
    assert done.returncode == 1
    assert done.stdout == "before\n"
    assert message in done.stderr.splitlines()[-1]
    assert "cli/" not in done.stderr
    assert f'File "script.py", line {len(code.splitlines()) + 1}' in done.stderr


def test_probing_for_names_works(script, facula_command):
    script(
        """
        import importlib.util
        import torch
        print(hasattr(torch, "no_such_name"), getattr(torch.nn, "NoSuch", 5))
        print(importlib.util.find_spec("torch.no_such_part"))
        try:
            import torch.no_such_part
        except ImportError:
            print("guarded")
        """
    )
    assert facula_command("run", "script.py").stdout == "False 5\nNone\nguarded\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_child_processes_see_facula(script, facula_command, method):
    script(
        f"""
        import multiprocessing
        import torch
        class Local:
            pass
        def work(queue, local):
            import torch, torchvision
            import torch.nn as nn
            queue.put((torch.__name__, torchvision.__name__, nn.__name__, type(local).__name__))
        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            queue = context.Queue()
            process = context.Process(target=work, args=(queue, Local()))
            process.start()
            print(queue.get(timeout=60))
            process.join()
        """
    )
    done = facula_command("run", "script.py")
    assert done.stdout == "('facula', 'facula.vision', 'facula.nn', 'Local')\n", done.stderr


def test_exit_status_and_tracebacks(script, facula_command):
    script("import sys\nsys.exit(7)")
    assert facula_command("run", "script.py").returncode == 7
    script("import sys\nsys.exit('no luck')")
    done = facula_command("run", "script.py")
    assert (done.returncode, done.stderr) == (1, "no luck\n")
    script("def f():\n    return 1 / 0\n\nf()")
    done = facula_command("run", "script.py")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == '  File "script.py", line 4, in <module>'
    assert lines[-1] == "ZeroDivisionError: division by zero"
    script("x = = 1")
    done = facula_command("run", "script.py")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == '  File "script.py", line 1'


def test_module_and_code(facula_command, tmp_path):
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tool.py").write_text(
        "import sys, torch\nprint(__name__, sys.argv[1:], __package__)"
    )
    done = facula_command("run", "-m", "pack.tool", "-x", "1")
    assert done.stdout == "__main__ ['-x', '1'] pack\n"
    done = facula_command("run", "-c", "import sys, torch; print(torch.__name__, sys.argv)", "a")
    assert done.stdout == "facula ['-c', 'a']\n"


def test_folder_with_main(facula_command, tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").write_text("import torch, other\nprint(other.name)")
    (tmp_path / "app" / "other.py").write_text("import torch\nname = torch.__name__")
    assert facula_command("run", "app").stdout == "facula\n"


def test_torch_is_loaded_only_when_asked_for(facula_command):
    done = facula_command("run", "-c", "import sys; print('torch' in sys.modules)")
    assert done.stdout == "False\n"
