"""Curves of a run's history: all of it, or the cycle losses of several runs."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lib.figures.style import TEXT_WIDTH

SMOOTH = 11  # rows of a history in the running mean, of about 100
COLOURS = {"CycleGAN": "C0", "CBAM_CycleGAN": "C1", "GN_CycleGAN": "C2"}  # the same in each figure


def loss_curves(history: pd.DataFrame, title: str) -> Figure:
    """One small panel for every loss of a run, and one for each validation metric.

    `history`: a row for about every hundredth part of the run, indexed by step (`Run.history`).
    """
    columns = list(history.columns)
    per_row = 4
    rows = -(-len(columns) // per_row)
    figure, axes = plt.subplots(
        rows, per_row, figsize=(TEXT_WIDTH, 1.5 * rows + 0.3), squeeze=False, sharex=True
    )
    for axis, column in zip(axes.flat, columns):
        values = history[column].dropna()
        axis.plot(values.index, values, lw=1, marker="o" if len(values) < 15 else None, ms=2)
        axis.set_title(column.replace("_", " "))
    for axis in axes.flat[len(columns) :]:
        axis.set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("step")
    figure.suptitle(title)
    return figure


def cycle_losses(
    histories: Mapping[str, pd.DataFrame], column: str, title: str, label: str = "cycle loss"
) -> Figure:
    """GN_CycleGAN's Figs. 6 and 7: the cycle loss of one generator against the step.

    `histories`: method -> history indexed by step. Thin: as recorded; thick: its centred running
    mean over 11 rows.
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
