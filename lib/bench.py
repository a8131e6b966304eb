"""How fast a training step is, against plain versions of the same step, in one run.

    python -m lib.bench [--experiment C5] [--size 128] [--batch 8] [--rounds 5] [--threads 2]

The plain version is what one writes first: the generator runs once for the critic and once more for
itself, the features of the references are computed again each step, gradients are computed for all
weights, also of networks that are not updated, Adam is unfused, EfficientNet keeps its batch norms,
tensors keep their default layout. The second plain version has its VGG and EfficientNet frozen. In
every step all versions start from the same weights, see the same images and must report the same
losses. Steps alternate, so a machine that slows down slows all; the ratio of the medians is the
figure to quote.
"""

import argparse
import copy
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lib.data.enhancement import load
from lib.experiments import resolve
from lib.losses.adversarial import critic_loss, generator_loss, gradient_penalty
from lib.losses.perceptual import feature_distance
from lib.losses.pixel import mse
from lib.networks.backbones import EfficientNetB0Features, VGG16Features
from lib.paths import data_root
from lib.train import choose_device, make_deterministic
from lib.training.two_d_gan import TwoDGANRecipe

TOLERANCE = 1e-3  # of any loss, relative; the double backward of the penalty magnifies rounding


class PlainTwoDGAN(TwoDGANRecipe):
    """The same losses and updates as `TwoDGANRecipe`, without its savings."""

    def __init__(self, config, data, device, freeze_backbones: bool):
        super().__init__(config, data, device)
        adam = config.experiment.optimiser
        betas = (adam.beta1, adam.beta2)
        self.generator.to(memory_format=torch.contiguous_format)
        self.generator.to(memory_format=torch.contiguous_format)
        self.backbones = {
            "vgg": VGG16Features(),
            "efficientnet": EfficientNetB0Features(fold=False),
        }
        for network in self.backbones.values():
            network.to(device).requires_grad_(not freeze_backbones)
        self.optimisers = {
            name: torch.optim.Adam(module.parameters(), adam.learning_rate, betas, foreach=False)
            for name, module in self.modules.items()
        }

    def step(self, step: int) -> dict[str, torch.Tensor]:
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


@dataclass(frozen=True)
class Comparison:
    """Median seconds a step by version, and relative differences between the losses."""

    seconds: dict[str, float]
    median_difference: float
    worst_difference: float

    def ratio(self, version: str) -> float:
        return self.seconds[version] / self.seconds["this kit"]


def compare(
    experiment: str, size: int, batch: int, rounds: int, device: torch.device, root: Path
) -> Comparison:
    """Time `rounds` steps of each version in turn, after a warm-up."""
    config = resolve(experiment, "paper")
    config = replace(config, scale=replace(config.scale, crop_size=size, batch_size=batch))
    data = load(root, size=max(size, 128), n_train=4 * batch, n_validation=1, n_test=1)
    make_deterministic(0)
    recipes = {
        "plain": PlainTwoDGAN(config, data, device, freeze_backbones=False),
        "plain, frozen backbones": PlainTwoDGAN(config, data, device, freeze_backbones=True),
        "this kit": TwoDGANRecipe(config, data, device),
    }
    seconds = {version: [] for version in recipes}
    differences = []
    # the first step is a warm-up; and Adam's first update is +-1 times the learning rate, so that
    # rounding errors decide where a gradient is nearly zero
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
            differences += [
                abs(losses["this kit"][key] - value) / max(abs(value), 1e-3)
                for key, value in losses["plain"].items()
            ]
    medians = {version: statistics.median(times[1:]) for version, times in seconds.items()}
    return Comparison(medians, statistics.median(differences), max(differences))


def _copy_state(source: TwoDGANRecipe, target: TwoDGANRecipe) -> None:
    """Rounding adds up over steps: each step starts from the same weights in both versions."""
    for name, module in source.modules.items():
        target.modules[name].load_state_dict(module.state_dict())
        state = copy.deepcopy(source.optimisers[name].state_dict())  # loading shares its tensors
        state["param_groups"] = target.optimisers[name].state_dict()["param_groups"]  # fused or not
        target.optimisers[name].load_state_dict(state)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.bench", description=__doc__.split("\n")[0])
    parser.add_argument("--experiment", default="C5")
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5, help="timed steps of each version")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", help="data root; default $IR_DATA, else data/")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    result = compare(
        options.experiment, options.size, options.batch, options.rounds,
        choose_device(options.device), data_root(options.data),
    )  # fmt: skip
    print(f"{options.experiment}, {options.size} px, batch {options.batch}, fp32, "
          f"{options.threads} threads; seconds a step")  # fmt: skip
    for version, seconds in result.seconds.items():
        print(f"  {version:24} {seconds:.3f}  {result.ratio(version):.2f} times this kit's")
    print(f"losses differ by {result.median_difference:.0e} (median), "
          f"{result.worst_difference:.0e} (worst), relative")  # fmt: skip
    if result.worst_difference > TOLERANCE:
        print("the losses are not the same", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
