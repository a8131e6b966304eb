"""Parameters, operations and inference time of a network (2D-GAN, Table 2).

Operations are multiply-accumulates of one forward pass; the paper's "FLOPs" are those that the thop
library counts. A time belongs to the machine that it was measured on.
"""

import copy
import hashlib
import json
import platform
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter

import torch
from thop import profile
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lib.files import write_text
from lib.paths import cache_dir
from lib.provenance import code_hash, module_closure
from lib.training.record import describe_device


def macs_torch(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of a forward pass on `shape`, (B, C, H, W), by torch's own counter.

    Convolutions and matrix products, transposed convolutions by the products they really need: each
    input position times the kernel. Bias, normalisation and activations are free.
    """
    network = copy.deepcopy(network).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(_images(network, shape))
    return counter.get_total_flops() // 2  # it counts a multiply-accumulate as two


def macs_thop(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of a forward pass on `shape`, (B, C, H, W), as the paper's thop counts.

    A convolution costs its output elements times input channels times kernel, without its bias. It
    takes that rule for transposed convolutions as well, which at stride 2 is four times what they
    need. Batch norm costs 4 an element, activations nothing. What a network computes outside
    modules (concatenations, sums, the attention's products of maps) is not seen.

    thop leaves buffers behind in the network, so a copy is profiled.
    """
    network = copy.deepcopy(network).eval()
    operations, _ = profile(network, (_images(network, shape),), verbose=False)
    return int(operations)


@dataclass(frozen=True)
class InferenceTime:
    """Milliseconds a forward pass: mean and standard deviation over the runs, and on what."""

    mean_ms: float
    sd_ms: float
    runs: int
    device: str
    torch: str
    network: str
    shape: tuple[int, ...]


def inference_time(
    network: nn.Module, shape: tuple[int, ...], runs: int = 100, warm_up: int = 10
) -> InferenceTime:
    """Time of one forward pass on `shape`, (B, C, H, W), where the network is (2D-GAN, Table 2).

    As the paper: the mean of 100 runs on one image; evaluation mode, no gradients, after `warm_up`
    runs that are not counted. At least two runs, for the standard deviation.

    Measured once for a machine and then read from the cache, so that running the kit again gives
    the same numbers: `timings/` of `lib.paths.cache_dir`, one file for each network (its layers and
    the code of its module), shape, device with its threads, version of torch, and number of runs.
    Delete that folder to measure anew. A busy machine gives times several times too long: where the
    standard deviation is not small against the mean, measure again when it is idle.
    """
    device = next(network.parameters()).device
    question = {
        "network": type(network).__name__, "shape": tuple(shape), "runs": runs,
        "device": device_name(device), "torch": torch.__version__,
    }  # fmt: skip
    key = json.dumps([question, warm_up, str(network), _code(network)])
    file = cache_dir("timings") / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    if not file.exists():
        times = _measure(copy.deepcopy(network).eval(), shape, runs, warm_up)
        answer = InferenceTime(mean_ms=mean(times), sd_ms=stdev(times), **question)
        write_text(file, json.dumps(asdict(answer), indent=1) + "\n")
    known = json.loads(file.read_text())
    return InferenceTime(**{**known, "shape": tuple(known["shape"])})


def device_name(device: torch.device) -> str:
    """As a run's record names it; a CPU with its model, where the system tells it (Linux)."""
    if device.type == "cuda":
        return describe_device(device)
    system = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", system.read_text()) if system.exists() else None
    model = found[1].strip() if found else platform.processor()
    return ", ".join(part for part in (model, describe_device(device)) if part)


def _measure(network: nn.Module, shape: tuple[int, ...], runs: int, warm_up: int) -> list[float]:
    """Milliseconds of each run after the warm-up."""
    images, times = _images(network, shape), []
    with torch.no_grad():
        for _ in range(warm_up + runs):
            _wait(images.device)
            start = perf_counter()
            network(images)
            _wait(images.device)
            times.append(1000 * (perf_counter() - start))
    return times[warm_up:]


def _wait(device: torch.device) -> None:
    """A GPU is given work and not waited for: wait until it is idle."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _images(network: nn.Module, shape: tuple[int, ...]) -> Tensor:
    return torch.full(shape, 0.5, device=next(network.parameters()).device)


def _code(network: nn.Module) -> str:
    module = type(network).__module__
    return code_hash(module_closure(module)) if module.split(".")[0] == "lib" else module
