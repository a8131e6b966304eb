"""What every metric accepts, and how a metric of one image is applied to a stack of them.

A metric takes one grey image (H, W) or a stack (N, H, W) with values in 0..255: 8-bit integers as
they come from a file, or floats on the same scale (a network's output times 127.5 plus 127.5),
which are not rounded unless the metric says so. Floats on another scale that fits into 0..255,
such as 0..1, cannot be told apart from a dark image: rescaling is the caller's duty.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike


def check_grey(image: ArrayLike, name: str = "image") -> np.ndarray:
    """`image` as an array, checked to be one grey image (H, W) or a stack (N, H, W) in 0..255.

    Raises ValueError for colour or channel layouts, other numbers of dimensions, empty arrays,
    types that are not numbers, NaN, and values outside 0..255.
    """
    array = np.asarray(image)
    # A last axis of 1, 3 or 4 is a channel axis: read as a stack it would give H silly results.
    if array.ndim == 4 or (array.ndim == 3 and array.shape[-1] in (1, 3, 4)):
        raise ValueError(f"{name} of shape {array.shape} has a channel axis: "
                         "convert it to grey, (H, W) or (N, H, W)")
    if array.ndim not in (2, 3):
        raise ValueError(f"{name} must be (H, W) or (N, H, W), not of shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} of shape {array.shape} is empty: give at least one pixel")
    if array.dtype.kind not in "uif":
        raise ValueError(f"{name} must hold integers or floats in 0..255, not {array.dtype}")
    if array.dtype != np.uint8:
        low, high = array.min(), array.max()
        if np.isnan(low):
            raise ValueError(f"{name} holds NaN: find out where it arises before measuring")
        if low < 0 or high > 255:
            raise ValueError(f"{name} holds values in {low}..{high}: scale them to 0..255")
    return array


def check_pair(image: ArrayLike, reference: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays that pass `check_grey` and have the same shape, else ValueError."""
    image, reference = check_grey(image), check_grey(reference, "reference")
    if image.shape != reference.shape:
        raise ValueError(f"image {image.shape} and reference {reference.shape} differ in shape: "
                         "give pairs of one size")
    return image, reference


def per_image(metric: Callable[..., float], *arrays: np.ndarray) -> float | np.ndarray:
    """`metric` of float64 images (H, W): a float for one image, an array (N,) for a stack.

    A loop on purpose: an image of 128 x 128 stays in the processor's cache, so that this is up to
    four times faster than whole-stack expressions, and a stack gives bit for bit what its images
    give one by one.
    """
    if arrays[0].ndim == 2:
        return float(metric(*(a.astype(np.float64, order="C") for a in arrays)))
    return np.array([per_image(metric, *images) for images in zip(*arrays)])
