"""Saturation."""

import numpy as np
from numpy.typing import ArrayLike

from lib.metrics.checks import check_grey, per_image


def saturation(image: ArrayLike) -> float | np.ndarray:
    """Share of the pixels at 0 or 255, 0 to 1: what too strong a contrast cuts off.

    One sign of over-enhancement, of which 2D-GAN speaks without a measure; stored with every run.
    (The claim goes by the AG beyond the reference's.)

    Arguments:
        image: grey image (H, W) or stack (N, H, W), 0..255

    Returns a float, or (N,) float64 for a stack.

    Raises ValueError for images that `checks.check_grey` refuses.

    >>> saturation([[0, 3], [128, 255]])
    0.5
    """
    return per_image(lambda image: np.mean((image <= 0) | (image >= 255)), check_grey(image))
