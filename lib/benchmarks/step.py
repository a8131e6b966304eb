"""How fast a training step is, against plain versions of the same step, in one run.

    python -m lib.benchmarks.step [--experiment C5] [--size 128] [--batch 8] [--rounds 5] [--threads 2]
    python -m lib.benchmarks.step --experiment resnet_9blocks-FLIR

The plain versions are what one writes first (`lib.benchmarks.plain`). In every step all versions start from
the same weights, see the same images and must report the same losses. Steps alternate, so a machine
that slows down slows all; the ratio of the medians is the figure to quote. What the convolutions
take of this kit's step is printed as well: no version with the same convolutions can be faster.
"""

import argparse
import copy
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lib.data import enhancement
from lib.training.experiments import RunConfig, resolve
from lib.paths import data_root
from lib.benchmarks.plain import PlainCycleGAN, PlainTwoDGAN
from lib.train import choose_device, make_deterministic
from lib.training import translation
from lib.training.recipes.cycle_gan import CycleGANRecipe
from lib.training.recipes.two_d_gan import TwoDGANRecipe

TOLERANCE = 1e-5  # of a loss, relative
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
    """Time `rounds` steps of each version in turn, after a warm-up."""
    config = resolve(experiment, "paper")
    make_deterministic(0)
    make = _two_d_gan if config.experiment.paper == "2dgan" else _cycle_gan
    recipes = make(config, size, batch, device, root)
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
                difference = abs(losses["this kit"][name] - value) / max(abs(value), 1e-3)
                differences[name] = max(difference, differences.get(name, 0.0))
    medians = {version: statistics.median(times[1:]) for version, times in seconds.items()}
    with _ConvolutionClock() as clock:
        recipes["this kit"].step(0)
    return Comparison(medians, clock.seconds, differences)


class _ConvolutionClock(TorchDispatchMode):
    """Adds up the seconds of all convolutions within it, forward and backward."""

    seconds = 0.0

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        start = time.perf_counter()
        result = operation(*arguments, **(options or {}))
        if "convolution" in operation.name():
            self.seconds += time.perf_counter() - start
        return result


def _two_d_gan(config: RunConfig, size: int, batch: int, device, root: Path) -> dict:
    """The versions of 2D-GAN's step, this kit's and plain ones."""
    config = replace(config, scale=replace(config.scale, crop_size=size, batch_size=batch))
    data = enhancement.load(
        root, size=max(size, 128), n_train=4 * batch, n_validation=1, n_test=1
    )
    return {
        "plain": PlainTwoDGAN(config, data, device, freeze_backbones=False),
        "plain, frozen backbones": PlainTwoDGAN(config, data, device, freeze_backbones=True),
        "this kit": TwoDGANRecipe(config, data, device),
    }


def _cycle_gan(config: RunConfig, size: int, batch: int, device, root: Path) -> dict:
    """The versions of CycleGAN's step. Raises ValueError for CUT and for another batch than 1."""
    if config.experiment.recipe != "cycle_gan" or batch != 1:
        raise ValueError("a CycleGAN experiment is compared, and with --batch 1")
    config = replace(config, scale=replace(config.scale, image_size=size, n_pairs=4))
    data = translation.load_data(config, root)
    return {
        "plain": PlainCycleGAN(config, data, device),
        "this kit": CycleGANRecipe(config, data, device),
    }


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
    parser = argparse.ArgumentParser(prog="python -m lib.benchmarks.step", description=__doc__.split("\n")[0])
    parser.add_argument("--experiment", default="C5")
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--batch", type=int, help="images a step; default 8, CycleGAN 1")
    parser.add_argument("--rounds", type=int, default=5, help="timed steps of each version")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", help="data root; default $IR_DATA, else data/")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    translates = resolve(options.experiment, "paper").experiment.paper == "gn_cyclegan"
    batch = options.batch or (1 if translates else 8)
    result = compare(
        options.experiment, options.size, batch, options.rounds,
        choose_device(options.device), data_root(options.data),
    )  # fmt: skip
    print(f"{options.experiment}, {options.size} px, batch {batch}, fp32, "
          f"{options.threads} threads; seconds a step")  # fmt: skip
    for version, seconds in result.seconds.items():
        print(f"  {version:24} {seconds:.3f}  {result.ratio(version):.2f} times this kit's")
    if options.device == "cpu":
        print(f"  its convolutions alone     {result.convolution_seconds:.3f}")
    print("largest relative difference of each loss: " + ", ".join(
        f"{name} {difference:.0e}" for name, difference in result.differences.items()
    ))  # fmt: skip
    if result.unequal():
        print(f"not the same loss: {', '.join(result.unequal())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
