"""Training step of CycleGAN and GN_CycleGAN (GN_CycleGAN, Eqs. 4 to 7 and Table 1).

K steps of the discriminators, then one of the generators. Every image is generated once: what the
discriminators saw, the generators are trained on. A generator's two inputs of a step, an image to
translate and one to keep as it is, go through it together where no layer mixes the images of a
batch (instance norm does not, the batch norm in CBAM does).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.losses import least_squares
from lib.losses.cycle_gan import CycleGANLosses, discriminator_loss, generator_loss
from lib.networks.gradient_normalisation import GradientNormalised
from lib.networks.patchgan import PatchGAN, PatchGANConfig
from lib.networks.resnet_generator import ResnetGenerator, ResnetGeneratorConfig
from lib.networks.unet_generator import UnetGenerator, UnetGeneratorConfig
from lib.training.image_pool import ImagePool
from lib.training.experiments import RunConfig
from lib.training.optimiser import adam
from lib.training.translation import TranslationRecipe, gradient_norm


def make_generator(config: ResnetGeneratorConfig | UnetGeneratorConfig) -> nn.Module:
    kind = UnetGenerator if isinstance(config, UnetGeneratorConfig) else ResnetGenerator
    return kind(config)


def make_discriminator(losses: CycleGANLosses, config: PatchGANConfig) -> nn.Module:
    """A PatchGAN, its gradient normalised where the losses say so (Eqs. 2 and 3)."""
    network = PatchGAN(config)
    if losses.normalisation == "none":
        return network
    return GradientNormalised(network, losses.normalisation, losses.score, losses.zeta)


class CycleGANRecipe(TranslationRecipe):
    """See `lib.training.engine.Recipe`. The experiment's `losses` are `CycleGANLosses`."""

    make_generator = staticmethod(make_generator)

    def __init__(self, config: RunConfig, data, device: torch.device):
        super().__init__(config, data, device)
        experiment = config.experiment
        self.losses = experiment.losses
        self.generator = make_generator(experiment.network).to(device)  # G_A, visible to infrared
        self.backward_generator = make_generator(experiment.network).to(device)  # G_B, back
        self.judge_visible, self.judge_infrared = (  # D_X, D_Y
            make_discriminator(self.losses, experiment.discriminator).to(device) for _ in "XY"
        )
        self.modules = {
            "generator": self.generator,
            "backward_generator": self.backward_generator,
            "discriminator_visible": self.judge_visible,
            "discriminator_infrared": self.judge_infrared,
        }
        self.optimisers = {
            "generators": adam(experiment.optimiser, self.generator, self.backward_generator),
            "discriminators": adam(experiment.optimiser, self.judge_visible, self.judge_infrared),
        }
        self.pools = {name: ImagePool(self.losses.pool) for name in ("visible", "infrared")}
        self.joint = not any(isinstance(m, nn.BatchNorm2d) for m in self.generator.modules())

    def step(self, step: int) -> dict[str, Tensor]:
        self.set_learning_rate(step)
        k_steps = self.losses.discriminator_steps
        for earlier in range(step * k_steps, (step + 1) * k_steps - 1):
            visible, infrared = self.batch(earlier)  # further steps of the discriminators
            with torch.no_grad():
                fakes = (self.forward(self.backward_generator, infrared),
                         self.forward(self.generator, visible))
            self.train_discriminators(earlier, visible, infrared, *fakes)
        last = (step + 1) * k_steps - 1
        visible, infrared = self.batch(last)
        fake_infrared, same_infrared = self.both(self.generator, visible, infrared)
        fake_visible, same_visible = self.both(self.backward_generator, infrared, visible)
        losses = self.train_discriminators(
            last, visible, infrared, fake_visible.detach(), fake_infrared.detach()
        )
        return losses | self.train_generators(
            visible, infrared, fake_visible, fake_infrared, same_visible, same_infrared
        )

    def names(self, step: int) -> list[str]:
        k = self.losses.discriminator_steps
        drawn = range(step * k, (step + 1) * k)
        return [name for s in drawn for name in TranslationRecipe.names(self, s)]

    def both(self, generator: nn.Module, image: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """The generator's translation of `image` and, for the identity loss, of its own domain."""
        if not self.losses.identity:
            return self.forward(generator, image), own
        if self.joint:
            return self.forward(generator, torch.cat([image, own])).split(1)
        return self.forward(generator, image), self.forward(generator, own)

    def scores(self, judge: nn.Module, images: Tensor) -> Tensor:
        """A discriminator's scores; in fp32 where its gradient is in them, as that is
        differentiated once more."""
        return judge(images) if self.losses.normalisation != "none" else self.forward(judge, images)

    def train_discriminators(
        self, step: int, visible: Tensor, infrared: Tensor, fake_visible: Tensor,
        fake_infrared: Tensor,
    ) -> dict[str, Tensor]:
        """The losses of D_X and D_Y, of Eqs. 4 and 5 or another form, as the settings say;
        generated images come by way of the pools."""
        rng = np.random.default_rng([self.config.seed, step, 1])
        losses = {}
        for name, judge, real, fake in (
            ("visible", self.judge_visible, visible, fake_visible),
            ("infrared", self.judge_infrared, infrared, fake_infrared),
        ):
            shown = self.pools[name].exchange(fake, rng)
            both = torch.cat([shown, real])
            losses[f"discriminator_{name}"] = discriminator_loss(
                self.losses, *self.scores(judge, both).split(1)
            )
            if self.losses.plain:
                loss = least_squares.discriminator_loss(
                    *self.forward(judge.discriminator, both).split(1)
                )
                losses[f"plain_{name}"] = self.losses.plain * loss
        self.optimisers["discriminators"].zero_grad()
        sum(losses.values()).backward()
        losses["discriminator_gradient"] = gradient_norm(self.judge_visible, self.judge_infrared)
        self.optimisers["discriminators"].step()
        return losses

    def train_generators(
        self, visible: Tensor, infrared: Tensor, fake_visible: Tensor, fake_infrared: Tensor,
        same_visible: Tensor, same_infrared: Tensor,
    ) -> dict[str, Tensor]:
        """Eq. 7, with CycleGAN's identity loss."""
        judges = (self.judge_visible, self.judge_infrared)
        for judge in judges:
            judge.requires_grad_(False)  # their weights need no gradient here
        losses = {
            "adversarial_infrared": generator_loss(
                self.losses, self.scores(self.judge_infrared, fake_infrared)
            ),
            "adversarial_visible": generator_loss(
                self.losses, self.scores(self.judge_visible, fake_visible)
            ),
            # Eq. 6, named as in Figs. 6 and 7: visible and back, infrared and back
            "cycle_a": F.l1_loss(self.forward(self.backward_generator, fake_infrared), visible),
            "cycle_b": F.l1_loss(self.forward(self.generator, fake_visible), infrared),
        }
        for judge in judges:
            judge.requires_grad_(True)
        total = losses["adversarial_infrared"] + losses["adversarial_visible"]
        total = total + self.losses.cycle * (losses["cycle_a"] + losses["cycle_b"])
        if self.losses.identity:
            losses["identity"] = (
                F.l1_loss(same_infrared, infrared) + F.l1_loss(same_visible, visible)
            )
            total = total + self.losses.cycle * self.losses.identity * losses["identity"]
        self.optimisers["generators"].zero_grad()
        total.backward()
        self.optimisers["generators"].step()
        return losses | {"total": total}

    def extra_state(self) -> dict:
        return {name: pool.state() for name, pool in self.pools.items()}

    def load_extra_state(self, state: dict) -> None:
        for name, pool in self.pools.items():
            images = state[name]
            pool.load(None if images is None else images.to(self.device))
