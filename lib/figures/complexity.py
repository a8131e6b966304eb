"""The candidates of `lib.evaluation.complexity_search` around what the paper prints."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lib.evaluation.complexity_search import BATCHES
from lib.figures.style import TEXT_WIDTH

REACH = 12.5  # percent from the paper's numbers that the figure shows


def candidates_by_batch(
    found: Mapping[str, pd.DataFrame], ours: Mapping[str, pd.DataFrame], title: str
) -> Figure:
    """How far candidates are from the paper in both counts, a colour for each batch size.

    `found`: candidates of `search_generator` or `search_discriminator`, one panel each under its
    name; `ours`: of these, the ones to ring, under the same names.
    """
    figure, axes = plt.subplots(1, len(found), figsize=(TEXT_WIDTH, 3.4), squeeze=False)
    colours = plt.get_cmap("viridis")([0.0, 0.25, 0.5, 0.72, 0.92])
    for axis, (name, candidates) in zip(axes[0], found.items()):
        errors = candidates[["parameters error", "operations error"]]
        near = candidates[(100 * errors.abs() <= REACH).all(axis="columns")]
        axis.axhline(0, color="0.8", lw=0.8, zorder=0)
        axis.axvline(0, color="0.8", lw=0.8, zorder=0)
        for batch, colour in zip(BATCHES, colours):
            part = near[near["batch"] == batch]
            axis.scatter(*_percent(part), s=9, lw=0, color=colour, label=f"batch {batch}")
        axis.scatter(*_percent(ours[name]), s=60, lw=1, ec="black", fc="none",
                     label="this kit's widths, batch 8")  # fmt: skip
        axis.plot(0, 0, "*", ms=9, color="red", mec="white", mew=0.5, label="paper")
        axis.set(title=name, xlim=(-REACH, REACH), ylim=(-REACH, REACH),
                 xlabel="parameters, % from the paper",
                 ylabel="operations of the batch, % from the paper")  # fmt: skip
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False,
                  columnspacing=1, handletextpad=0.2)  # fmt: skip
    figure.suptitle(title)
    return figure


def _percent(candidates: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    return 100 * candidates["parameters error"], 100 * candidates["operations error"]
