"""Do the visible and the infrared image of a pair lie on each other?

Edges are compared, since grey levels are not comparable: a warm wall can be dark in the one and
bright in the other, but it ends at the same place in both.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd

LIMIT = 8  # pixels; larger shifts are not looked for


def edges(image: np.ndarray) -> np.ndarray:
    """Gradient magnitude (H, W) float32 of a grey (H, W) or RGB (H, W, 3) uint8 image.

    Its square root, after a Gaussian of 1 pixel: otherwise a few lamps outweigh all else.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1)
    return np.sqrt(np.hypot(cv2.Sobel(smooth, -1, 1, 0), cv2.Sobel(smooth, -1, 0, 1)))


def shift(visible: np.ndarray, infrared: np.ndarray) -> tuple[int, int, float, float]:
    """By how much the infrared image of a pair is displaced: (dx, dy, correlation, at zero).

    infrared(x + dx, y + dy) shows what visible(x, y) shows; right and down are positive. Of the
    shifts up to 8 pixels each way it is the one with the highest correlation of the edges, over
    the whole image less a border of 8. `at zero` is the correlation without a shift. An image
    without any edge correlates with nothing: 0.

    visible: (H, W, 3) or (H, W), infrared: (H, W), uint8, the same size, at least 32. Raises
    ValueError otherwise.
    """
    if visible.shape[:2] != infrared.shape or min(infrared.shape) < 4 * LIMIT:
        sizes = f"visible {visible.shape} and infrared {infrared.shape}"
        raise ValueError(f"{sizes} must have one size, {4 * LIMIT} pixels or more")
    part = edges(infrared)[LIMIT:-LIMIT, LIMIT:-LIMIT]
    correlation = cv2.matchTemplate(edges(visible), part, cv2.TM_CCOEFF_NORMED)  # (17, 17)
    if np.ptp(part) == 0 or np.ptp(visible) == 0:
        correlation = np.zeros_like(correlation)  # OpenCV calls them alike
    correlation[LIMIT, LIMIT] += 1e-6  # of equals, no shift
    row, column = np.unravel_index(correlation.argmax(), correlation.shape)
    best, zero = float(correlation[row, column]), float(correlation[LIMIT, LIMIT])
    return LIMIT - int(column), LIMIT - int(row), round(best, 4), round(zero, 4)


def shifts(visible: np.ndarray, infrared: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """`shift` of each pair, (N, H, W, 3) and (N, H, W): columns dx, dy, correlation, at_zero."""
    rows = [shift(*pair) for pair in zip(visible, infrared, strict=True)]
    columns = ["dx", "dy", "correlation", "at_zero"]
    return pd.DataFrame(rows, pd.Index(names, name="pair"), columns)


def summary(visible: np.ndarray, infrared: np.ndarray) -> dict[str, float]:
    """How well the pairs (N, H, W, 3) and (N, H, W) of a data set are aligned, N at least 2.

    Median shift, the share of pairs displaced by at most 1 pixel in x and in y, and the mean
    correlation of edges without a shift; beside it the same with the infrared image of another
    pair, which is what chance gives.
    """
    own = shifts(visible, infrared, range(len(visible)))
    strangers = shifts(visible, np.roll(infrared, len(infrared) // 2, axis=0), own.index)
    return {
        "pairs": len(own),
        "median dx": own["dx"].median(),
        "median dy": own["dy"].median(),
        "within 1 px": float((own[["dx", "dy"]].abs().max(axis=1) <= 1).mean()),
        "edge correlation": own["at_zero"].mean(),
        "of strangers": strangers["at_zero"].mean(),
    }
