"""From a good grey image to an infrared-like one (2D-GAN, section "Data settings", Fig. 5).

The paper: "a random contrast function was applied within a predefined contrast factor range to
reduce contrast. Gaussian noise and blur were further added to decrease image brightness". It gives
no range. So, in the order of the text, with c, n, s and b drawn anew for each image:

    contrast     x <- mean(x) + c (x - mean(x))
    noise        x <- x + n N(0, 1)
    blur         x <- Gaussian of standard deviation s * x
    brightness   x <- b x

The ranges were chosen on training images of ImageNet-5504 so that the degraded images resemble the
paper's own inputs (column OG of Table 3) in PSNR, SSIM, AG and IE, and that PSNR of about 27 dB and
SSIM of 0.86 can be reached from them, near what the paper reports for 2D-GAN: an image tells its
own c and b only within their ranges, so wider ones would put these figures out of reach.
`lib.evaluation.calibration` compares.
"""

import zlib
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class DegradationRanges:
    """Lowest and highest value; each image draws from the uniform distribution between them."""

    contrast: tuple[float, float] = (0.35, 0.60)  # factor about the mean of the image
    noise: tuple[float, float] = (3.0, 8.0)  # standard deviation in grey levels, before the blur
    blur: tuple[float, float] = (0.4, 0.7)  # standard deviation of the Gaussian in pixels
    brightness: tuple[float, float] = (0.45, 0.65)  # factor


def degrade(
    reference: np.ndarray,
    name: str,
    seed: int = 0,
    ranges: DegradationRanges = DegradationRanges(),
) -> np.ndarray:
    """A degraded copy of a grey image: (H, W) uint8 -> (H, W) uint8.

    What is drawn depends on `seed`, `name` and the image's shape only, so neither the order of the
    images nor the number of workers matters. Raises ValueError for another shape or type.
    """
    if reference.ndim != 2 or reference.dtype != np.uint8:
        raise ValueError(
            f"{name}: degrade needs a grey image (H, W) of uint8, "
            f"not {reference.shape} of {reference.dtype}"
        )
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    contrast = rng.uniform(*ranges.contrast)
    noise = rng.uniform(*ranges.noise)
    blur = rng.uniform(*ranges.blur)
    brightness = rng.uniform(*ranges.brightness)

    image = reference.astype(np.float32)
    mean = image.mean()
    image = mean + np.float32(contrast) * (image - mean)
    image += np.float32(noise) * rng.standard_normal(image.shape, dtype=np.float32)
    image = cv2.GaussianBlur(image, (0, 0), blur, borderType=cv2.BORDER_REFLECT_101)
    return np.clip(np.rint(np.float32(brightness) * image), 0, 255).astype(np.uint8)
