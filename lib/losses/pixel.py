"""Pixel losses between images in [-1, 1]."""

from torch import Tensor


def mse(fake: Tensor, real: Tensor) -> Tensor:
    """Mean squared error, 2D-GAN Eq. 5: (1 / WH) sum ||y_ij - G(x)_ij||^2, and over the batch."""
    return (real - fake).square().mean()
