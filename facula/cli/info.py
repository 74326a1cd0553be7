"""`facula info`: what is installed and what it runs on."""

import importlib.metadata
import importlib.util
import os
import platform

import click

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


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Show versions, engines and the machine."""
    print(f"{'python':<10} {platform.python_version()} ({platform.system()} {platform.machine()})")
    for package in _PACKAGES:
        print(f"{package:<10} {version_of(package)}")
    print(f"{'engines':<10} reference (NumPy)")
    print(f"{'processor':<10} {_processor()}, {os.cpu_count()} cores")
    for name, value in sorted(os.environ.items()):
        if name.startswith("FACULA_"):
            print(f"{name}={value}")
