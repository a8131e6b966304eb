"""A critic of points in the plane: what its losses do to its slope, small enough to be looked at.
A point is an image of two channels and one pixel, (N, 2, 1, 1), so that losses and normalisation
are those of the papers, unchanged."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from lib.losses.adversarial import critic_loss, gradient_penalty
from lib.networks.gradient_normalisation import GradientNormalised

PLAIN, PENALTY, NORMALISED = KINDS = ("plain", "gradient penalty", "gradient normalisation")
POINTS = 100  # of each cloud
EXTENT, SIDE = 3.0, 60  # the field: from minus EXTENT to it both ways, SIDE x SIDE values


def clouds(distance: float) -> tuple[Tensor, Tensor]:
    """Real points on the right and generated ones on the left, (N, 2, 1, 1) each."""
    random = torch.Generator().manual_seed(0)
    real, fake = 0.4 * torch.randn(2, POINTS, 2, 1, 1, generator=random)
    real[:, 0] += distance / 2
    fake[:, 0] -= distance / 2
    return real, fake


def train(kind: str, real: Tensor, fake: Tensor, steps: int, every: int) -> Iterator[nn.Module]:
    """A small critic as it starts, after every so many steps and at the end. It scores real points
    above generated ones (2D-GAN, Eq. 4, without penalty where `kind` is PLAIN; GN_CycleGAN, Eq. 2,
    where it is NORMALISED). Raises ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        critic = nn.Sequential(nn.Conv2d(2, 32, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 32, 1),
                               nn.LeakyReLU(0.2), nn.Conv2d(32, 1, 1))
    if kind == NORMALISED:
        critic = GradientNormalised(critic)
    optimiser = torch.optim.Adam(critic.parameters(), lr=1e-2, betas=(0.5, 0.99))
    random = torch.Generator().manual_seed(0)
    for step in range(steps):
        if step % every == 0:
            yield critic
        loss = critic_loss(critic(fake), critic(real))
        if kind == PENALTY:
            mix = torch.rand(len(real), 1, 1, 1, generator=random)
            loss = loss + 10 * gradient_penalty(critic, real, fake, mix)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    yield critic


def field(critic: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """Score and norm of its gradient on a grid over the plane, (SIDE, SIDE) each, y upward."""
    line = torch.linspace(-EXTENT, EXTENT, SIDE)
    y, x = torch.meshgrid(line, line, indexing="ij")
    points = torch.stack([x, y], dim=-1).view(-1, 2, 1, 1).requires_grad_()
    scores = critic(points)
    (gradient,) = torch.autograd.grad(scores.sum(), points)
    values = scores.detach(), gradient.flatten(1).norm(dim=1)
    return tuple(one.view(SIDE, SIDE).numpy() for one in values)
