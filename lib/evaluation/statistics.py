"""How sure a mean over seeds and images is: its interval, and the test that belongs to it.

No resampling, so no random state: the same values always give the same interval and verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import stdtrit

SMALLEST_P = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard errors over seeds and over images, and how many of each there are.

    Floats, or arrays of many means at once. `n_scenes`: how many different things the images show.
    An error is 0 where there is one seed, or one scene: with one seed it speaks of the networks
    that were trained, not of training again. Both are taken as normal; of 20 images with a heavy
    tail (log-normal) intervals at 95 % hold the truth in 88 %.
    """

    mean: np.ndarray
    of_seeds: np.ndarray
    of_images: np.ndarray
    n_seeds: int
    n_images: int
    n_scenes: int

    def half_width(self, level: float = 0.95) -> np.ndarray:
        """Of the interval: the half widths of both errors' own t intervals, added in squares.

        The recovery of variance estimates (Zou and Donner 2008, Statistics in Medicine 27,
        1693-1702). Few seeds keep their own wide t, which Satterthwaite's degrees of freedom lose
        where two or three seeds happen to agree. Infinite for one seed and one scene.
        """
        if self.n_seeds == self.n_scenes == 1:
            return np.full_like(self.mean, np.inf)
        parts = ((self.of_seeds, self.n_seeds), (self.of_images, self.n_scenes))
        return np.sqrt(sum((error * stdtrit(n - 1, (1 - level) / 2)) ** 2
                           for error, n in parts if n > 1))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Low and high of one mean."""
        half = float(self.half_width(level))
        return float(self.mean) - half, float(self.mean) + half

    def p_value(self, value: float = 0.0) -> float:
        """Two-sided, of "the true mean is `value`": 1 - the level of the interval that ends there.

        Of one mean; not below SMALLEST_P; 1 if it is not finite, as PSNR of an exact copy is.
        """
        distance = abs(float(self.mean) - value)
        if distance == 0 or not np.isfinite(distance):
            return 1.0

        def beyond(log_p: float) -> float:
            return float(self.half_width(1 - np.exp(log_p))) - distance

        lowest = np.log(SMALLEST_P)
        if beyond(lowest) <= 0:
            return SMALLEST_P
        return 1.0 if np.isinf(beyond(0)) else float(np.exp(brentq(beyond, lowest, 0)))


def estimate(values: ArrayLike, scenes: Sequence[str] | None = None) -> Estimate:
    """The mean of `values` (..., S, N), S seeds by N images, or (N,) images; the last two axes.

    Two-way random effects: seeds and images both vary, and all seeds were judged on the same
    images. The errors are those of the S means over images and of the N means over seeds, so what
    a seed does on an image of its own is counted in both, to the safe side.

    scenes: what each image shows (`lib.data.scenes`). Images of one scene deviate together, so the
    error is that of the scenes' sums of deviations (cluster-robust, Liang and Zeger 1986,
    Biometrika 73, 13-22); without `scenes` each image is its own.
    """
    values = np.atleast_2d(np.asarray(values, dtype=float))
    n_seeds, n_images = values.shape[-2:]
    scene = np.unique(range(n_images) if scenes is None else scenes, return_inverse=True)[1]
    return Estimate(
        values.mean(axis=(-2, -1)), _error(values.mean(axis=-1), np.arange(n_seeds)),
        _error(values.mean(axis=-2), scene), n_seeds, n_images, int(scene.max()) + 1,
    )


def _error(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The standard error of the mean of `values` (..., N), `group` (N,) saying what goes together:
    0, 1, ... K - 1. With K = N it is the deviation, by N - 1, through the root of N."""
    n, k = len(group), int(group.max()) + 1
    if k == 1:
        return np.zeros(values.shape[:-1])
    sums = (values - values.mean(axis=-1, keepdims=True)) @ np.eye(k)[group]  # (..., K)
    return np.sqrt(k / (k - 1) * (sums**2).sum(axis=-1)) / n


def interval_coverage(
    seeds: int, scenes: Sequence[int], seed_sd: float, level: float = 0.95, draws: int = 5000,
    known: bool = True,
) -> float:
    """How often the interval holds the truth, by simulation, seeded; `level` where all is well.

    A draw is the difference in dB of two methods: seeds deviate by `seed_sd`, scenes by 1 dB and
    skewed (exponential, skewness 2), single images of a seed by 0.5 dB. `scenes`: how many images
    show each; not `known`: which ones do is not told.
    """
    random = np.random.default_rng(0)
    scene = np.repeat(np.arange(len(scenes)), scenes)
    values = (seed_sd * random.normal(size=(draws, seeds, 1)) - 1
              + random.exponential(size=(draws, 1, len(scenes)))[..., scene]
              + 0.5 * random.normal(size=(draws, seeds, len(scene))))
    found = estimate(values, scene if known else None)
    return float(np.mean(np.abs(found.mean) < found.half_width(level)))
