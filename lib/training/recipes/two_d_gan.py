"""Training step of 2D-GAN: adversarial, MSE, VGG and EfficientNet losses (Eqs. 1 and 4 to 8).

One generator pass a step serves the critic and the generator; the features of the reference images
never change, so they are computed once, before the first step.
"""

import torch
from torch import Tensor

from lib.data.enhancement import EnhancementData
from lib.losses.adversarial import (
    critic_loss,
    gan_discriminator_loss,
    gan_generator_loss,
    generator_loss,
    gradient_penalty,
)
from lib.losses.pixel import mse
from lib.networks.backbones import EfficientNetB0Features, VGG16Features
from lib.networks.markov_discriminator import MarkovDiscriminator
from lib.networks.summed_attention import SummedTwoDGAN
from lib.networks.two_d_gan import TwoDGAN
from lib.networks.unweighted_skips import UnweightedTwoDGAN
from lib.training.enhancement import CHANNELS_LAST, EnhancementRecipe
from lib.training.experiments import RunConfig
from lib.training.optimiser import adam


class TwoDGANRecipe(EnhancementRecipe):
    """See `lib.training.engine.Recipe`."""

    make_generator = TwoDGAN

    def __init__(self, config: RunConfig, data: EnhancementData, device: torch.device):
        super().__init__(config, data, device)
        experiment = config.experiment
        self.losses = experiment.losses
        # channels last is the faster layout for convolutions, but not for a double backward pass
        self.generator = self.make_generator(experiment.network).to(device, **CHANNELS_LAST)
        self.critic = MarkovDiscriminator(experiment.discriminator).to(device)
        self.modules = {"generator": self.generator, "discriminator": self.critic}
        self.optimisers = {
            name: adam(experiment.optimiser, module) for name, module in self.modules.items()
        }
        self.perceptual = {}  # loss -> the frozen network and its features of all references
        if self.losses.vgg:
            self.perceptual["vgg"] = self.frozen(VGG16Features())
        if self.losses.efficientnet:
            self.perceptual["efficientnet"] = self.frozen(EfficientNetB0Features())

    def step(self, step: int) -> dict[str, Tensor]:
        indices, degraded, reference = self.batch(step)
        fake = self.forward(self.generator, degraded)  # (B, 1, H, W); its only pass of the step
        losses = self.train_critic(fake.detach(), reference) if self.losses.adversarial else {}
        return losses | self.train_generator(fake, reference, indices)

    def train_critic(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        """Eq. 4, L_D; or Eq. 1 for the plain GAN."""
        fake_scores, real_scores = (self.forward(self.critic, image) for image in (fake, real))
        if self.losses.adversarial_form == "gan":
            losses = {"critic": gan_discriminator_loss(fake_scores, real_scores)}
            total = losses["critic"]
        else:
            mix = torch.rand(len(real), 1, 1, 1).to(self.device)  # drawn alike on every device
            losses = {
                "critic": critic_loss(fake_scores, real_scores),
                "penalty": gradient_penalty(
                    self.critic, real, fake, mix, self.losses.penalty_score
                ),
            }
            total = losses["critic"] + self.losses.gradient_penalty * losses["penalty"]
        self.optimisers["discriminator"].zero_grad()
        total.backward()
        self.optimisers["discriminator"].step()
        return losses

    def train_generator(self, fake: Tensor, reference: Tensor, indices: Tensor) -> dict:
        """Eq. 8: Loss = L_G + lambda1 L_MSE + lambda2 L_VGG + lambda3 L_Eff."""
        losses = {}
        if self.losses.adversarial:
            self.critic.requires_grad_(False)  # its weights need no gradient here
            loss = gan_generator_loss if self.losses.adversarial_form == "gan" else generator_loss
            losses["adversarial"] = loss(self.forward(self.critic, fake))
            self.critic.requires_grad_(True)
        if self.losses.mse:
            losses["mse"] = mse(fake, reference)
        for name, frozen in self.perceptual.items():
            norm = self.losses.perceptual_norm
            losses[name] = self.feature_loss(frozen, fake, indices, norm)
        total = sum(getattr(self.losses, name) * loss for name, loss in losses.items())
        self.optimisers["generator"].zero_grad()
        total.backward()
        self.optimisers["generator"].step()
        return losses | {"total": total}


class SummedTwoDGANRecipe(TwoDGANRecipe):
    """The same training of the other reading of Fig. 4."""

    make_generator = SummedTwoDGAN


class UnweightedTwoDGANRecipe(TwoDGANRecipe):
    """The same training of the other reading of C3."""

    make_generator = UnweightedTwoDGAN
