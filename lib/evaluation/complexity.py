"""Parameters, operations and inference time of a network (2D-GAN, Table 2).

Operations are multiply-accumulates of one forward pass; the paper's "FLOPs" are those that the thop
library counts. Networks that are built are counted as they are; for thousands of channel plans at
once there are formulas over lists of layers. A time belongs to the machine it was measured on.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from thop import profile
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lib.data.packs import pack
from lib.machine import describe_device
from lib.provenance import identity

SIDE = 128  # pixels of the images of Table 2, height and width
COUNTERS = ("thop", "true")  # as `macs_thop` counts, or `macs_torch`


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


class Counts(NamedTuple):
    """Parameters, and multiply-accumulates of a forward pass; numbers, or one a plan."""

    parameters: int | np.ndarray
    operations: int | np.ndarray


class Layer(NamedTuple):
    """A convolution to a square map of `side` pixels; `norm`: a batch norm follows.

    `inputs` and `outputs` are channels: numbers, or one for each of many plans.
    """

    kernel: int
    inputs: int | np.ndarray
    outputs: int | np.ndarray
    side: int
    norm: bool = True
    bias: bool = False
    transposed: bool = False  # of stride 2, the only kind here


def count(layers: Iterable[Layer], counter: str = "thop") -> Counts:
    """Sums over the layers for one image, what COUNTERS find on the network built.

    Raises ValueError for another counter.
    """
    if counter not in COUNTERS:
        raise ValueError(f"unknown counter {counter!r}; there are {', '.join(COUNTERS)}")
    thop = counter == "thop"
    parameters = operations = 0
    for layer in layers:
        weights = layer.kernel**2 * layer.inputs * layer.outputs
        side = layer.side // 2 if layer.transposed and not thop else layer.side
        parameters += weights + layer.outputs * (2 * layer.norm + layer.bias)
        operations += weights * side**2 + 4 * layer.outputs * layer.side**2 * (layer.norm and thop)
    return Counts(parameters, operations)


def generator_layers(
    widths: Sequence, channels: int = 1, conv1: int = 1, conv2: int = 3
) -> Iterator[Layer]:
    """The complete generator (C5) of `lib.networks.two_d_gan` on images of SIDE pixels.

    Args:
        widths: channels of the levels, each a number or an array with one for each plan.
        channels: of an image, 1 grey or 3 RGB.
        conv1: kernel of the first two convolutions of an external skip (Eq. 3).
        conv2: kernel of the third, of stride 2.
    """
    sides = [SIDE // 2**depth for depth in range(1, len(widths) + 1)]
    levels = list(zip(widths, sides))
    for before, (width, side) in zip((channels, *widths), levels):  # first encoder
        yield Layer(4, before, width, side)
    yield Layer(4, channels, widths[0], sides[0])  # second encoder, the rest of which is Eq. 3
    for maps in (2, 3):  # the decoders: Eq. 2 joins one more map of the level's width, Fig. 4 two
        before = widths[-1]
        for width, side in reversed(levels[:-1]):
            yield Layer(4, before, width, side, transposed=True)
            before = maps * width
        yield Layer(4, before, channels, SIDE, norm=False, bias=True, transposed=True)
    for (width, side), (deeper, half) in zip(levels, levels[1:]):
        yield Layer(conv1, 2 * width, width, side, norm=False)  # external skips, Eq. 3
        yield Layer(conv1, 2 * width, width, side)
        yield Layer(conv2, width, deeper, half, norm=False)
        yield from [Layer(1, width, width, side)] * 2  # cross-level attention, Fig. 4


def discriminator_layers(widths: Sequence, channels: int = 1) -> Iterator[Layer]:
    """`lib.networks.markov_discriminator` on images of SIDE pixels.

    `widths` as for `generator_layers`; `channels` of all that it is given at once: 1 or 3 for an
    image, 2 or 6 for a pair.
    """
    for depth, (before, width) in enumerate(zip((channels, *widths), widths), start=1):
        yield Layer(4, before, width, SIDE // 2**depth)
    yield Layer(3, widths[-1], 1, SIDE // 2 ** len(widths), norm=False)


class InferenceTime(NamedTuple):
    """Milliseconds a forward pass: mean and standard deviation over the runs, and on what."""

    mean_ms: float
    sd_ms: float
    runs: int
    device: str


def inference_time(
    network: nn.Module, shape: tuple[int, ...], runs: int = 100, warm_up: int = 10
) -> InferenceTime:
    """Time of a forward pass on `shape`, (B, C, H, W), where the network is (2D-GAN, Table 2).

    As the paper: the mean of 100 runs on one image; evaluation mode, no gradients, after `warm_up`
    runs that are not counted. At least two runs, for the standard deviation.

    Measured once for a machine and kept by `lib.data.packs`, so that running the kit again gives
    the same numbers; delete `packs/timings-*` of the cache to measure anew. A busy machine gives
    times several times too long: where the standard deviation is not small against the mean,
    measure when it is idle.
    """
    device = describe_device(next(network.parameters()).device)
    key = [str(network), identity(type(network)), shape, runs, warm_up, device, torch.__version__]
    times = pack("timings", key, lambda: {
        "ms": np.array(_measure(copy.deepcopy(network).eval(), shape, runs, warm_up))})["ms"]
    return InferenceTime(float(times.mean()), float(times.std(ddof=1)), runs, device)


def _measure(network: nn.Module, shape: tuple[int, ...], runs: int, warm_up: int) -> list[float]:
    """Milliseconds of each run after the warm-up."""
    images, times = _images(network, shape), []
    until_idle = torch.get_device_module(images.device).synchronize  # a GPU is not waited for
    with torch.no_grad():
        for _ in range(warm_up + runs):
            until_idle(images.device)
            start = perf_counter()
            network(images)
            until_idle(images.device)
            times.append(1000 * (perf_counter() - start))
    return times[warm_up:]


def _images(network: nn.Module, shape: tuple[int, ...]) -> Tensor:
    return torch.full(shape, 0.5, device=next(network.parameters()).device)
