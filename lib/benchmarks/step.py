"""How fast a training step of 2D-GAN is, against a plain version of the same step, in one run.

    python -m lib.benchmarks.step --experiment C5 --size 128 --batch 8 --rounds 5

The plain version is what one writes first: the same networks, losses and updates, but little is
saved on work. Both start from the same weights and must report the same losses in the first step.
Steps alternate, so a machine that slows down slows both; the ratio of the medians is the figure to
quote.
"""

import argparse
import statistics
import sys
import time
from dataclasses import replace

import torch
from torch import Tensor

from lib.losses.adversarial import critic_loss, generator_loss, gradient_penalty
from lib.losses.perceptual import feature_distance
from lib.losses.pixel import mse
from lib.machine import choose_device, describe_device, make_deterministic
from lib.networks.backbones import EfficientNetB0Features, VGG16Features
from lib.networks.weights import PretrainedUnavailable
from lib.paths import data_root
from lib.training.experiments import LossWeights, resolve
from lib.training.recipes.two_d_gan import TwoDGANRecipe
from lib.training.run import load

# Of a loss, relative; to 0.1 where it is less. What comes after the critic's update differs most:
# where a gradient is nearly zero, rounding sets the sign of Adam's first step.
TOLERANCE = 1e-3


class PlainTwoDGAN(TwoDGANRecipe):
    """The generator runs once for the critic and once more for itself, and features of the
    references are computed in each step. The backbones are frozen."""

    def __init__(self, config, data, device):
        super().__init__(config, data, device)
        self.generator.to(memory_format=torch.contiguous_format)
        self.backbones = {
            "vgg": VGG16Features(),
            "efficientnet": EfficientNetB0Features(fold=False),
        }
        for network in self.backbones.values():
            network.to(device)
        adam = self.config.experiment.optimiser
        self.optimisers = {  # unfused
            name: torch.optim.Adam(known.param_groups[0]["params"], adam.learning_rate,
                                   (adam.beta1, adam.beta2), foreach=False)
            for name, known in self.optimisers.items()
        }  # fmt: skip

    def step(self, step: int) -> dict[str, Tensor]:
        _, degraded, reference = self.batch(step)
        mix = torch.rand(len(reference), 1, 1, 1).to(self.device)
        fake = self.generator(degraded)
        critic = critic_loss(self.critic(fake.detach()), self.critic(reference))
        penalty = gradient_penalty(self.critic, reference, fake, mix)
        self.optimisers["discriminator"].zero_grad()
        (critic + self.losses.gradient_penalty * penalty).backward()
        self.optimisers["discriminator"].step()

        fake = self.generator(degraded)
        losses = {"adversarial": generator_loss(self.critic(fake)), "mse": mse(fake, reference)}
        for name, network in self.backbones.items():
            losses[name] = feature_distance(
                network(fake), network(reference), self.losses.perceptual_norm
            )
        total = sum(getattr(self.losses, name) * loss for name, loss in losses.items())
        self.optimisers["generator"].zero_grad()
        total.backward()
        self.optimisers["generator"].step()
        return {"critic": critic, "penalty": penalty, **losses, "total": total}


def compare(
    experiment: str, size: int, batch: int, rounds: int, device: torch.device
) -> tuple[dict[str, float], dict[str, float]]:
    """Time `rounds` steps of each version in turn, after a first one as a warm-up.

    Full-size networks on a few images of `size` pixels. Returns median seconds a step by version,
    and by loss the relative difference between this kit and the plain version in the first step.
    Raises ValueError for an experiment that is not 2D-GAN with all its losses, and for a size or
    batch that its networks cannot take.
    """
    config = resolve(experiment, "paper")
    if config.experiment.recipe != "two_d_gan" or config.experiment.losses != LossWeights():
        raise ValueError(f"no plain version of {experiment}: it is not 2D-GAN with all its losses")
    scale = replace(config.scale, image_size=size,
                    batch_size=batch, n_train=4 * batch, n_validation=1, n_test=1)  # fmt: skip
    config = replace(config, scale=scale)
    data = load(config, data_root(), scale.image_size)
    recipes = {}
    for version, make in (("plain", PlainTwoDGAN), ("this kit", TwoDGANRecipe)):
        make_deterministic(0)
        recipes[version] = make(config, data, device)
    seconds, losses = {version: [] for version in recipes}, {}
    for step in range(rounds + 1):
        for version, recipe in recipes.items():
            torch.manual_seed(step)
            start = time.perf_counter()
            found = {name: loss.item() for name, loss in recipe.step(step).items()}
            seconds[version].append(time.perf_counter() - start)
            losses.setdefault(version, found)
    ours = losses["this kit"]
    differences = {name: abs(ours[name] - value) / max(abs(value), 0.1)
                   for name, value in losses["plain"].items()}  # fmt: skip
    return {version: statistics.median(its[1:]) for version, its in seconds.items()}, differences


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lib.benchmarks.step", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--experiment", default="C5")
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--batch", type=int, default=8, help="images a step")
    parser.add_argument("--rounds", type=int, default=5, help="timed steps of each version")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda")
    options = parser.parse_args(arguments)
    try:
        device = choose_device(options.device)
        seconds, differences = compare(
            options.experiment, options.size, options.batch, options.rounds, device
        )
    except (ValueError, OSError, PretrainedUnavailable) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(f"{options.experiment}, {options.size} px, batch {options.batch}, fp32, "
          f"{describe_device(device)}; seconds a step")  # fmt: skip
    for version, its in seconds.items():
        print(f"  {version:10} {its:.3f}  {its / seconds['this kit']:.2f} times this kit's")
    print("relative difference of each loss: " + ", ".join(
        f"{name} {difference:.0e}" for name, difference in differences.items()
    ))  # fmt: skip
    if wrong := [name for name, its in differences.items() if not its <= TOLERANCE]:
        print(f"not the same loss: {', '.join(wrong)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
