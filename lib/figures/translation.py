"""The figures of GN_CycleGAN: Figs. 4, 5 and 8 (scenes by method), 6 and 7 (cycle losses)."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lib.data.alignment import edges
from lib.figures.enhancement import ZOOM_COLOUR, most_detailed_square
from lib.figures.style import TEXT_WIDTH, show_grey
from lib.results.translation import Translations

MAX_IMAGE = 1.3  # inches; few columns would make a page too long
SMOOTH = 11  # rows of a history in the running mean, of about 100
COLOURS = {"CycleGAN": "C0", "CBAM_CycleGAN": "C1", "GN_CycleGAN": "C2"}  # the same in each figure


def pairs(
    visible: np.ndarray, infrared: np.ndarray, names: Sequence[str], title: str
) -> Figure:
    """Visible images (N, H, W, 3) above their infrared images (N, H, W)."""
    rows = {"visible": visible, "infrared": infrared}
    return _grid(rows, [_wrap(name, TEXT_WIDTH / len(names)) for name in names], title)


def alignment(
    visible: np.ndarray, infrared: np.ndarray, shifts: pd.DataFrame, title: str
) -> Figure:
    """Pairs (N, H, W, 3) and (N, H, W) with their edges laid over each other.

    Edges of the visible image are magenta, of the infrared one green, of both white. `shifts`: the
    N rows that `lib.data.alignment.shifts` gives for these pairs; what it found stands below.
    """
    overlay = np.stack([_overlay(*pair) for pair in zip(visible, infrared, strict=True)])
    rows = {"visible": visible, "infrared": infrared, "edges of both": overlay}
    heads = [_wrap(name, TEXT_WIDTH / len(shifts)) for name in shifts.index]
    figure = _grid(rows, heads, title)
    for axes, found in zip(figure.axes[-len(shifts) :], shifts.itertuples(), strict=True):
        axes.set_xlabel(f"shift ({found.dx}, {found.dy}) px\ncorrelation {found.correlation:.2f}")
    return figure


def generated(
    visible: np.ndarray, methods: Mapping[str, np.ndarray], infrared: np.ndarray,
    names: Sequence[str], title: str, zoom: int = 32,
) -> Figure:
    """Figs. 4, 5 and 8: a row a test scene; the visible input, what each method makes of it, and
    the real infrared image, each with the same marked detail enlarged below it.

    `visible` (N, H, W, 3), `methods`: name -> (N, H, W), `infrared` (N, H, W), all bytes. The
    paper's red regions were chosen by hand; here the region is the square of `zoom` pixels in which
    the real infrared image has most detail, so that no method had a say in it.
    """  # fmt: skip
    columns = {"Visible input": visible, **methods, "Real infrared": infrared}
    size = min(TEXT_WIDTH / len(columns), MAX_IMAGE)
    height, width = infrared.shape[1:]
    figure, axes = plt.subplots(
        2 * len(names), len(columns), squeeze=False,
        figsize=(size * len(columns) + 0.2, len(names) * size * (height / width + 0.75) + 0.6),
        height_ratios=[height / width, 0.7] * len(names),
    )  # fmt: skip
    for row, name in enumerate(names):
        y, x = most_detailed_square(infrared[row], zoom)
        for column, (head, images) in enumerate(columns.items()):
            whole, detail = axes[2 * row : 2 * row + 2, column]
            show_grey(whole, images[row])
            if row == 0:
                whole.set_title(_wrap(head, size), fontsize=7)
            show_grey(detail, images[row, y : y + zoom, x : x + zoom])
            box = Rectangle((x - 0.5, y - 0.5), zoom, zoom, fill=False, color=ZOOM_COLOUR, lw=0.8)
            whole.add_patch(box)
            for spine in detail.spines.values():
                spine.set(visible=True, color=ZOOM_COLOUR)
        axes[2 * row, 0].set_ylabel(_wrap(name, size), fontsize=7)
    figure.suptitle(title)
    return figure


def scenes_by_method(made: Translations, title: str, zoom: int = 32) -> Figure:
    """`generated` for the example scenes of what several methods made."""
    few = {method: images[made.examples] for method, images in made.outputs.items()}
    names = [made.names[k] for k in made.examples]
    visible, infrared = made.visible[made.examples], made.infrared[made.examples]
    return generated(visible, few, infrared, names, f"{title}, {made.dataset}", zoom)


def cycle_losses(
    histories: Mapping[str, pd.DataFrame], column: str, title: str, label: str = "cycle loss"
) -> Figure:
    """Figs. 6 and 7: the cycle loss of one generator against the step, a colour a method.

    `histories`: method -> history.csv indexed by step (`lib.figures.curves.read_history`). Thin:
    as recorded; thick: its centred running mean over 11 rows.
    """
    figure, axes = plt.subplots(figsize=(TEXT_WIDTH, 3.2))
    for k, (method, history) in enumerate(histories.items()):
        raw = history[column].dropna()
        smooth = raw.rolling(SMOOTH, center=True, min_periods=1).mean()
        colour = COLOURS.get(method, f"C{len(COLOURS) + k}")
        axes.plot(raw.index, raw, color=colour, lw=0.6, alpha=0.45)
        axes.plot(smooth.index, smooth, color=colour, lw=1.6, label=method)
    axes.set_xlabel("step")
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.legend(frameon=False, title=f"thick: mean of {SMOOTH} rows")
    axes.set_title(title)
    return figure


def _grid(rows: Mapping[str, np.ndarray], heads: Sequence[str], title: str) -> Figure:
    size = TEXT_WIDTH / len(heads)
    height, width = next(iter(rows.values())).shape[1:3]
    figure, axes = plt.subplots(
        len(rows), len(heads), squeeze=False,
        figsize=(TEXT_WIDTH, len(rows) * size * height / width + 0.7),
    )  # fmt: skip
    for row, (label, images) in enumerate(rows.items()):
        for column, head in enumerate(heads):
            show_grey(axes[row, column], images[column], head if row == 0 else "")
        axes[row, 0].set_ylabel(label)
    figure.suptitle(title)
    return figure


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
