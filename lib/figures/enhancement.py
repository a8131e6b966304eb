"""The image figures of 2D-GAN: Fig. 5 (pairs), Figs. 7 to 11 (methods side by side)."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lib.figures.style import TEXT_WIDTH, show_grey
from lib.metrics import average_gradient

ZOOM_COLOUR = "tab:red"


def image_pairs(reference: np.ndarray, degraded: np.ndarray, names, dataset: str) -> Figure:
    """Fig. 5: references (N, H, W) above their degraded inputs."""
    columns = len(reference)
    size = TEXT_WIDTH / columns
    figure, axes = plt.subplots(2, columns, figsize=(TEXT_WIDTH, 2 * size + 0.5), squeeze=False)
    for k in range(columns):
        show_grey(axes[0, k], reference[k], names[k])
        show_grey(axes[1, k], degraded[k])
    axes[0, 0].set_ylabel("reference")
    axes[1, 0].set_ylabel("degraded input")
    figure.suptitle(dataset)
    return figure


def most_detailed_square(image: np.ndarray, size: int) -> tuple[int, int]:
    """Top-left corner (y, x) of the square with the highest AG (Eq. 11), on a grid of size / 4."""
    step = max(1, size // 4)
    corners = [
        (y, x)
        for y in range(0, image.shape[0] - size + 1, step)
        for x in range(0, image.shape[1] - size + 1, step)
    ]
    return max(corners, key=lambda corner: average_gradient(_square(image, corner, size)))


def side_by_side(
    images: dict[str, np.ndarray], reference: np.ndarray, title: str, columns: int = 5,
    zoom: int = 32,
) -> Figure:
    """Figs. 7 to 11: one scene by every method, each with the same detail enlarged below it.

    `images`: method -> (H, W) bytes; `reference` (H, W) is shown last. The detail is the square of
    `zoom` pixels in which the reference has most texture.
    """  # fmt: skip
    shown = {**images, "Reference": reference}
    corner = most_detailed_square(reference, zoom)
    rows = math.ceil(len(shown) / columns)
    size = TEXT_WIDTH / columns
    figure = plt.figure(figsize=(TEXT_WIDTH, rows * (1.55 * size + 0.2) + 0.3))
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=[1, 0.5] * rows)
    for k, (method, image) in enumerate(shown.items()):
        row, column = divmod(k, columns)
        whole = figure.add_subplot(grid[2 * row, column])
        show_grey(whole, image, f"({chr(97 + k)}) {method}")
        y, x = corner
        whole.add_patch(
            Rectangle((x - 0.5, y - 0.5), zoom, zoom, fill=False, color=ZOOM_COLOUR, lw=0.8)
        )
        detail = figure.add_subplot(grid[2 * row + 1, column])
        show_grey(detail, _square(image, corner, zoom))
        for spine in detail.spines.values():
            spine.set(visible=True, color=ZOOM_COLOUR)
    figure.suptitle(title)
    return figure


def _square(image: np.ndarray, corner: tuple[int, int], size: int) -> np.ndarray:
    y, x = corner
    return image[y : y + size, x : x + size]
