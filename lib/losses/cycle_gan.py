"""Adversarial losses of CycleGAN and GN_CycleGAN, and the weights of all its losses.

A discriminator's scores are one a patch, (B, 1, h, w). Plain ones are unbounded; gradient
normalisation bounds them, to [-1, 1] by Eq. 2 and to [0, 1] by Eq. 3 (GN_CycleGAN). Which loss
suits which is a matter of that range:

    lsgan         1/2 E[(D(y) - 1)^2] + 1/2 E[D(G(x))^2]      CycleGAN's public code
    log10         -E[log10 D(y)] - E[log10(1 - D(G(x)))]      Eqs. 4 and 5, D a probability
    wasserstein   E[D(G(x))] - E[D(y)]                        needs a D of bounded slope

The default for GN_CycleGAN is wasserstein on Eq. 2: at the start the normalised scores lie within
about 0.2 of 0, so the target 1 of lsgan is hardly met and its gradient nearly constant, whereas a
score of bounded slope is what the Wasserstein loss asks for. Only `score` "mean" can have that
bound, 1, and only where the score is piecewise linear; each score of the default "patch" has a
slope of about 0.13 at the start, without guarantee. On [-1, 1] the hinge loss that the authors of
gradient normalisation use is the same up to a constant.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from lib.losses import adversarial, least_squares

ADVERSARIAL = ("lsgan", "log10", "wasserstein")
NORMALISATION = ("none", "eq2", "eq3")
SMALLEST = 1e-6  # of a probability, before its logarithm


@dataclass(frozen=True)
class CycleGANLosses:
    """Eq. 7 with CycleGAN's weights: L_GAN + cycle (L_cycle + identity L_identity).

    `identity` keeps images alike that are in the target domain already. `normalisation` is that of
    the discriminators' scores, `score` what it calls f and `zeta` Eq. 3's constant, if it is one
    (`lib.networks.gradient_normalisation`), `pool` the number of earlier generated images they are
    shown, `discriminator_steps` the K of Table 1. `plain` is the weight of the least squares loss
    of the scores before they are normalised, which section 2.3 has beside that of the normalised
    ones.
    """

    adversarial: str = "lsgan"
    normalisation: str = "none"
    score: str = "patch"
    cycle: float = 10.0
    identity: float = 0.5
    pool: int = 50
    discriminator_steps: int = 1
    zeta: float | None = field(default=None, metadata={"neutral": None})
    plain: float = field(default=0.0, metadata={"neutral": 0.0})

    def __post_init__(self):
        for name, known in (("adversarial", ADVERSARIAL), ("normalisation", NORMALISATION)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r} is none of {', '.join(known)}")
        if self.plain and self.normalisation == "none":
            raise ValueError("plain scores have a loss of their own only beside normalised ones")


def discriminator_loss(losses: CycleGANLosses, fake: Tensor, real: Tensor) -> Tensor:
    """The discriminator's loss from its scores of generated and real images."""
    if losses.adversarial == "lsgan":
        return least_squares.discriminator_loss(fake, real)
    if losses.adversarial == "wasserstein":
        return adversarial.critic_loss(fake, real)
    real, fake = (probability(scores, losses.normalisation) for scores in (real, fake))
    return -(torch.log10(real).mean() + torch.log10(1 - fake).mean())


def generator_loss(losses: CycleGANLosses, fake: Tensor) -> Tensor:
    """The generator's loss from the scores of its images.

    log10: -E[log10 D(G(x))], as E[log10(1 - D(G(x)))] has no gradient left where D is sure. Where D
    is below SMALLEST this one has none either: of plain scores, below -13.8.
    """
    if losses.adversarial == "lsgan":
        return least_squares.generator_loss(fake)
    if losses.adversarial == "wasserstein":
        return adversarial.generator_loss(fake)
    return -torch.log10(probability(fake, losses.normalisation)).mean()


def probability(scores: Tensor, normalisation: str) -> Tensor:
    """Scores as probabilities: sigmoid of plain ones, (s + 1) / 2 of Eq. 2, Eq. 3's as they are.

    Cut off at SMALLEST and 1 - SMALLEST, so that logarithms are finite; there no gradient is left.
    """
    maps = {"none": torch.sigmoid, "eq2": lambda s: (s + 1) / 2, "eq3": lambda s: s}
    return maps[normalisation](scores).clamp(SMALLEST, 1 - SMALLEST)
