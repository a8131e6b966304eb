"""Image quality metrics on grey levels 0..255, one a file, as the papers define them.

The structure of an image (`structure_psnr`) is a measure of ours.
"""

import numpy as np
from numpy.typing import ArrayLike

from lib.metrics.average_gradient import average_gradient
from lib.metrics.eme import eme
from lib.metrics.information_entropy import information_entropy
from lib.metrics.psnr import psnr
from lib.metrics.saturation import saturation
from lib.metrics.ssim import ssim
from lib.metrics.structure import structure_psnr

# name -> function of images and references; a row here is measured of every test image. More AG or
# IE than the reference has is no gain, so how far off they are stands beside them.
METRICS = {
    "AG": lambda images, references: average_gradient(images),
    "IE": lambda images, references: information_entropy(images),
    "PSNR": psnr,
    "SSIM": ssim,
    "PSNR structure": structure_psnr,
    "AG distance": lambda images, references: abs(_beyond(average_gradient, images, references)),
    "IE distance": lambda images, references: abs(_beyond(information_entropy, images, references)),
    "AG excess": lambda images, references: np.maximum(
        _beyond(average_gradient, images, references), 0),
    "saturation": lambda images, references: saturation(images),
}

__all__ = ["METRICS", "average_gradient", "eme", "evaluate", "information_entropy", "psnr",
           "saturation", "ssim", "structure_psnr"]


def _beyond(metric, images: ArrayLike, references: ArrayLike) -> float | np.ndarray:
    return metric(images) - metric(references)


def evaluate(images: ArrayLike, references: ArrayLike) -> dict[str, float | np.ndarray]:
    """`METRICS` of images (N, H, W) against references (N, H, W), 0..255.

    Returns {metric: (N,) float64} in the order of `METRICS`, floats for one image (H, W). AG, IE
    and saturation look at the images alone. Raises ValueError where one of the metrics does.

    >>> grey = np.full((2, 16, 16), 100, dtype=np.uint8)
    >>> {name: values.tolist() for name, values in evaluate(grey, grey).items()}["PSNR"]
    [inf, inf]
    """
    return {name: metric(images, references) for name, metric in METRICS.items()}
