"""Training steps as one writes them first, for `lib.benchmarks.step` to compare with.

Same networks, losses and updates as the recipes, in the same order, but nothing is saved on work.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.losses.adversarial import critic_loss, generator_loss, gradient_penalty
from lib.losses.cycle_gan import discriminator_loss, generator_loss as cycle_generator_loss
from lib.losses.perceptual import feature_distance
from lib.losses.pixel import mse
from lib.networks.backbones import EfficientNetB0Features, VGG16Features
from lib.networks.padding import ReflectionPad
from lib.training.recipes.cycle_gan import CycleGANRecipe
from lib.training.recipes.two_d_gan import TwoDGANRecipe


def plain_adam(recipe) -> dict[str, torch.optim.Optimizer]:
    """Unfused optimisers for the same weights as the recipe's."""
    settings = recipe.config.experiment.optimiser
    betas = (settings.beta1, settings.beta2)
    return {
        name: torch.optim.Adam(
            known.param_groups[0]["params"], settings.learning_rate, betas, foreach=False
        )
        for name, known in recipe.optimisers.items()
    }


class PlainTwoDGAN(TwoDGANRecipe):
    """The generator runs once for the critic and once more for itself, features of the references
    are computed in each step, gradients for all weights, also of networks that are not updated."""

    def __init__(self, config, data, device, freeze_backbones: bool):
        super().__init__(config, data, device)
        self.generator.to(memory_format=torch.contiguous_format)
        self.backbones = {
            "vgg": VGG16Features(),
            "efficientnet": EfficientNetB0Features(fold=False),
        }
        for network in self.backbones.values():
            network.to(device).requires_grad_(not freeze_backbones)
        self.optimisers = plain_adam(self)

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


class PlainCycleGAN(CycleGANRecipe):
    """As CycleGAN's public code: six generator passes of one image each, the discriminators on one
    image at a time and each with a backward pass of its own; here before the generators' step."""

    def __init__(self, config, data, device):
        super().__init__(config, data, device)
        for module in self.modules.values():
            _use_common_layers(module)
        self.optimisers = plain_adam(self)

    def step(self, step: int) -> dict[str, Tensor]:
        self.set_learning_rate(step)
        visible, infrared = self.batch(step)
        fake_infrared = self.generator(visible)
        cycled_visible = self.backward_generator(fake_infrared)
        fake_visible = self.backward_generator(infrared)
        cycled_infrared = self.generator(fake_visible)

        rng, losses = np.random.default_rng([self.config.seed, step, 1]), {}
        self.optimisers["discriminators"].zero_grad()
        for name, judge, real, fake in (
            ("visible", self.judge_visible, visible, fake_visible),
            ("infrared", self.judge_infrared, infrared, fake_infrared),
        ):
            fake = self.pools[name].exchange(fake.detach(), rng)
            loss = discriminator_loss(self.losses, judge(fake), judge(real))
            loss.backward()
            losses[f"discriminator_{name}"] = loss
        self.optimisers["discriminators"].step()

        judges = (self.judge_visible, self.judge_infrared)
        for judge in judges:
            judge.requires_grad_(False)
        total = 0
        if self.losses.identity:
            losses["identity"] = (
                F.l1_loss(self.generator(infrared), infrared)
                + F.l1_loss(self.backward_generator(visible), visible)
            )
            total = self.losses.cycle * self.losses.identity * losses["identity"]
        for name, judge, fake in (
            ("infrared", self.judge_infrared, fake_infrared),
            ("visible", self.judge_visible, fake_visible),
        ):
            losses[f"adversarial_{name}"] = cycle_generator_loss(self.losses, judge(fake))
            total = total + losses[f"adversarial_{name}"]
        losses["cycle_a"] = F.l1_loss(cycled_visible, visible)
        losses["cycle_b"] = F.l1_loss(cycled_infrared, infrared)
        total = total + self.losses.cycle * (losses["cycle_a"] + losses["cycle_b"])
        for judge in judges:
            judge.requires_grad_(True)
        self.optimisers["generators"].zero_grad()
        total.backward()
        self.optimisers["generators"].step()
        return losses | {"total": total}


def _use_common_layers(module: nn.Module) -> None:
    """Padding and instance norm as the public code has them, in place."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, ReflectionPad):
                setattr(parent, name, nn.ReflectionPad2d(child.padding))
            elif isinstance(child, nn.GroupNorm):
                setattr(parent, name, nn.InstanceNorm2d(child.num_channels))
