"""How steadily a network trained, in numbers, from its history.csv (GN_CycleGAN, Section 4.2).

The paper judges stability by eye, on the cycle loss of one run each (Figs. 6 and 7). These are
definitions for what it says there: the loss is "high and low", it "converges faster".

A history is a frame indexed by step (`lib.results.runs.Run.history`); a row holds the means
since the row before, about a hundred rows a run. Averaging smooths, so that only runs with the
same number of steps a row, that is of one profile, can be compared.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

WARM_UP = 0.1  # share of the steps that are left out: at first every loss falls steeply


def after_warm_up(loss: pd.Series) -> pd.Series:
    """The rows past the first tenth of the steps, without those that recorded nothing.

    Raises ValueError where fewer than two are left.
    """
    loss = loss.dropna()
    kept = loss[loss.index > WARM_UP * loss.index.max()]
    if len(kept) < 2:
        raise ValueError(f"{len(loss)} rows are too few to judge stability: train for longer")
    return kept


def relative_variance(loss: pd.Series) -> float:
    """Variance of a loss about its trend, over its squared mean, after warm-up.

    By von Neumann's successive differences, mean of (x_{k+1} - x_k)^2 / 2, which equals the
    variance for independent rows and hardly sees a slow trend of whatever shape. A straight line
    or an exponential would have to fit the decay first. Slow waves, over many rows, it misses.
    """
    x = after_warm_up(loss)
    return float(x.diff().pow(2).mean() / 2 / x.mean() ** 2)


def largest_jump(loss: pd.Series) -> float:
    """Largest rise of a loss from one row to the next, over its mean, after warm-up.

    0 where it never rises. Falls do not count: they are what training is for.
    """
    x = after_warm_up(loss)
    return float(max(x.diff().max(), 0) / x.mean())


def end(loss: pd.Series) -> float:
    """Mean of a loss over the last tenth of the steps."""
    loss = loss.dropna()
    return float(loss[loss.index > 0.9 * loss.index.max()].mean())


# what is measured of one run's loss alone, for the claims (data/claims.yaml)
MEASURES = {
    "relative variance": relative_variance,
    "mean": lambda loss: float(loss.mean()),
    "end": end,
}


def steps_to_reach(loss: pd.Series, level: float) -> float:
    """First recorded step at which a loss is at or below `level`; NaN where it never is."""
    reached = loss.index[loss <= level]
    return float(reached[0]) if len(reached) else float("nan")


def stability_table(histories: Mapping[str, Sequence[pd.DataFrame]], column: str) -> pd.DataFrame:
    """One row a method, from the histories of its runs, one a seed, whose means it has.

    `column` is the loss that is judged, such as the cycle loss of generator A. The level to reach
    is the lowest that all of these runs reach. A training whose loss is not finite ends with an
    error (`lib.training.engine`) and is no run.
    """
    level = max(run[column].min() for runs in histories.values() for run in runs)
    rows = {
        method: {
            "relative variance": np.mean([relative_variance(run[column]) for run in runs]),
            "largest jump": np.mean([largest_jump(run[column]) for run in runs]),
            f"steps to {level:.3g}": np.mean([steps_to_reach(run[column], level) for run in runs]),
            "gradient norm": np.mean([after_warm_up(run["discriminator_gradient"]).mean()
                                      for run in runs]),
            "runs": len(runs),
        }
        for method, runs in histories.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
