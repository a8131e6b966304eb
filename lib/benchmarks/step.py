"""How fast a training step is, against plain versions of the same step, in one run.

    python -m lib.benchmarks.step --experiment C5 --size 128 --batch 8 --rounds 5 --threads 2
    python -m lib.benchmarks.step --experiment resnet_9blocks-FLIR

The plain versions are what one writes first (`lib.benchmarks.plain`). In every step all versions
start from the same weights, see the same images and must report the same losses. Steps alternate,
so a machine that slows down slows all; the ratio of the medians is the figure to quote. What the
convolutions take of this kit's step is printed as well: no version with the same convolutions can
be faster.
"""

import argparse
import copy
import statistics
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lib.benchmarks.plain import PlainCycleGAN, PlainTwoDGAN
from lib.machine import choose_device, describe_device, make_deterministic
from lib.networks.weights import PretrainedUnavailable
from lib.paths import data_root
from lib.training.engine import Recipe
from lib.training.experiments import LossWeights, resolve
from lib.training.recipes import RECIPES
from lib.training.run import load

LEAST = {"size": 32, "batch": 1, "rounds": 1, "threads": 1}  # the discriminators need 32 px
TOLERANCE = 1e-5  # of a loss, relative; of SMALL where that is more
SMALL = 0.1  # a Wasserstein loss is the difference of two scores near 1, and rounds as they do
# Losses behind the discriminators' update: Adam's update is +-1 times the learning rate wherever a
# gradient is nearly zero, and rounding decides the sign. Nor is the penalty of WGAN-GP comparable
# to the last digits: its double backward pass magnifies rounding.
LOOSE_TOLERANCE = 1e-3
LOOSE = ("adversarial", "adversarial_visible", "adversarial_infrared", "penalty", "total")


@dataclass(frozen=True)
class Comparison:
    """Median seconds a step by version, those of the convolutions, and differences of losses.

    `differences`: loss -> the largest relative difference between this kit and the plain version.
    """

    seconds: dict[str, float]
    convolution_seconds: float  # of this kit's step
    differences: dict[str, float]

    def ratio(self, version: str) -> float:
        return self.seconds[version] / self.seconds["this kit"]

    def unequal(self) -> list[str]:
        """The losses that differ by more than rounding explains."""
        return [
            name for name, difference in self.differences.items()
            if not difference <= (LOOSE_TOLERANCE if name in LOOSE else TOLERANCE)
        ]  # fmt: skip


def compare(
    experiment: str, size: int, batch: int, rounds: int, device: torch.device, root: Path
) -> Comparison:
    """Time `rounds` steps of each version in turn, after a warm-up.

    Raises ValueError for an unknown experiment and one without a plain version, and for a size or
    batch that its networks cannot take.
    """
    recipes = versions(experiment, size, batch, device, root)
    seconds = {version: [] for version in recipes}
    differences = {}
    # the first step is a warm-up, and all of Adam's first update is +-1 times the learning rate
    for step in range(rounds + 1):
        for recipe in recipes.values():
            _copy_state(recipes["plain"], recipe)
        random_state, losses = torch.get_rng_state(), {}
        for version, recipe in recipes.items():
            torch.set_rng_state(random_state)
            start = time.perf_counter()
            losses[version] = {k: v.item() for k, v in recipe.step(step).items()}
            seconds[version].append(time.perf_counter() - start)
        if step > 0:
            for name, value in losses["plain"].items():
                difference = abs(losses["this kit"][name] - value) / max(abs(value), SMALL)
                differences[name] = max(difference, differences.get(name, 0.0))
    medians = {version: statistics.median(times[1:]) for version, times in seconds.items()}
    with _ConvolutionClock() as clock:
        recipes["this kit"].step(0)
    return Comparison(medians, clock.seconds, differences)


def versions(
    experiment: str, size: int, batch: int, device: torch.device, root: Path
) -> dict[str, Recipe]:
    """The plain recipes and this kit's, full-size networks on a few images of `size` pixels."""
    config = resolve(experiment, "paper")
    method, scale = config.experiment, config.scale
    if method.recipe == "two_d_gan" and method.losses == LossWeights():
        scale = replace(scale, image_size=size, batch_size=batch, n_train=4 * batch,
                        n_validation=1, n_test=1)  # fmt: skip
        plain = {
            "plain": partial(PlainTwoDGAN, freeze_backbones=False),
            "plain, frozen backbones": partial(PlainTwoDGAN, freeze_backbones=True),
        }
    elif method.recipe == "cycle_gan" and batch == 1:
        scale = replace(scale, image_size=size, n_pairs=4)
        plain = {"plain": PlainCycleGAN}
    else:
        raise ValueError(f"no plain version of {experiment} in batches of {batch}; there are those "
                         "of 2D-GAN with all its losses, and of CycleGAN in batches of 1")
    config, makers = replace(config, scale=scale), plain | {"this kit": RECIPES[method.recipe]}
    data = load(config, root, scale.image_size)
    make_deterministic(0)
    return {version: make(config, data, device) for version, make in makers.items()}


class _ConvolutionClock(TorchDispatchMode):
    """Adds up the seconds of all convolutions within it, forward and backward."""

    seconds = 0.0

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        start = time.perf_counter()
        result = operation(*arguments, **(options or {}))
        if "convolution" in operation.name():
            self.seconds += time.perf_counter() - start
        return result


def _copy_state(source, target) -> None:
    """Rounding adds up over steps: each step starts from the same state in both versions."""
    for name, module in source.modules.items():
        target.modules[name].load_state_dict(module.state_dict())
    for name, optimiser in source.optimisers.items():
        state = copy.deepcopy(optimiser.state_dict())  # loading shares its tensors
        state["param_groups"] = target.optimisers[name].state_dict()["param_groups"]  # fused or not
        target.optimisers[name].load_state_dict(state)
    target.load_extra_state(source.extra_state())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lib.benchmarks.step", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--experiment", default="C5")
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--batch", type=int, help="images a step; default 8, CycleGAN 1")
    parser.add_argument("--rounds", type=int, default=5, help="timed steps of each version")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", help="data root; default $IR_DATA, else data/")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda")
    options = parser.parse_args(arguments)
    try:
        if options.batch is None:
            paper = resolve(options.experiment, "paper").experiment.paper
            options.batch = 8 if paper == "2dgan" else 1
        for name, least in LEAST.items():
            if getattr(options, name) < least:
                raise ValueError(f"--{name} has to be at least {least}")
        torch.set_num_threads(options.threads)
        device, root = choose_device(options.device), data_root(options.data)
        result = compare(
            options.experiment, options.size, options.batch, options.rounds, device, root
        )
    except (ValueError, OSError, PretrainedUnavailable) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(f"{options.experiment}, {options.size} px, batch {options.batch}, fp32, "
          f"{describe_device(device)}; seconds a step")  # fmt: skip
    for version, seconds in result.seconds.items():
        print(f"  {version:24} {seconds:.3f}  {result.ratio(version):.2f} times this kit's")
    if device.type == "cpu":
        print(f"  its convolutions alone   {result.convolution_seconds:.3f}")
    print("largest relative difference of each loss: " + ", ".join(
        f"{name} {difference:.0e}" for name, difference in result.differences.items()
    ))  # fmt: skip
    if result.unequal():
        print(f"not the same loss: {', '.join(result.unequal())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
