"""`facula info`: what is installed and what it runs on."""

import importlib.metadata
import importlib.util
import os
import platform

import click

from facula.base.flags import flags
from facula.engines.native import cache, llvm, target

_PACKAGES = ("facula", "numpy", "pillow", "tqdm", "click", "llvmlite", "jax", "torch")


def version_of(package: str) -> str:
    """The installed version of a distribution, in words where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _native_engine() -> str:
    """What compiled code uses of this CPU, or why there is none."""
    try:
        host = target.host()
    except llvm.Unavailable as error:
        return f"not available: {error}"
    vectors = f"vectors of {host.vector_bits} bits" if host.vector_bits else "no vectors"
    return f"{vectors}, {target.cores()} threads, for {host.cpu}"


def _cache() -> str:
    """Where compiled code is kept, and how much of it."""
    folder = cache.directory()
    if folder is None:
        return "off (FACULA_CACHE=0)" if flags.cache == "0" else "off (there is no home folder)"
    files, size = cache.usage()
    return f"{folder}: {files} files, {size / 1e6:.1f} of at most {flags.cache_bytes / 1e6:.0f} MB"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--clear-cache", is_flag=True, help="Remove the compiled code kept on disk.")
def command(clear_cache: bool) -> None:
    """Show versions, engines, the machine and the cache of compiled code."""
    if clear_cache:
        files, size = cache.clear()
        print(f"removed {files} files of compiled code, {size / 1e6:.1f} MB")
        return
    print(f"{'python':<10} {platform.python_version()} ({platform.system()} {platform.machine()})")
    for package in _PACKAGES:
        print(f"{package:<10} {version_of(package)}")
    print(f"{'engines':<10} reference (NumPy), native (LLVM)")
    print(f"{'native':<10} {_native_engine()}")
    print(f"{'cache':<10} {_cache()}")
    print(f"{'processor':<10} {_processor()}, {os.cpu_count()} cores")
    for name, value in sorted(os.environ.items()):
        if name.startswith("FACULA_"):
            print(f"{name}={value}")
