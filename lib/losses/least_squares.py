"""Least-squares GAN (Mao et al., 2017) with the targets 0 and 1, as FUnIE-GAN uses it.

Scores are (B, 1, h, w), one a patch and unbounded; the means run over images and patches.
"""

from torch import Tensor


def discriminator_loss(fake_scores: Tensor, real_scores: Tensor) -> Tensor:
    """1/2 E[(D(y) - 1)^2] + 1/2 E[D(G(x))^2]."""
    return 0.5 * ((real_scores - 1).square().mean() + fake_scores.square().mean())


def generator_loss(fake_scores: Tensor) -> Tensor:
    """E[(D(G(x)) - 1)^2]; FUnIE-GAN's weights 7 and 3 go with this, without Mao's factor 1/2."""
    return (fake_scores - 1).square().mean()
