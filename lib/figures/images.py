"""Images beside each other, each with the same detail enlarged below it.

2D-GAN's Figs. 5 and 7 to 12, GN_CycleGAN's Figs. 4, 5 and 8. A detail is never picked by eye: it is
the square in which the real image has most texture.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lib.data.alignment import edges
from lib.data.faces import OPERATIONS, augment, operations_of, parse
from lib.figures.style import TEXT_WIDTH, show_grey
from lib.metrics import average_gradient

ZOOM = 32  # pixels a side of an enlarged detail
ZOOM_COLOUR = "tab:red"
MAX_IMAGE = 1.3  # inches; few columns would make a page too long


def most_detailed_square(image: np.ndarray, size: int = ZOOM) -> tuple[int, int]:
    """Top-left corner (y, x) of the square with the highest AG (Eq. 11), on a grid of size / 4."""
    step = max(1, size // 4)
    corners = [
        (y, x)
        for y in range(0, image.shape[0] - size + 1, step)
        for x in range(0, image.shape[1] - size + 1, step)
    ]
    return max(corners, key=lambda corner: average_gradient(_square(image, corner, size)))


def rows_of_images(
    rows: Mapping[str, np.ndarray], heads: Sequence[str], title: str
) -> Figure:
    """One row for each of `rows`, label -> images (N, H, W) or (N, H, W, 3); N heads on top.

    2D-GAN's Fig. 5 (references, degraded inputs), and pairs of visible and infrared images.
    """
    size = TEXT_WIDTH / len(heads)
    height, width = next(iter(rows.values())).shape[1:3]
    figure, axes = plt.subplots(
        len(rows), len(heads), squeeze=False,
        figsize=(TEXT_WIDTH, len(rows) * size * height / width + 0.7),
    )  # fmt: skip
    for row, (label, images) in enumerate(rows.items()):
        for column, head in enumerate(heads):
            show_grey(axes[row, column], images[column], _wrap(head, size) if row == 0 else "")
        axes[row, 0].set_ylabel(label)
    figure.suptitle(title)
    return figure


def alignment(
    visible: np.ndarray, infrared: np.ndarray, shifts: pd.DataFrame, title: str
) -> Figure:
    """Pairs (N, H, W, 3) and (N, H, W) with their edges laid over each other.

    Edges of the visible image are magenta, of the infrared one green, of both white. `shifts`: the
    N rows that `lib.data.alignment.shifts` gives for these pairs; what it found stands below.
    """
    overlay = np.stack([_overlay(*pair) for pair in zip(visible, infrared, strict=True)])
    rows = {"visible": visible, "infrared": infrared, "edges of both": overlay}
    figure = rows_of_images(rows, list(shifts.index), title)
    for axes, found in zip(figure.axes[-len(shifts) :], shifts.itertuples(), strict=True):
        axes.set_xlabel(f"shift ({found.dx}, {found.dy}) px\ncorrelation {found.correlation:.2f}")
    return figure


def side_by_side(
    images: Mapping[str, np.ndarray], reference: np.ndarray, title: str, columns: int = 5
) -> Figure:
    """2D-GAN's Figs. 7 to 11: one scene by every method, in rows of `columns`.

    `images`: method -> (H, W) bytes; `reference` (H, W) is shown last.
    """
    shown = {**images, "Reference": reference}
    corner = most_detailed_square(reference)
    rows, size = math.ceil(len(shown) / columns), TEXT_WIDTH / columns
    figure = plt.figure(figsize=(TEXT_WIDTH, rows * (1.55 * size + 0.2) + 0.3))
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=[1, 0.5] * rows)
    for k, (method, image) in enumerate(shown.items()):
        row, column = divmod(k, columns)
        whole, detail = (figure.add_subplot(grid[2 * row + below, column]) for below in (0, 1))
        _with_detail(whole, detail, image, corner)
        whole.set_title(f"({chr(97 + k)}) {method}")
    figure.suptitle(title)
    return figure


def scenes_by_method(
    samples: Mapping[str, Mapping[str, np.ndarray]], scenes: Sequence[str], title: str
) -> Figure:
    """GN_CycleGAN's Figs. 4, 5 and 8: a row a test scene, a column a method.

    `samples`: method -> its images of these scenes (`Run.samples`). The visible input stands first,
    the real infrared image last. The paper's red regions were chosen by hand; here no method had a
    say in them.
    """
    first = next(iter(samples.values()))
    outputs = {method: images["output"] for method, images in samples.items()}
    methods = {"Visible input": first["input"], **outputs, "Real infrared": first["reference"]}
    real = first["reference"]
    size = min(TEXT_WIDTH / len(methods), MAX_IMAGE)
    height, width = real.shape[1:]
    figure, axes = plt.subplots(
        2 * len(scenes), len(methods), squeeze=False,
        figsize=(size * len(methods) + 0.2, len(scenes) * size * (height / width + 0.75) + 0.6),
        height_ratios=[height / width, 0.7] * len(scenes),
    )  # fmt: skip
    for row, scene in enumerate(scenes):
        corner = most_detailed_square(real[row])
        for column, (method, images) in enumerate(methods.items()):
            _with_detail(*axes[2 * row : 2 * row + 2, column], images[row], corner)
            if row == 0:
                axes[0, column].set_title(_wrap(method, size), fontsize=7)
        axes[2 * row, 0].set_ylabel(_wrap(scene, size), fontsize=7)
    figure.suptitle(title)
    return figure


def enhanced_faces(rows: Mapping[str, np.ndarray], names: Sequence[str], title: str) -> Figure:
    """2D-GAN's Fig. 12: faces side by side, each with a detail enlarged to its right.

    `rows`: label -> (N, S, S) bytes, the last being the reference; the detail lies in the inner
    half of the face. `names`: of the N faces.
    """
    columns, reference = len(names), list(rows.values())[-1]
    margin = reference.shape[1] // 4
    width = TEXT_WIDTH / columns
    figure, axes = plt.subplots(
        len(rows), 2 * columns, figsize=(TEXT_WIDTH, len(rows) * width * 0.62 + 0.6),
        width_ratios=[2, 1] * columns, squeeze=False,
    )  # fmt: skip
    for column, name in enumerate(names):
        inner = reference[column, margin:-margin, margin:-margin]
        corner = tuple(margin + place for place in most_detailed_square(inner))
        for row, images in enumerate(rows.values()):
            _with_detail(*axes[row, 2 * column : 2 * column + 2], images[column], corner)
        face = parse(name)
        axes[0, 2 * column].set_title(f"person {face.person}, {face.state}")
    for row, label in enumerate(rows):
        axes[row, 0].set_ylabel(label)
    figure.suptitle(title)
    return figure


def augmentations(image: np.ndarray, name: str, title: str) -> Figure:
    """2D-GAN's Fig. 6: a basic image (S, S), each operation alone, and the first copies made of it.

    `name` is the image's; its copies 1 to 4 are those of the data set, by two or three operations.
    """
    face = parse(name)
    shown = [("basic image", image)]
    shown += [(operation, augment(image, name, [operation])) for operation in OPERATIONS]
    for copy in range(1, 5):
        made = face._replace(copy=copy)
        operations = operations_of(made)
        shown.append((",\n".join(operations), augment(image, made.name, operations)))
    figure, axes = plt.subplots(2, 5, figsize=(TEXT_WIDTH, 4.1))
    for k, (axis, (label, picture)) in enumerate(zip(axes.flat, shown, strict=True)):
        show_grey(axis, picture)
        axis.set_xlabel(f"({chr(97 + k)}) {label}")
    figure.suptitle(title)
    return figure


def attention_maps(
    images: Mapping[str, np.ndarray], maps: Mapping[str, np.ndarray], k: int, title: str
) -> Figure:
    """What the cross-level attention weighs for example k: by level the mean weight over channels
    and the two channels that vary most; beside them input and output.

    `images`: `Run.samples`; `maps`: `Run.attention`. The means of all levels share one colour scale,
    from their least to their greatest; the single channels share 0 to 1.
    """
    levels = range(sum(name.startswith("mean_") for name in maps))
    means = [maps[f"mean_{level}"][k].astype(float) for level in levels]
    limits = min(mean.min() for mean in means), max(mean.max() for mean in means)
    columns = 1 + len(means)
    size = (TEXT_WIDTH - 0.7) / columns
    figure, axes = plt.subplots(3, columns, squeeze=False,
                                figsize=(TEXT_WIDTH, 3 * (size + 0.22) + 0.35))  # fmt: skip
    before, after = images["input"][k], images["output"][k]
    show_grey(axes[0, 0], before, "input")
    show_grey(axes[1, 0], after, "output")
    show_grey(axes[2, 0], (after.astype(int) - before) // 2 + 128, "output − input, halved")
    for column, (level, mean) in enumerate(zip(levels, means), start=1):
        side = "{}×{}".format(*mean.shape)
        shown = _map(axes[0, column], mean, limits, f"{side}, mean")
        for row, channel in enumerate(maps[f"channels_{level}"][k], start=1):
            weights = maps[f"maps_{level}"][k, row - 1].astype(float)
            single = _map(axes[row, column], weights, (0, 1), f"{side}, channel {channel}")
    figure.colorbar(shown, ax=axes[0, -1], label="mean weight", shrink=0.9)
    figure.colorbar(single, ax=list(axes[1:, -1]), label="weight", shrink=0.9)
    figure.suptitle(title)
    return figure


def _with_detail(whole, detail, image: np.ndarray, corner: tuple[int, int]) -> None:
    """The image with its detail outlined, and the detail."""
    y, x = corner
    show_grey(whole, image)
    outline = Rectangle((x - 0.5, y - 0.5), ZOOM, ZOOM, fill=False, color=ZOOM_COLOUR, lw=0.8)
    whole.add_patch(outline)
    show_grey(detail, _square(image, corner, ZOOM))
    for spine in detail.spines.values():
        spine.set(visible=True, color=ZOOM_COLOUR)


def _map(axes, weights: np.ndarray, limits: tuple[float, float], title: str):
    """Pixels as squares, in colours that rise in grey and are the same to the colour-blind."""
    shown = axes.imshow(weights, cmap="cividis", vmin=limits[0], vmax=limits[1])
    axes.set_title(title)
    axes.set_axis_off()
    return shown


def _square(image: np.ndarray, corner: tuple[int, int], size: int) -> np.ndarray:
    y, x = corner
    return image[y : y + size, x : x + size]


def _overlay(visible: np.ndarray, infrared: np.ndarray) -> np.ndarray:
    """(H, W, 3) bytes; each half's edges scaled to its own strongest ones."""
    magenta, green = (
        np.clip(strength / max(float(np.percentile(strength, 99)), 1e-6), 0, 1) ** 2
        for strength in (edges(visible), edges(infrared))
    )
    return (255 * np.stack([magenta, green, magenta], axis=-1)).astype(np.uint8)


def _wrap(text: str, width: float) -> str:
    """`text` on lines of at most `width` inches, broken after + first, else at _ or a space."""
    letters = max(int(width / 0.06), 6)  # of 7 or 8 points
    lines = []
    for line in text.splitlines():
        parts = [line] if len(line) <= letters else line.replace("+", "+\n").splitlines()
        for part in parts:  # textwrap breaks at spaces only
            wrapped = textwrap.wrap(part.replace("_", "_ "), letters + part.count("_"))
            lines += [piece.replace("_ ", "_") for piece in wrapped]
    return "\n".join(lines)
