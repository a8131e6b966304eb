"""Eqs. 4 and 5 of 2D-GAN against hand-worked cases."""

import pytest
import torch
import torch.nn.functional as F

from lib.losses.adversarial import (
    critic_loss, gan_discriminator_loss, gan_generator_loss, generator_loss, gradient_penalty,
)
from lib.losses.pixel import mse


def test_mse_by_hand():
    fake, real = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 2.0], [0.0, -1.0]]]])
    assert mse(fake, real).item() == (1 + 4 + 0 + 1) / 4


def test_wasserstein_terms_by_hand():
    fake, real = torch.tensor([1.0, 3.0]), torch.tensor([5.0, 7.0])
    assert critic_loss(fake, real).item() == 2 - 6
    assert generator_loss(fake).item() == -2


def test_plain_gan_is_equation_1():
    fake, real = torch.tensor([0.3, -1.0]), torch.tensor([2.0, -0.5])
    d_fake, d_real = torch.sigmoid(fake), torch.sigmoid(real)
    value = d_real.log().mean() + (1 - d_fake).log().mean()  # V(G, D)
    torch.testing.assert_close(gan_discriminator_loss(fake, real), -value)
    torch.testing.assert_close(gan_generator_loss(fake), -d_fake.log().mean())


def test_penalty_of_a_linear_critic_is_known():
    """D(x) = w . x has the gradient w everywhere: the penalty is (||w|| - 1)^2, below 1 as well."""
    direction = F.normalize(torch.randn(12), dim=0).view(1, 3, 4)
    for length in (0.25, 3):
        penalty = gradient_penalty(
            lambda x: (x * length * direction).flatten(1).sum(1), torch.randn(5, 1, 3, 4),
            torch.randn(5, 1, 3, 4), torch.rand(5, 1, 1, 1),
        )
        assert penalty.item() == pytest.approx((length - 1) ** 2, rel=1e-5)


def test_penalty_of_the_mean_score_is_selectable():
    """D(x) = w x at each of 12 patches: the sum has a gradient 12 times that of the mean."""
    images, mix = torch.randn(5, 1, 3, 4), torch.rand(5, 1, 1, 1)
    penalty = gradient_penalty(lambda x: 6 * x, images, images, mix, "mean")
    assert penalty.item() == pytest.approx((6 / 12**0.5 - 1) ** 2, rel=1e-5)
    with pytest.raises(ValueError, match="sum or mean, got 'patch'"):
        gradient_penalty(lambda x: x, images, images, mix, "patch")


def test_penalty_is_taken_between_real_and_fake():
    """D(x) = x^2 / 2 summed has the gradient x: at mix m it is m real + (1 - m) fake."""
    real, fake = torch.full((1, 1, 1, 1), 4.0), torch.zeros(1, 1, 1, 1)
    penalty = gradient_penalty(
        lambda x: x.square().sum() / 2, real, fake, torch.full((1, 1, 1, 1), 0.75)
    )
    assert penalty.item() == pytest.approx((3 - 1) ** 2)


def test_penalty_gives_the_critic_a_gradient_and_the_images_none():
    """w = (2, 2, 2, 2) is of length 4: (4 - 1)^2 has the gradient 2 (4 - 1) w / 4."""
    fake = torch.randn(2, 4, requires_grad=True)
    critic = torch.nn.Linear(4, 1, bias=False)
    torch.nn.init.constant_(critic.weight, 2.0)
    gradient_penalty(critic, torch.randn(2, 4), fake, torch.rand(2, 1)).backward()
    torch.testing.assert_close(critic.weight.grad, torch.full((1, 4), 3.0))
    assert fake.grad is None
