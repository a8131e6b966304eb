"""How sure a mean is, and whether a difference is one: intervals and paired tests over images."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import permutation_test

RESAMPLES = 2000
SIGN_FLIPS = 9999


def bootstrap_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values`, seeded: same values, same bounds.

    `values`: (N,) images, or (S, N) seeds by images. Several seeds are resampled as well, and then
    the images, the same ones for all seeds drawn: all seeds were judged on the same images, and to
    draw other images for each would count an easy image S times as if it were S images. Few seeds
    say little about seeds: of three, every ninth resample draws one seed three times.

    Raises ValueError for fewer than two images.
    """
    values = np.atleast_2d(values)
    n_seeds, n_images = values.shape
    if n_images < 2:
        raise ValueError("a bootstrap interval needs at least two values")
    random = np.random.default_rng(0)
    images = random.integers(n_images, size=(RESAMPLES, n_images))
    if n_seeds == 1:
        means = values[0][images].mean(axis=1)
    else:
        seeds = random.integers(n_seeds, size=(RESAMPLES, n_seeds))
        of_images = values[seeds].mean(axis=1)  # (RESAMPLES, N)
        means = np.take_along_axis(of_images, images, axis=1).mean(axis=1)
    tail = 50 * (1 - level)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def paired_test(a: np.ndarray, b: np.ndarray) -> float:
    """Two-sided p-value of "a and b (N,) have the same mean", value by value on the same images.

    A permutation test: were there no difference, each a - b could as well have the other sign. All
    2^N signs where these are fewer than SIGN_FLIPS, else as many random ones, seeded; the smallest
    p is then 2 / (SIGN_FLIPS + 1).

    Raises ValueError for values that do not pair or are not finite, and for fewer than two.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ValueError(f"a paired test needs two equally long rows, not {a.shape} and {b.shape}")
    difference = a - b
    if not np.isfinite(difference).all():
        raise ValueError("a paired test needs finite values")
    found = permutation_test(
        (difference,), lambda values, axis: values.mean(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=SIGN_FLIPS, batch=500, rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(found.pvalue)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's correction for many comparisons: p-values (K,) that may all be held against one level.

    The smallest is multiplied by K, the next by K - 1, and so on; none may fall below one before
    it or exceed 1 (Holm 1979, Scandinavian Journal of Statistics 6, 65-70).
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return corrected
