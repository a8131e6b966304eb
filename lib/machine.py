"""The machine a result was made on: devices, seeding, versions, memory."""

import os
import platform
import re
import resource
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("torch", "torchvision", "numpy", "scikit-image", "opencv-contrib-python-headless")


def choose_device(name: str) -> torch.device:
    """`auto` takes a GPU where there is one. Raises ValueError where `cuda` is not there."""
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"unknown device {name!r}; there are auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("PyTorch finds no CUDA GPU here; use the device cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",") if named else [str(k) for k in range(torch.cuda.device_count())]


def make_deterministic(seed: int) -> None:
    """Seed torch and ask for deterministic kernels: exact on the CPU, nearly so on a GPU."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a guard that costs time
    torch.manual_seed(seed)


def versions() -> dict[str, str]:
    """Python's version and those of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except ImportError:  # e.g. a GPU machine with another OpenCV build
            found[package] = "not installed"
    return found


def processor() -> str:
    """The model of the CPU, where the system tells it (Linux)."""
    system = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", system.read_text()) if system.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def describe_device(device: torch.device) -> str:
    """The device as a reader would name it: the GPU, or the CPU and its threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()}, {torch.get_num_threads()} threads"


def peak_memory_mb(device: torch.device) -> int:
    """Peak memory of this process so far, in MiB: on the GPU where it trains, else resident.

    A job of run_all.sh comes to some 300 MiB less than the same by hand: it is forked from a
    process that has loaded the libraries, and of these only counts what it touches.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) // 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**10
