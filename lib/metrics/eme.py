"""Enhancement measure evaluation."""

import numpy as np
from numpy.typing import ArrayLike

from lib.metrics.checks import check_grey, per_image


def eme(image: ArrayLike, block: int = 8) -> float | np.ndarray:
    """Enhancement measure evaluation in dB; higher has more local contrast. 2D-GAN names it beside
    AG and IE, but gives no equation and reports no figure. It is Agaian, Panetta and Grigoryan's
    (2001):

        EME = mean over blocks of 20 log10((max + 1) / (min + 1))

    with the largest and smallest grey level of each block. The ones, which the original does not
    have, keep a block with a black pixel finite and a black block at 0. Blocks do not overlap; the
    rows and columns at the end that fill no block are left out.

    Arguments:
        image: grey image (H, W) or stack (N, H, W), 0..255; floats are not rounded
        block: side of a block in pixels

    Returns a float, or (N,) float64 for a stack; 0 for a constant image, at most 48.2.

    Raises ValueError for images that `checks.check_grey` refuses or smaller than a block, and for
    a block below 1.

    >>> eme([[0, 9], [3, 5]], block=2)  # 20 log10(10 / 1)
    20.0
    """
    image = check_grey(image)
    if block < 1:
        raise ValueError(f"block must be at least one pixel, not {block}")
    if min(image.shape[-2:]) < block:
        raise ValueError(f"EME needs images of at least one block, {block} x {block}, not "
                         f"{image.shape[-2:]}")

    def of_one(image: np.ndarray) -> float:
        rows, columns = image.shape[0] // block, image.shape[1] // block
        whole = image[: rows * block, : columns * block]
        blocks = whole.reshape(rows, block, columns, block)
        high, low = blocks.max(axis=(1, 3)), blocks.min(axis=(1, 3))
        return np.mean(20 * np.log10((high + 1) / (low + 1)))

    return per_image(of_one, image)
