"""Training step of CUT (Park et al., 2020), visible to infrared: least-squares GAN and PatchNCE.

The features of the input image, the keys of PatchNCE, are those of the pass that generates: the
encoder runs once an image, and once more on what was generated.
"""

import torch
from torch import Tensor

from lib.losses import least_squares
from lib.losses.patch_nce import patch_nce
from lib.networks.patchgan import PatchGAN
from lib.networks.projection_head import ProjectionHead, ProjectionHeadConfig, draw_positions
from lib.networks.resnet_generator import ResnetGenerator
from lib.training.experiments import RunConfig
from lib.training.optimiser import adam
from lib.training.translation import TranslationRecipe, gradient_norm


class CUTRecipe(TranslationRecipe):
    """See `lib.training.engine.Recipe`. The experiment's `losses` are `CUTLosses`."""

    make_generator = ResnetGenerator

    def __init__(self, config: RunConfig, data, device: torch.device):
        super().__init__(config, data, device)
        experiment = config.experiment
        self.losses = experiment.losses
        self.generator = self.make_generator(experiment.network).to(device)
        self.discriminator = PatchGAN(experiment.discriminator).to(device)
        channels = self.generator.feature_channels
        self.head = ProjectionHead(ProjectionHeadConfig(channels)).to(device)
        self.modules = {
            "generator": self.generator, "discriminator": self.discriminator, "head": self.head,
        }
        self.optimisers = {
            name: adam(experiment.optimiser, module) for name, module in self.modules.items()
        }

    def step(self, step: int) -> dict[str, Tensor]:
        self.set_learning_rate(step)
        visible, infrared = self.batch(step)
        inputs = torch.cat([visible, infrared]) if self.losses.identity else visible
        with self.autocast():  # the only pass of the step
            outputs, keys = self.generator.forward_with_features(inputs)
        outputs = outputs.float()
        losses = self.train_discriminator(outputs[:1].detach(), infrared)
        return losses | self.train_generator(outputs, keys)

    def train_discriminator(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        fake_scores, real_scores = self.forward(
            self.discriminator, torch.cat([fake, real])
        ).split(1)
        loss = least_squares.discriminator_loss(fake_scores, real_scores)
        self.optimisers["discriminator"].zero_grad()
        loss.backward()
        gradient = gradient_norm(self.discriminator)
        self.optimisers["discriminator"].step()
        return {"discriminator": loss, "discriminator_gradient": gradient}

    def train_generator(self, outputs: Tensor, keys: list[Tensor]) -> dict[str, Tensor]:
        """L_GAN + L_NCE(X), or its mean with the identity L_NCE(Y) where that is on."""
        self.discriminator.requires_grad_(False)  # its weights need no gradient here
        scores = self.forward(self.discriminator, outputs[:1])
        losses = {"adversarial": least_squares.generator_loss(scores)}
        self.discriminator.requires_grad_(True)
        with self.autocast():
            queries = self.generator.features(outputs)
        places = draw_positions(queries, self.losses.patches)
        queries, keys = (self.head([map_.float() for map_ in maps], places)
                         for maps in (queries, keys))
        losses["nce"] = sum(map(patch_nce, queries, keys)) / len(keys)
        total = self.losses.adversarial * losses["adversarial"] + self.losses.nce * losses["nce"]
        for name in ("generator", "head"):
            self.optimisers[name].zero_grad()
        total.backward()
        for name in ("generator", "head"):
            self.optimisers[name].step()
        return losses | {"total": total}
