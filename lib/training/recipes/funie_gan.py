"""Training step of FUnIE-GAN: least-squares GAN, L1 and VGG losses, conditional discriminator.

Generator first, then the discriminator on the same generated images, as in FUnIE-GAN's public
PyTorch code. Its content loss is the mean squared difference of VGG-19's conv5_2 before the ReLU,
with images in [-1, 1] as VGG's input. VGG-19 is in no package that serves VGG-16 (see
lib/networks/weights.py), so here it is VGG-16's block5_conv2 after the ReLU, with ImageNet's mean
and standard deviation applied: what 2D-GAN's own VGG loss sees.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lib.data.enhancement import EnhancementData
from lib.losses.least_squares import discriminator_loss, generator_loss
from lib.networks.backbones import VGG16Features
from lib.networks.funie_gan import FUnIEDiscriminator, FUnIEGenerator
from lib.training.enhancement import CHANNELS_LAST, EnhancementRecipe
from lib.training.experiments import RunConfig
from lib.training.optimiser import adam


class FUnIEGANRecipe(EnhancementRecipe):
    """See `lib.training.engine.Recipe`. The experiment's `losses` are a `FUnIELosses`."""

    make_generator = FUnIEGenerator

    def __init__(self, config: RunConfig, data: EnhancementData, device: torch.device):
        super().__init__(config, data, device)
        experiment = config.experiment
        self.losses = experiment.losses
        self.generator = self.make_generator(experiment.network).to(device, **CHANNELS_LAST)
        self.discriminator = FUnIEDiscriminator(experiment.discriminator)
        self.discriminator.to(device, **CHANNELS_LAST)
        self.modules = {"generator": self.generator, "discriminator": self.discriminator}
        self.optimisers = {
            name: adam(experiment.optimiser, module) for name, module in self.modules.items()
        }
        if self.losses.vgg:
            self.vgg = self.frozen(VGG16Features())

    def step(self, step: int) -> dict[str, Tensor]:
        indices, degraded, reference = self.batch(step)
        fake = self.forward(self.generator, degraded)  # (B, 1, H, W); its only pass of the step
        losses = self.train_generator(fake, degraded, reference, indices)
        return losses | self.train_discriminator(fake.detach(), degraded, reference)

    def train_generator(
        self, fake: Tensor, degraded: Tensor, reference: Tensor, indices: Tensor
    ) -> dict[str, Tensor]:
        self.discriminator.requires_grad_(False)  # its weights need no gradient here
        losses = {
            "adversarial": generator_loss(self.forward(self.discriminator, fake, degraded)),
            "l1": F.l1_loss(fake, reference),
        }
        self.discriminator.requires_grad_(True)
        if self.losses.vgg:
            losses["vgg"] = self.feature_loss(self.vgg, fake, indices, norm="l2")
        total = sum(getattr(self.losses, name) * loss for name, loss in losses.items())
        self.optimisers["generator"].zero_grad()
        total.backward()
        self.optimisers["generator"].step()
        return losses | {"total": total}

    def train_discriminator(
        self, fake: Tensor, degraded: Tensor, reference: Tensor
    ) -> dict[str, Tensor]:
        fake_scores, real_scores = (
            self.forward(self.discriminator, image, degraded) for image in (fake, reference)
        )
        loss = discriminator_loss(fake_scores, real_scores)
        self.optimisers["discriminator"].zero_grad()
        loss.backward()
        self.optimisers["discriminator"].step()
        return {"discriminator": loss}
