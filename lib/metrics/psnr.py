"""Peak signal-to-noise ratio."""

import numpy as np
from numpy.typing import ArrayLike

from lib.metrics.checks import check_pair, per_image


def psnr(image: ArrayLike, reference: ArrayLike, max_value: float = 255) -> float | np.ndarray:
    """Peak signal-to-noise ratio in dB; higher is nearer to the reference (2D-GAN, Eq. 9;
    GN_CycleGAN, Eqs. 8 and 9):

        PSNR = 10 log10(MAX^2 / MSE),  MSE = 1/(MN) sum (R(i,j) - F(i,j))^2

    Arguments:
        image: grey image (H, W) or stack (N, H, W), 0..255; floats are not rounded
        reference: the undegraded image or images, same shape
        max_value: MAX, the largest possible (not the largest present) value; 255, "typically", in
            2D-GAN, in GN_CycleGAN not given

    Returns a float, or (N,) float64 for a stack; inf where image and reference are identical, so
    that a mean over a set holding such a pair is inf as well. A set's figure is the mean of the
    images' PSNR, not the PSNR of the mean error.

    Raises ValueError for images that `checks.check_pair` refuses and for max_value <= 0.

    >>> psnr([[10, 20], [30, 40]], [[10, 20], [30, 50]])  # MSE = 10^2 / 4 = 25
    34.15140352195873
    """
    if not max_value > 0:
        raise ValueError(f"max_value must be positive, not {max_value}")

    def of_one(image: np.ndarray, reference: np.ndarray) -> float:
        error = np.mean((reference - image) ** 2)
        return 10 * np.log10(max_value**2 / error) if error else np.inf

    return per_image(of_one, *check_pair(image, reference))
