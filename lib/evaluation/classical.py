"""The classical enhancement methods of 2D-GAN's comparison: HE, CLAHE, GF, SSR, MSR.

2D-GAN (section "Comparative experiment", Table 3) gives no parameter of any of them. The defaults
here are those of the methods' own papers or of OpenCV, as each docstring says; none is tuned to the
figures of Table 3, which depend on a degradation whose parameters are not given either.

Every method takes one grey image (H, W), uint8, and returns one of the same shape and type. It
looks at nothing but that image, has no randomness and gives the same result at any number of
threads; constant images stay constant. Anything but a non-empty (H, W) uint8 array is a ValueError.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np


def histogram_equalization(image: np.ndarray) -> np.ndarray:
    """HE: spread the grey levels so that their cumulative histogram is a straight line.

    OpenCV's variant: level v becomes 255 (c(v) - c0) / (HW - c0), where c counts the pixels up to v
    and c0 those of the darkest level present, which becomes 0. A constant image comes back as is.
    """
    return cv2.equalizeHist(_grey(image))


def clahe(image: np.ndarray, clip_limit: float = 2.0, tiles: int = 8) -> np.ndarray:
    """CLAHE: histogram equalisation in tiles x tiles tiles, interpolated between them, with the
    histogram clipped at clip_limit times its mean height (Zuiderveld 1994).

    2.0 and 8 x 8 are the values of OpenCV's tutorial. This is OpenCV's CLAHE; scikit-image's
    stretches the grey levels first, so that a dim image comes out far brighter. A constant image
    stays constant, but is moved by some grey levels.
    """
    return cv2.createCLAHE(clip_limit, (tiles, tiles)).apply(_grey(image))


def guided_filter_enhancement(
    image: np.ndarray, radius: int = 16, eps: float = (0.1 * 255) ** 2, gain: float = 5.0
) -> np.ndarray:
    """GF: detail enhancement by the guided filter (He, Sun and Tang 2013):

        base = guided filter of I by itself,  result = base + gain (I - base)

    rounded and cut to 0..255. radius in pixels (a box of 2 radius + 1); eps in squared grey levels.
    The defaults are that paper's detail enhancement: r = 16, eps = 0.1^2 on 0..1 (eps scales with
    the square of the range), detail times 5. Details and noise stand out, overall brightness stays,
    so that PSNR moves little on darkened images, as in Table 3.
    """
    grey = _grey(image).astype(np.float32)
    base = cv2.ximgproc.guidedFilter(grey, grey, radius, eps)
    return _to_uint8(base + gain * (grey - base))


def single_scale_retinex(
    image: np.ndarray, sigma: float = 80.0, clip_percent: float = 1.0
) -> np.ndarray:
    """SSR: logarithm of the image over its Gaussian surround (Jobson, Rahman, Woodell 1997a):

        R = log(1 + I) - log(1 + G_sigma * I), stretched to 0..255

    sigma in pixels. 80 is the surround constant recommended there, used here as the standard
    deviation, as is common in code; that paper writes exp(-r^2/c^2), where c = 80 would be a
    standard deviation of 57. The border is mirrored.

    The stretch is linear, from the clip_percent lowest to the clip_percent highest values, which
    saturate: 1 % at either end, as in Petro, Sbert and Morel's reference implementation (2014),
    because log(1 + I) gives a few black pixels most of the range otherwise. clip_percent=0
    stretches from minimum to maximum. The base of the logarithm cancels.

    An image without structure comes back unchanged: see `_stretch`.
    """
    return multi_scale_retinex(image, (sigma,), clip_percent)


def multi_scale_retinex(
    image: np.ndarray, sigmas: Sequence[float] = (15.0, 80.0, 250.0), clip_percent: float = 1.0
) -> np.ndarray:
    """MSR: the mean of R of `single_scale_retinex` over several surrounds, then its stretch.

    Scales 15, 80 and 250 pixels with equal weights are those of Jobson, Rahman and Woodell (1997b),
    and are kept although they were meant for larger images: on 128 x 128 pixels the widest
    surround is nearly the mean of the image.
    """
    grey = _grey(image).astype(np.float64)
    surrounds = [np.log1p(cv2.GaussianBlur(grey, (0, 0), sigma)) for sigma in sigmas]
    retinex = np.log1p(grey) - np.mean(surrounds, axis=0)
    return _stretch(retinex, clip_percent, flat=image)


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "HE": histogram_equalization,
    "CLAHE": clahe,
    "GF": guided_filter_enhancement,
    "SSR": single_scale_retinex,
    "MSR": multi_scale_retinex,
}


def enhance(name: str, batch: np.ndarray) -> np.ndarray:
    """Method `name` of `METHODS`, at its defaults, on each image of (N, H, W) uint8 -> (N, H, W).

    Raises ValueError for an unknown name and for anything but a non-empty uint8 stack.
    """
    if name not in METHODS:
        raise ValueError(f"no classical method {name!r}: choose one of {', '.join(METHODS)}")
    # A stack has three dimensions, and a last axis of 1, 3 or 4 is a channel axis, not a width.
    if np.ndim(batch) != 3 or len(batch) == 0 or np.shape(batch)[-1] in (1, 3, 4):
        raise ValueError(f"batch must be grey images (N, H, W), not of shape {np.shape(batch)}")
    return np.stack([METHODS[name](image) for image in batch])


def _grey(image: np.ndarray) -> np.ndarray:
    """`image` itself if it is a non-empty (H, W) uint8 array, else ValueError."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = getattr(image, "dtype", type(image).__name__)
        raise ValueError(f"image must be a uint8 array, not {kind}: scale to 0..255 and round it")
    if image.ndim != 2 or image.size == 0:
        raise ValueError(f"image must be one grey image (H, W), not of shape {image.shape}")
    return image


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _stretch(values: np.ndarray, clip_percent: float, flat: np.ndarray) -> np.ndarray:
    """`values` with their clip_percent and 100 - clip_percent percentiles at 0 and 255, as uint8.

    Returns a copy of `flat` where these percentiles lie closer together than log(256 / 255), the
    smallest step of log(1 + I) between two grey levels: what is left is rounding or the halo of a
    few pixels, which the stretch would blow up to full contrast.
    """
    if not 0 <= clip_percent < 50:
        raise ValueError(f"clip_percent must be at least 0 and below 50, not {clip_percent}")
    low, high = np.percentile(values, (clip_percent, 100 - clip_percent))
    if high - low < np.log(256 / 255):
        return flat.copy()
    return _to_uint8((values - low) * (255 / (high - low)))
