"""Curves of a run's history.csv."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lib.figures.style import TEXT_WIDTH


def read_history(folder: Path) -> pd.DataFrame:
    """history.csv of a run's folder, indexed by step."""
    return pd.read_csv(folder / "history.csv", index_col="step")


def loss_curves(history: pd.DataFrame, title: str) -> Figure:
    """One small panel for every loss of a run, and one for each validation metric."""
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
