"""cuda, mps, accelerator, backends: what a build for CPUs answers, beside PyTorch's."""

import subprocess
import sys

import pytest

import facula

EXPRESSIONS = """
torch.cuda.is_available()
torch.cuda.device_count()
torch.cuda.is_initialized()
torch.cuda.current_device()
torch.cuda.synchronize()
torch.cuda.get_device_name(0)
torch.cuda.get_device_properties(0)
torch.cuda.get_device_capability()
torch.cuda.manual_seed(1)
torch.cuda.manual_seed_all(1)
torch.cuda.empty_cache()
torch.cuda.memory_allocated()
torch.cuda.max_memory_allocated()
torch.cuda.memory_reserved()
torch.cuda.memory_stats()
torch.cuda.mem_get_info()
torch.cuda.get_rng_state()
torch.cuda.get_rng_state_all()
torch.cuda.set_rng_state_all([])
torch.cuda.Event(enable_timing=True)
torch.cuda.Stream()
torch.cuda.current_stream()
torch.cuda.set_device(-1)
torch.cuda.set_device("cpu")
torch.cuda.is_bf16_supported()
torch.cuda.FloatTensor(2)
isinstance(torch.ones(1), torch.cuda.FloatTensor)
torch.cuda.nvtx.range_push("a")
torch.cuda.get_arch_list()
torch.ones(1).cuda()
torch.ones(1, device="cuda")
torch.ones(1).to("cuda:0")
torch.backends.cudnn.is_available()
torch.backends.cudnn.version()
torch.backends.cudnn.benchmark
torch.backends.cudnn.enabled
torch.backends.cuda.is_built()
torch.backends.cuda.matmul.allow_tf32
torch.backends.cuda.flash_sdp_enabled()
torch.backends.mps.is_available()
torch.backends.mps.is_built()
torch.mps.synchronize()
torch.mps.manual_seed(1)
torch.accelerator.is_available()
torch.accelerator.device_count()
torch.accelerator.current_accelerator()
torch.accelerator.synchronize()
torch.xpu.is_available()
torch.cpu.is_available()
torch.cpu.device_count()
torch.cpu.synchronize()
torch.get_default_device()
torch.get_device_module("nonsense")
torch.is_vulkan_available()
torch.get_float32_matmul_precision()
torch.are_deterministic_algorithms_enabled()
torch.get_deterministic_debug_mode()
torch.set_deterministic_debug_mode(3)
torch._assert(True, "a")
torch._assert(False, "a")
torch._check(False)
torch._check(False, lambda: "a")
torch.is_warn_always_enabled()
""".strip().splitlines()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_answers_like_pytorch(expression):
    torch = pytest.importorskip("torch")
    if torch.version.cuda is not None:
        pytest.skip("facula answers as PyTorch's build for CPUs does")
    from both import assert_same

    assert_same(expression, facula, torch)


def test_settings_can_be_set():
    cudnn = facula.backends.cudnn
    with cudnn.flags(benchmark=True, deterministic=True):
        assert cudnn.benchmark and cudnn.deterministic
    assert not cudnn.benchmark and not cudnn.deterministic
    facula.set_float32_matmul_precision("high")
    assert facula.backends.cuda.matmul.allow_tf32
    facula.backends.cuda.matmul.allow_tf32 = False
    assert facula.get_float32_matmul_precision() == "highest"
    facula.use_deterministic_algorithms(True, warn_only=True)
    assert facula.get_deterministic_debug_mode() == 1
    facula.use_deterministic_algorithms(False)


def test_importing_facula_loads_none_of_it():
    heavy = "cuda backends distributed distributions jit profiler testing amp multiprocessing"
    code = (
        "import sys, facula; "
        f"print([n for n in '{heavy}'.split() if f'facula.{{n}}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_nothing_is_ever_being_exported():
    assert facula.onnx.is_in_onnx_export() is False
    assert not hasattr(facula.onnx, "export")
