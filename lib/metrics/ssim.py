"""Structural similarity."""

import numpy as np
from numpy.typing import ArrayLike
from skimage.metrics import structural_similarity

from lib.metrics.checks import check_pair, per_image

WINDOW = 11  # pixels: a Gaussian of sigma 1.5 cut at 3.5 sigma


def ssim(image: ArrayLike, reference: ArrayLike) -> float | np.ndarray:
    """Structural similarity, 1 for identical images (2D-GAN, Eq. 10):

        SSIM = (2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sx^2 + sy^2 + C2))

    Eq. 10 names neither the window nor the constants; they are those of the method's own paper
    (Wang et al. 2004): means and (co)variances under an 11 x 11 Gaussian window of sigma 1.5 that
    sums to one, C1 = (0.01 * 255)^2, C2 = (0.03 * 255)^2, and the mean over the windows that lie
    wholly inside the image. 2D-GAN does not say which SSIM it computed, GN_CycleGAN (4.1) that it
    was MATLAB R2019a's; the uniform 7 x 7 window that scikit-image has by default gives other
    figures. MATLAB's ssim has the same window and constants, but repeats the border outwards
    and takes the mean over all pixels; the ledger (ssim-window) says what that changes.

    Arguments:
        image: grey image (H, W) or stack (N, H, W), 0..255; floats are not rounded
        reference: the undegraded image or images, same shape

    Returns a float, or (N,) float64 for a stack, in -1..1: the paper gives 0..1, but the
    covariance, and with it SSIM, is negative where the structure is inverted.

    Raises ValueError for images that `checks.check_pair` refuses or smaller than 11 x 11.

    >>> ramp = np.tile(np.arange(0, 256, 16), (16, 1))
    >>> ssim(ramp, ramp)
    1.0
    >>> round(ssim(ramp, 255 - ramp), 4)
    -0.8213
    """
    image, reference = check_pair(image, reference)
    if min(image.shape[-2:]) < WINDOW:
        raise ValueError(f"SSIM needs images of at least {WINDOW} x {WINDOW} pixels, not "
                         f"{image.shape[-2:]}")

    def of_one(image: np.ndarray, reference: np.ndarray) -> float:
        return structural_similarity(image, reference, gaussian_weights=True, sigma=1.5,
                                     use_sample_covariance=False, data_range=255)

    return per_image(of_one, image, reference)
