"""Information entropy."""

import numpy as np
from numpy.typing import ArrayLike

from lib.metrics.checks import check_grey, per_image


def information_entropy(image: ArrayLike) -> float | np.ndarray:
    """Information entropy in bits a pixel, 0 to 8; higher uses the grey levels more evenly
    (2D-GAN, Eq. 12):

        IE = - sum over i = 0..255 of p(i) log2 p(i),  with 0 log2 0 = 0

    where p(i) is the share of pixels with grey level i.

    Arguments:
        image: grey image (H, W) or stack (N, H, W), 0..255; floats are rounded to the nearest grey
            level (halves to the even one), since Eq. 12 counts grey levels

    Returns a float, or (N,) float64 for a stack; 0 for a constant image.

    Raises ValueError for images that `checks.check_grey` refuses.

    >>> information_entropy([[0, 0], [128, 255]])  # 1/2 * 1 + 1/4 * 2 + 1/4 * 2
    1.5
    """

    def of_one(image: np.ndarray) -> float:
        counts = np.bincount(np.rint(image).astype(np.intp).ravel())
        p = counts[counts > 0] / image.size
        return np.sum(p * np.log2(1 / p))

    return per_image(of_one, check_grey(image))
