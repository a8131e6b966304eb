"""Training step of 2D-GAN: WGAN-GP, MSE, VGG and EfficientNet losses (Eqs. 4 to 8).

One generator pass a step serves the critic and the generator; the features of the reference images
never change, so they are computed once, before the first step.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lib.data.enhancement import EnhancementData, crops, describe, load
from lib.data.tensors import to_device, to_unit
from lib.evaluation import Evaluation, evaluate_enhancement
from lib.experiments import RunConfig
from lib.losses.adversarial import critic_loss, generator_loss, gradient_penalty
from lib.losses.perceptual import feature_distance, target_features
from lib.losses.pixel import mse
from lib.networks.backbones import EfficientNetB0Features, VGG16Features
from lib.networks.markov_discriminator import MarkovDiscriminator
from lib.networks.two_d_gan import TwoDGAN
from lib.paths import cache_dir
from lib.training.sampling import batch_indices, steps_per_epoch

CHANNELS_LAST = {"memory_format": torch.channels_last}


class TwoDGANRecipe:
    """See `lib.training.engine.Recipe`."""

    def __init__(self, config: RunConfig, data: EnhancementData, device: torch.device):
        self.config, self.device = config, device
        self.losses = config.experiment.losses
        scale = config.scale
        pairs = crops(data.train, scale.crop_size, seed=0)
        self.image_names = pairs.names
        self.degraded = to_device(pairs.degraded, device)
        self.reference = to_device(pairs.reference, device)
        self.data = data
        self.steps_per_epoch = steps_per_epoch(len(pairs.names), scale.batch_size)
        self.steps = scale.steps or scale.epochs * self.steps_per_epoch

        # channels last is the faster layout for convolutions, but not for a double backward pass
        self.generator = TwoDGAN(config.experiment.network).to(device, **CHANNELS_LAST)
        self.critic = MarkovDiscriminator(config.experiment.discriminator).to(device)
        self.modules = {"generator": self.generator, "discriminator": self.critic}
        adam = config.experiment.optimiser
        self.optimisers = {
            name: torch.optim.Adam(
                module.parameters(), adam.learning_rate, (adam.beta1, adam.beta2), fused=True
            )
            for name, module in self.modules.items()
        }
        self.perceptual = {}  # loss name -> (network, its features of all references)
        for name, network in (("vgg", VGG16Features), ("efficientnet", EfficientNetB0Features)):
            if getattr(self.losses, name):
                frozen = network().to(device, **CHANNELS_LAST)
                targets = target_features(
                    frozen, pairs.reference, device, folder=cache_dir("features")
                )
                self.perceptual[name] = frozen, targets
        files = {"vgg": "vgg16", "efficientnet": "efficientnet_b0"}
        self.pretrained = tuple(files[name] for name in self.perceptual)

    def step(self, step: int) -> dict[str, Tensor]:
        indices = torch.from_numpy(self.indices(step)).to(self.device)
        degraded, reference = to_unit(self.degraded[indices]), to_unit(self.reference[indices])
        fake = self.generator(degraded)  # (B, 1, H, W); the only generator pass of the step

        losses = {}
        if self.losses.adversarial:
            losses["critic"], losses["penalty"] = self.train_critic(fake.detach(), reference)
        return losses | self.train_generator(fake, reference, indices)

    def train_critic(self, fake: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. 4, L_D."""
        mix = torch.rand(len(real), 1, 1, 1).to(self.device)  # drawn alike on every device
        distance = critic_loss(self.critic(fake), self.critic(real))
        penalty = gradient_penalty(self.critic, real, fake, mix)
        self.optimisers["discriminator"].zero_grad()
        (distance + self.losses.gradient_penalty * penalty).backward()
        self.optimisers["discriminator"].step()
        return distance, penalty

    def train_generator(self, fake: Tensor, reference: Tensor, indices: Tensor) -> dict:
        """Eq. 8: Loss = L_G + lambda1 L_MSE + lambda2 L_VGG + lambda3 L_Eff."""
        losses = {}
        if self.losses.adversarial:
            self.critic.requires_grad_(False)  # its weights need no gradient here
            losses["adversarial"] = generator_loss(self.critic(fake))
            self.critic.requires_grad_(True)
        if self.losses.mse:
            losses["mse"] = mse(fake, reference)
        seen = slice(self.config.scale.perceptual_images)  # all, or the first k of the batch
        for name, (network, targets) in self.perceptual.items():
            target = targets[indices[seen].to(targets.device)].to(self.device)
            losses[name] = feature_distance(
                network(fake[seen]), target, self.losses.perceptual_norm
            )
        total = sum(getattr(self.losses, name) * loss for name, loss in losses.items())
        self.optimisers["generator"].zero_grad()
        total.backward()
        self.optimisers["generator"].step()
        return losses | {"total": total}

    def indices(self, step: int) -> np.ndarray:
        scale = self.config.scale
        return batch_indices(step, len(self.image_names), scale.batch_size, self.config.seed)

    def names(self, step: int) -> list[str]:
        return [self.image_names[i] for i in self.indices(step)]

    def validate(self) -> dict[str, float]:
        return evaluate_enhancement(self.generator, self.data.validation, self.device).means()

    def test(self) -> Evaluation:
        return evaluate_enhancement(self.generator, self.data.test, self.device)

    def extra_state(self) -> dict:
        return {}

    def load_extra_state(self, state: dict) -> None:
        pass


def load_data(config: RunConfig, root: Path) -> EnhancementData:
    """The images of a run, as many as its profile takes."""
    scale = config.scale
    return load(root, scale.image_size, scale.n_train, scale.n_validation, scale.n_test)


# What lib.train asks of the module of a recipe: describe, load_data, make_recipe.
make_recipe = TwoDGANRecipe
__all__ = ["describe", "load_data", "make_recipe", "TwoDGANRecipe"]
