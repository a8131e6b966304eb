"""From a good grey image to an infrared-like one (2D-GAN, section "Data settings", Fig. 5).

The paper: "a random contrast function was applied within a predefined contrast factor range to
reduce contrast. Gaussian noise and blur were further added to decrease image brightness". It gives
no values. So, in the order of the text, with a factor of brightness, which noise and blur leave as
it is:

    contrast     x <- mean(x) + c (x - mean(x))
    noise        x <- x + n N(0, 1)
    blur         x <- Gaussian of standard deviation s * x
    brightness   x <- b x

Read literally, only the contrast is random, and noise, blur and brightness are the same for all
images: LITERAL, the default. WIDE draws all four anew for each image; it trains the network that is
meant for images of which nothing is known. `lib.evaluation.calibration` says how the values of
LITERAL were found, on training images.
"""

import zlib
from dataclasses import dataclass, fields

import cv2
import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class DegradationRanges:
    """Lowest and highest value; each image draws from the uniform distribution between them."""

    contrast: Range = (0.35, 0.60)  # factor about the mean of the image
    noise: Range = (5.0, 5.0)  # standard deviation in grey levels, before the blur
    blur: Range = (0.4, 0.4)  # standard deviation of the Gaussian in pixels
    brightness: Range = (0.45, 0.45)  # factor

    def middle(self) -> "Factors":
        """The middle of each range."""
        return Factors(*(sum(getattr(self, field.name)) / 2 for field in fields(self)))


@dataclass(frozen=True)
class Factors:
    """What one image is degraded by: a value of each of the ranges."""

    contrast: float
    noise: float
    blur: float
    brightness: float


LITERAL = DegradationRanges()
WIDE = DegradationRanges(noise=(3.0, 8.0), blur=(0.4, 0.7), brightness=(0.45, 0.65))


def degrade(
    reference: np.ndarray, name: str, seed: int = 0, ranges: DegradationRanges = LITERAL
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
    rng = _generator(name, seed)
    by = _draw(rng, ranges)
    image = reference.astype(np.float32)
    mean = image.mean()
    image = mean + np.float32(by.contrast) * (image - mean)
    image += np.float32(by.noise) * rng.standard_normal(image.shape, dtype=np.float32)
    image = cv2.GaussianBlur(image, (0, 0), by.blur, borderType=cv2.BORDER_REFLECT_101)
    return _bytes(np.float32(by.brightness) * image)


def factors(name: str, seed: int = 0, ranges: DegradationRanges = LITERAL) -> Factors:
    """What `degrade` drew for the image of that name."""
    return _draw(_generator(name, seed), ranges)


def undo(degraded: np.ndarray, by: Factors) -> np.ndarray:
    """Brightness and contrast taken back, noise and blur left: (H, W) uint8 -> (H, W) uint8."""
    image = degraded / by.brightness
    mean = image.mean()
    return _bytes(mean + (image - mean) / by.contrast)


def _generator(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _draw(rng: np.random.Generator, ranges: DegradationRanges) -> Factors:
    return Factors(*(rng.uniform(*getattr(ranges, field.name)) for field in fields(ranges)))


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
