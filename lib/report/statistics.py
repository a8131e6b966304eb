"""How sure a mean is: bootstrap intervals over test images."""

import numpy as np

RESAMPLES = 2000


def bootstrap_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values` (N,), seeded: same values, same bounds.

    Raises ValueError for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError("a bootstrap interval needs at least two values")
    random = np.random.default_rng(0)
    chosen = random.integers(len(values), size=(RESAMPLES, len(values)))
    means = np.asarray(values)[chosen].mean(axis=1)
    tail = 50 * (1 - level)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)
