"""PSNR of what an image shows, its tone set right."""

import numpy as np
from numpy.typing import ArrayLike

from lib.metrics.checks import check_pair, per_image


def structure_psnr(
    image: ArrayLike, reference: ArrayLike, max_value: float = 255
) -> float | np.ndarray:
    """PSNR in dB after the affine map of the image's grey levels that is best for it.

    The map a x + b with the least squared error to the reference takes out of the error what
    brightness and contrast explain, the tone; what is left is structure. So PSNR is never higher,
    and the difference is what the tone costs. A measure of ours, in neither paper.

    Arguments and errors as `lib.metrics.psnr`; the mapped image is neither rounded nor clipped. An
    image that differs in tone alone has, by rounding, inf or above 160 dB.

    >>> round(structure_psnr([[10, 20], [30, 40]], [[20, 40], [60, 81]]), 4)  # twice, but for one
    59.3802
    """
    if not max_value > 0:
        raise ValueError(f"max_value must be positive, not {max_value}")

    def of_one(image: np.ndarray, reference: np.ndarray) -> float:
        # the squared error of a regression: the variance that the correlation leaves unexplained
        x, y = image - image.mean(), reference - reference.mean()
        variance = np.mean(x * x)
        error = np.mean(y * y) - (np.mean(x * y) ** 2 / variance if variance else 0.0)
        return 10 * np.log10(max_value**2 / error) if error > 0 else np.inf

    return per_image(of_one, *check_pair(image, reference))
