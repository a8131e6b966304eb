"""Curves of a run's history: all of it, or the cycle losses of several runs."""

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lib.figures.style import TEXT_WIDTH

PER_ROW = 4  # panels
SMOOTH = 11  # rows of a history in the running mean, of about 100
COLOURS = {"CycleGAN": "C0", "CBAM_CycleGAN": "C1", "GN_CycleGAN": "C2"}  # the same in each figure


def loss_curves(history: pd.DataFrame, title: str) -> Figure:
    """One small panel for every loss of a run, and one for each validation metric. `history`: a
    row for about every hundredth part of the run, indexed by step (`Run.history`)."""
    rows = math.ceil(len(history.columns) / PER_ROW)
    figure, axes = plt.subplots(rows, PER_ROW, squeeze=False, sharex=True,
                                figsize=(TEXT_WIDTH, 1.5 * rows + 0.3))
    for axis, column in zip(axes.flat, history):
        values = history[column].dropna()
        axis.plot(values.index, values, lw=1, marker="o" if len(values) < 15 else None, ms=2)
        axis.set_title(column.replace("_", " ") + (" (dB)" if "PSNR" in column else ""))
    for axis in axes.flat[len(history.columns) :]:
        axis.set_visible(False)
    for axis in axes.flat[: len(history.columns)][-PER_ROW:]:  # the lowest of each column
        axis.set_xlabel("step")
        axis.tick_params(labelbottom=True)
    figure.suptitle(title)
    return figure


def cycle_losses(histories: Mapping[str, pd.DataFrame], column: str, title: str) -> Figure:
    """GN_CycleGAN's Figs. 6 and 7: the cycle loss of one generator against the step; thin as
    recorded, thick its centred running mean. `histories`: method -> history indexed by step."""
    figure, axes = plt.subplots(figsize=(TEXT_WIDTH, 3.2))
    points = set()
    for k, (method, history) in enumerate(histories.items()):
        raw = history[column].dropna()
        points.add(len(raw))
        smooth = raw.rolling(SMOOTH, center=True, min_periods=1).mean()
        colour = COLOURS.get(method, f"C{len(COLOURS) + k}")
        axes.plot(raw.index, raw, color=colour, lw=0.6, alpha=0.45)
        axes.plot(smooth.index, smooth, color=colour, lw=1.6, label=method)
    axes.set(xlabel="step", ylabel="cycle loss", title=title, ylim=(0, None))
    axes.margins(x=0.01)
    of_all = f" of {points.pop()}" if len(points) == 1 else ""
    axes.legend(frameon=False, title=f"thick: running mean ({SMOOTH} points{of_all})")
    return figure
