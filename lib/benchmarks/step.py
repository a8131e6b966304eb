"""How fast a training step is, in fp32 and bf16 and against a plain version, in one run.

    python -m lib.benchmarks.step --experiment C5 --size 128 --batch 8 --rounds 5
    python -m lib.benchmarks.step --experiment resnet_9blocks-FLIR --size 256 --batch 1

The plain version, of 2D-GAN with all its losses, is what one writes first: the same networks,
losses and updates, but little is saved on work. All start from the same weights, and it must report
the same losses as this kit's fp32 in the first step. Steps alternate, so a machine that slows down
slows all; the ratio of the medians is the figure to quote. bf16 is timed where a training would
take it, or where it is asked for.
"""

import statistics
import sys
import time
from argparse import ArgumentParser
from dataclasses import replace

import torch
from torch import Tensor

from lib.benchmarks import in_one_line, positive
from lib.losses.adversarial import critic_loss, generator_loss, gradient_penalty
from lib.losses.perceptual import feature_distance
from lib.losses.pixel import mse
from lib.losses.two_d_gan import LossWeights
from lib.machine import choose_device, cores, describe_device, make_deterministic
from lib.networks.backbones import EfficientNetB0Features, VGG16Features
from lib.networks.weights import PretrainedUnavailable
from lib.paths import data_root
from lib.training.experiments import narrower, resolve
from lib.training.precision import PRECISIONS, choose_precision
from lib.training.recipes import RECIPES
from lib.training.recipes.two_d_gan import TwoDGANRecipe
from lib.training.run import load, training_size

# Of a loss, relative; to 0.1 where it is less. What comes after the critic's update differs most:
# where a gradient is nearly zero, rounding sets the sign of Adam's first step.
TOLERANCE = 1e-3


class PlainTwoDGAN(TwoDGANRecipe):
    """The generator runs once for the critic and once more for itself, and features of the
    references are computed in each step. The backbones are frozen."""

    def __init__(self, config, data, device):
        super().__init__(config, data, device)
        self.generator.to(memory_format=torch.contiguous_format)
        self.backbones = {"vgg": VGG16Features().to(device),
                          "efficientnet": EfficientNetB0Features(fold=False).to(device)}
        adam = self.config.experiment.optimiser
        self.optimisers = {  # unfused
            name: torch.optim.Adam(known.param_groups[0]["params"], adam.learning_rate,
                                   (adam.beta1, adam.beta2), foreach=False)
            for name, known in self.optimisers.items()
        }

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
            losses[name] = feature_distance(network(fake), network(reference),
                                            self.losses.perceptual_norm)
        total = sum(getattr(self.losses, name) * loss for name, loss in losses.items())
        self.optimisers["generator"].zero_grad()
        total.backward()
        self.optimisers["generator"].step()
        return {"critic": critic, "penalty": penalty, **losses, "total": total}


def compare(experiment: str, size: int, batch: int, divisor: int, rounds: int,
            precisions: list[str], device: torch.device,
            ) -> tuple[dict[str, float], dict[str, float]]:
    """Time `rounds` steps of each version in turn, after a first one as a warm-up: networks of the
    paper's channels divided by `divisor`, on a few images of `size` pixels.

    Returns median seconds a step by version ("fp32", "bf16", "plain"), and by loss the relative
    difference between fp32 and the plain version in the first step, where there is one. Raises
    ValueError for an experiment without a network of its own, and for a size or batch that its
    networks cannot take.
    """
    config = resolve(experiment, "paper")
    method = config.experiment
    if not method.network:
        raise ValueError(f"{experiment} trains no network")
    method = replace(method, network=narrower(method.network, divisor),
                     discriminator=method.discriminator and narrower(method.discriminator, divisor))
    if method.paper == "2dgan":
        sizes = {"batch_size": batch, "n_train": 4 * batch, "n_validation": 1, "n_test": 1}
    elif batch == 1:
        sizes = {"n_pairs": 4}
    else:
        raise ValueError(f"{experiment} trains in batches of 1")
    config = replace(config, experiment=method,
                     scale=replace(config.scale, image_size=size, **sizes))
    data = load(config, data_root(), training_size(config))
    makers = {precision: (RECIPES[method.recipe], precision) for precision in precisions}
    if method.recipe == "two_d_gan" and method.losses == LossWeights():
        makers["plain"] = (PlainTwoDGAN, "fp32")
    recipes = {}
    for version, (make, precision) in makers.items():
        make_deterministic(0)
        recipes[version] = make(replace(config, precision=precision), data, device)
    seconds, losses = {version: [] for version in recipes}, {}
    for step in range(rounds + 1):
        for version, recipe in recipes.items():
            torch.manual_seed(step)
            start = time.perf_counter()
            found = {name: loss.item() for name, loss in recipe.step(step).items()}
            seconds[version].append(time.perf_counter() - start)
            losses.setdefault(version, found)
    differences = {name: abs(losses["fp32"][name] - value) / max(abs(value), 0.1)
                   for name, value in losses.get("plain", {}).items()}
    return {version: statistics.median(its[1:]) for version, its in seconds.items()}, differences


@in_one_line
def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser("python -m lib.benchmarks.step", description=__doc__.splitlines()[0])
    parser.add_argument("--experiment", default="C5")
    parser.add_argument("--size", type=positive, default=128, help="pixels a side")
    parser.add_argument("--batch", type=positive, default=8, help="images a step")
    parser.add_argument("--divide", type=positive, default=1, help="channels divided by this")
    parser.add_argument("--rounds", type=positive, default=5, help="timed steps of each version")
    parser.add_argument("--threads", type=positive, default=cores(), help="of the CPU")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda")
    parser.add_argument("--precision", default="auto", help="beside fp32: bf16 or auto")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        device = choose_device(options.device)
        chosen = choose_precision(options.precision, device)
        seconds, differences = compare(
            options.experiment, options.size, options.batch, options.divide, options.rounds,
            [one for one in PRECISIONS if one in ("fp32", chosen)], device,
        )
    except PretrainedUnavailable:
        raise
    except RuntimeError as problem:  # torch's: too small for the network, too large for the memory
        raise ValueError(f"--size {options.size} or --batch {options.batch} does not do: "
                         f"{str(problem).splitlines()[0]}") from problem
    print(f"{options.experiment}, {options.size} px, batch {options.batch}, channels divided by "
          f"{options.divide}, {describe_device(device)}; seconds a step")
    for version, its in seconds.items():
        print(f"  {version:6} {its:.3f}  fp32 takes {seconds['fp32'] / its:.2f} times as long")
    if differences:
        told = ", ".join(f"{name} {its:.0e}" for name, its in differences.items())
        print(f"relative difference of each loss, plain and fp32: {told}")
    if wrong := [name for name, its in differences.items() if not its <= TOLERANCE]:
        print(f"not the same loss: {', '.join(wrong)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
