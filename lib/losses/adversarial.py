"""Adversarial losses of 2D-GAN: Wasserstein GAN with gradient penalty (Eq. 4), plain GAN (Eq. 1).

    L_D = E[D(G(x))] - E[D(y)] + lambda E[(||grad D(x_hat)||_2 - 1)^2]
    L_G = -E[D(G(x))]

D gives one score a patch; E runs over images and patches. As in the common patch implementations,
the gradient is that of the *sum* of an image's scores, so the mean score of 8x8 patches is
1/64-Lipschitz: this is what keeps the adversarial gradient on the scale of the pixel losses. That
of their mean can be selected.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def critic_loss(fake_scores: Tensor, real_scores: Tensor) -> Tensor:
    """The first two terms of L_D (2D-GAN, Eq. 4); scores (B, 1, h, w)."""
    return fake_scores.mean() - real_scores.mean()


def generator_loss(fake_scores: Tensor) -> Tensor:
    """L_G (2D-GAN, Eq. 4)."""
    return -fake_scores.mean()


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor,
    score: str = "sum",
) -> Tensor:
    """The third term of L_D without its lambda.

    `real`, `fake`: (B, C, H, W). `mix`: (B, 1, 1, 1) in [0, 1], drawn by the caller so that the
    random state is the caller's; x_hat = mix * real + (1 - mix) * fake. `score`: what D(x_hat) is,
    the "sum" or the "mean" of an image's patches; ValueError for any other.
    """
    if score not in ("sum", "mean"):
        raise ValueError(f"score must be sum or mean, got {score!r}")
    between = (mix * real + (1 - mix) * fake).detach().requires_grad_(True)
    scores = critic(between)
    of_images = scores if score == "sum" else scores.mean((1, 2, 3))
    (gradient,) = torch.autograd.grad(of_images.sum(), between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def gan_discriminator_loss(fake_scores: Tensor, real_scores: Tensor) -> Tensor:
    """-V(G, D) of Eq. 1: -E[log D(y)] - E[log(1 - D(G(x)))] with D = sigmoid(score)."""
    return F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()


def gan_generator_loss(fake_scores: Tensor) -> Tensor:
    """-E[log D(G(x))]: Eq. 1's E[log(1 - D(G(x)))] has no gradient left where D is sure."""
    return F.softplus(-fake_scores).mean()
