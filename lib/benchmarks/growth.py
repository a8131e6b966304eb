"""How a run's cost grows with the size of the images, their number, and the seeds, measured here.

    python -m lib.benchmarks.growth

Everything in seconds of one core, at the channels of the profile `laptop`: a step by the pixels of
a side; judging by the number of test images; and small whole runs, one after the other, by the
number of seeds.
"""

import sys
import tempfile
import time
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lib.benchmarks import in_one_line
from lib.benchmarks.cost import measure
from lib.data import catalogue
from lib.evaluation.judge import judge
from lib.paths import data_root
from lib.training.experiments import resolve
from lib.training.recipes import RECIPES
from lib.training.run import run

SIZES = (64, 128, 256)
IMAGES = (25, 50, 100)
SEEDS = (1, 2, 4)


def of_sizes(experiment: str, sizes=SIZES, rounds: int = 2) -> list[float]:
    """Seconds of a step in fp32 on images of each size."""
    config = replace(resolve(experiment, "laptop"), precision="fp32")
    scales = [replace(config.scale, image_size=size) for size in sizes]
    return [measure(replace(config, scale=scale), "cpu", rounds).seconds for scale in scales]


def of_images() -> list[float]:
    """Seconds of judging so many test images as they are."""
    found = []
    for count in IMAGES:
        limits = {"train": 8, "validation": 1, "test": count}
        data = catalogue.load("enhancement", data_root(), 128, limits)
        start = time.process_time()
        judge(RECIPES["input"](data), data, data)
        found.append(time.process_time() - start)
    return found


def of_seeds() -> list[float]:
    """Seconds of training and judging TIECNN at the size of smoke with so many seeds, in turn."""
    found, start = [], time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(max(SEEDS)):
            run("TIECNN", "smoke", seed, out=Path(folder, str(seed)), device="cpu",
                report=lambda line: None)
            found.append(time.process_time() - start)
    return [found[count - 1] for count in SEEDS]


def show(title: str, unit: str, counts, seconds: list[float]) -> None:
    """A line of what was measured, and the power of the count that the seconds grow with."""
    power = np.polyfit(np.log(counts), np.log(seconds), 1)[0]
    told = ", ".join(f"{its:.3g} s at {count}" for count, its in zip(counts, seconds, strict=True))
    print(f"{title}: {told} {unit}; as the {unit} to the {power:.2f}", flush=True)


@in_one_line
def main(arguments: list[str] | None = None) -> int:
    description = __doc__.splitlines()[0]
    ArgumentParser("python -m lib.benchmarks.growth", description=description).parse_args(arguments)
    torch.set_num_threads(1)
    for experiment in ("C5", "GN_CycleGAN-OSU"):
        show(f"a step of {experiment}", "pixels a side", SIZES, of_sizes(experiment))
    show("judging", "images", IMAGES, of_images())
    show("TIECNN of smoke", "seeds", SEEDS, of_seeds())
    return 0


if __name__ == "__main__":
    sys.exit(main())
