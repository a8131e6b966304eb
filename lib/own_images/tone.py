"""Grey values: from those of a file to those that a method takes, and to the depth of the output.

In between all are levels, float32 in 0..255.

A network of 2D-GAN was trained on dim images of little contrast (`lib.data.degradation`); a well
lit image is as strange to it as the counts 7000 to 9000 of a thermal camera. So every image is
moved, linearly, to where those of training lay: its 1 % and 99 % percentiles go to the means of
these percentiles over the training images (`Tone`). What lies beyond goes on linearly, up to the
lowest and highest levels that occur in training, and is cut off there. Rows and columns of one
value (the black rows below a camera's image) are fill and not counted in percentiles.
"""

from dataclasses import dataclass

import numpy as np

PERCENT = 1.0  # of the values at either end may be outliers: hot spots, dead pixels
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as everywhere in this kit


@dataclass(frozen=True)
class Tone:
    """Where the images that a network was trained on lie, in levels 0..255."""

    low: float  # mean over the images of their 1 % percentile
    high: float  # and of their 99 % percentile
    least: float  # 0.1 % and 99.9 % percentiles of all their pixels
    most: float

    @classmethod
    def of(cls, images: np.ndarray) -> "Tone":
        """That of training images (N, H, W) uint8."""
        low, high = np.percentile(images, (PERCENT, 100 - PERCENT), axis=(1, 2)).mean(axis=1)
        least, most = np.percentile(images, (0.1, 99.9))
        return cls(float(low), float(high), float(least), float(most))

    def levels(self, image: np.ndarray) -> np.ndarray:
        """Any grey image (H, W) as levels seen in training; a constant one as their middle."""
        levels = _stretched(image, self.low, self.high)
        return np.clip(levels, self.least, self.most)

    def beyond(self, levels: np.ndarray) -> float:
        """The share of `levels` that was cut off, 0 to 1; fill is not counted."""
        levels = _without_fill(levels)
        return float(np.mean((levels <= self.least) | (levels >= self.most)))


def grey(image: np.ndarray) -> np.ndarray:
    """(H, W) as it is, RGB (H, W, 3) as its luma, float64, of bytes rounded to bytes."""
    if image.ndim == 2:
        return image
    luma = image.astype(np.float64) @ np.array(LUMA)
    return np.rint(luma).astype(np.uint8) if image.dtype == np.uint8 else luma


def as_bytes(image: np.ndarray) -> np.ndarray:
    """(H, W[, 3]) of any type -> uint8, for methods that are made for bytes.

    Bytes stay as they are; all else is stretched, its 0.1 % and 99.9 % percentiles to 0 and 255.
    """
    if image.dtype == np.bool_:
        return image * np.uint8(255)
    if image.dtype == np.uint8:
        return image
    return np.clip(np.rint(_stretched(image, 0, 255, percent=0.1)), 0, 255).astype(np.uint8)


def to_depth(levels: np.ndarray, depth: int) -> np.ndarray:
    """Levels 0..255 -> the whole range of uint8 or uint16 (257 times the level)."""
    kind, scale = (np.uint8, 1) if depth == 8 else (np.uint16, 257)
    return np.rint(np.clip(levels, 0, 255) * np.float32(scale)).astype(kind)


def _stretched(image: np.ndarray, low: float, high: float, percent: float = PERCENT) -> np.ndarray:
    """The image with its outer percentiles at `low` and `high`, float32, nothing cut off."""
    image = image.astype(np.float64)
    first, last = np.percentile(_without_fill(image), (percent, 100 - percent))
    if first == last:  # a few pixels on an even ground
        first, last = image.min(), image.max()
    if first == last:
        return np.full(image.shape, (low + high) / 2, np.float32)
    return (low + (image - first) * ((high - low) / (last - first))).astype(np.float32)


def _without_fill(image: np.ndarray) -> np.ndarray:
    """The image without rows and columns of a single value; all of it where nothing is left."""
    plane = image.reshape(*image.shape[:2], -1)
    rows, columns = (np.ptp(plane, axis=(axis, 2)) > 0 for axis in (1, 0))
    inside = image[rows][:, columns]
    return inside if inside.size else image
