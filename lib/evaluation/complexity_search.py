"""Which channel numbers give 2D-GAN's Table 2? A search over what the text leaves open.

The paper gives no channel numbers, only the sums: 12.18 M parameters and 61.32 G for the generator,
1.46 M and 3.46 G for the discriminator. Tried here is every combination of

    generator       base widths 32, 36 .. 128 doubled level by level up to five caps; kernels of the
                    external skips (Eq. 3): conv1 1x1 or 3x3, conv2 3x3 or 4x4; thop's counts or the
                    true ones
    discriminator   all plans of four multiples of 16 up to 512 that never shrink and at most double
    both            grey images or RGB; a pair of images for the discriminator; 1 to 16 at once

with everything that the text does say kept: 128 px, four levels, 4x4 kernels of stride 2, batch
norm, an 8x8 map of scores. The counts are formulas over whole arrays of plans, not built networks,
so the search takes a second; a test holds them to the built networks.

Two sums cannot fix four widths: a plan that fits is possible, not proven. And eight images at
128 px cost what two at 256 px do, or one there with a multiply-accumulate counted as two.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from lib.papers import reported

SIDE = 128
BATCHES = (1, 2, 4, 8, 16)
COUNTERS = ("thop", "true")


class Counts(NamedTuple):
    """Parameters, and multiply-accumulates of a forward pass; numbers, or one a plan."""

    parameters: int | np.ndarray
    operations: int | np.ndarray


class Layer(NamedTuple):
    """A convolution to a square map of `side` pixels; `norm`: a batch norm follows."""

    kernel: int
    inputs: int | np.ndarray
    outputs: int | np.ndarray
    side: int
    norm: bool = True
    bias: bool = False
    transposed: bool = False  # of stride 2, the only kind here


def count(layers: Iterable[Layer], counter: str = "thop") -> Counts:
    """Sums over the layers for one image. `counter`: "thop" or "true", as `lib.evaluation.complexity` counts.

    thop counts a transposed convolution by its output and a batch norm as 4 an element.
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
    """The complete generator (C5) of `lib.networks.two_d_gan`. `channels` of an image; kernels of
    Eq. 3's conv1 and conv2."""
    sides = [SIDE // 2**depth for depth in range(1, len(widths) + 1)]
    levels = list(zip(widths, sides))
    inputs = (channels, *widths)
    for before, (width, side) in zip(inputs, levels):  # first encoder
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
    """`lib.networks.markov_discriminator`. `channels` of all that it is given at once."""
    for depth, (before, width) in enumerate(zip((channels, *widths), widths), start=1):
        yield Layer(4, before, width, SIDE // 2**depth)
    yield Layer(3, widths[-1], 1, SIDE // 2 ** len(widths), norm=False)


def paper(network: str) -> Counts:
    """Table 2's parameters and operations of "Generator" or "Discriminator"."""
    row = reported.table("2dgan", "table2").loc[network]
    return Counts(row["Parameters (M)"] * 1e6, row["FLOPs (G)"] * 1e9)


def search_generator(target: Counts | None = None) -> pd.DataFrame:
    """All candidates, nearest to `target` (default: the paper's) first; columns as in `_compare`.

    Further columns: channels of the image, conv1 and conv2 (kernels), counter.
    """
    bases = range(32, 129, 4)
    plans = {
        tuple(min(base * 2**level, cap) for level in range(4))
        for base in bases
        for cap in (2 * base, 4 * base, 8 * base, 256, 512)
    }
    widths = np.array(sorted(plans))
    frames = []
    for channels, conv1, conv2, counter in product((1, 3), (1, 3), (3, 4), COUNTERS):
        counts = count(generator_layers(tuple(widths.T), channels, conv1, conv2), counter)
        frames.append(_compare(widths, counts, target or paper("Generator"), channels=channels,
                               conv1=conv1, conv2=conv2, counter=counter))  # fmt: skip
    return _nearest_first(frames)


def search_discriminator(target: Counts | None = None) -> pd.DataFrame:
    """All candidates, nearest to `target` (default: the paper's) first; columns as in `_compare`.

    Further column: channels given at once (1 grey, 2 a pair of grey images, 3 RGB, 6 a pair).
    """
    grid = range(16, 513, 16)
    plans: list[tuple[int, ...]] = [(width,) for width in grid]
    for _ in range(3):
        plans = [(*plan, width) for plan in plans for width in grid
                 if plan[-1] <= width <= 2 * plan[-1]]  # fmt: skip
    widths = np.array(plans)
    frames = []
    for channels in (1, 2, 3, 6):
        counts = count(discriminator_layers(tuple(widths.T), channels))
        frames.append(
            _compare(widths, counts, target or paper("Discriminator"), channels=channels)
        )
    return _nearest_first(frames)


def _compare(widths: np.ndarray, counts: Counts, target: Counts, **settings) -> pd.DataFrame:
    """A row for each plan and batch.

    widths ("64-128-256-512"), the `settings` of the counts, batch, parameters, operations (of the
    whole batch), their relative errors against `target` and `worst`, the larger without its sign.
    """
    names = ["-".join(map(str, plan)) for plan in widths.tolist()]
    frame = pd.concat(
        (pd.DataFrame({"widths": names, **settings, "batch": batch,
                       "parameters": counts.parameters, "operations": batch * counts.operations})
         for batch in BATCHES),
        ignore_index=True,
    )  # fmt: skip
    for name in Counts._fields:
        frame[f"{name} error"] = frame[name] / getattr(target, name) - 1
    errors = frame[["parameters error", "operations error"]]
    return frame.assign(worst=errors.abs().max(axis="columns"))


def _nearest_first(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames).sort_values("worst", kind="stable", ignore_index=True)


def of_plan(candidates: pd.DataFrame, widths: Sequence[int], **settings) -> pd.DataFrame:
    """The candidates of one plan of widths, in the order of their rank; `rank` 1 is the nearest.

    `settings` narrow it down: `of_plan(found, (64, 128, 256, 512), batch=8, counter="thop")`.
    """
    ranked = candidates.assign(rank=np.arange(1, len(candidates) + 1))
    chosen = ranked["widths"] == "-".join(map(str, widths))
    for name, value in settings.items():
        chosen &= ranked[name] == value
    return ranked[chosen]


def best_by_batch(**candidates: pd.DataFrame) -> pd.DataFrame:
    """The smallest `worst` for each batch, one column for each search."""
    return pd.DataFrame({name: found.groupby("batch")["worst"].min()
                         for name, found in candidates.items()})  # fmt: skip
