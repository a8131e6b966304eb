"""Which differences of an ablation are differences: paired on images, corrected for their number.

A difference counts as established where two things hold: the sign-flip test over the test images,
corrected by Holm over the whole table, gives p < 0.05, and the bootstrap interval over seeds and
images leaves out 0. With one seed that speaks of two trained networks, not yet of two methods:
what another seed would have given, one seed cannot tell.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lib.results.examples import store_table
from lib.results.runs import Run, load_run
from lib.evaluation.statistics import bootstrap_interval, holm, paired_test

LEVEL = 0.05


def differences(
    profile: str, reference: str, others: Sequence[str], seeds: Sequence[int], metric: str
) -> pd.DataFrame:
    """Experiment `reference` minus each of the `others` in one metric, a row each.

    Columns: difference (mean over images and seeds), ci_low, ci_high, p, p_corrected (Holm over
    the rows), n_images, n_seeds, established. Raises FileNotFoundError for a run that is not
    there, ValueError for runs that were not judged on the same images.
    """
    ours = [load_run(profile, reference, seed) for seed in seeds]
    rows = {}
    for name in others:
        theirs = [load_run(profile, name, seed) for seed in seeds]
        for one, other in zip(ours, theirs, strict=True):
            _check_pairs(one, other)
        a, b = (np.array([run.test_images[metric] for run in runs]) for runs in (ours, theirs))
        low, high = bootstrap_interval(a - b)
        rows[name] = {
            "difference": (a - b).mean(), "ci_low": low, "ci_high": high,
            "p": paired_test(a.mean(axis=0), b.mean(axis=0)),
            "n_images": a.shape[1], "n_seeds": len(seeds),
        }  # fmt: skip
    return _judge(pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment"))


def ablation_tests(
    profile: str, columns: Mapping[str, str], reference: str, seeds: Sequence[int],
    metrics: Sequence[str], name: str,
) -> pd.DataFrame:
    """Column `reference` of a table minus each other column, in each metric, as text to show.

    `columns`: printed column (or row) -> experiment. All comparisons of the table are corrected
    together. Also written to tables/<name>.csv, where the report finds it if `name` begins with
    that of the table, `2dgan_table4_tests`. Raises what `differences` raises.
    """  # fmt: skip
    others = {column: name for column, name in columns.items() if column != reference}
    frames = {}
    for metric in metrics:
        frame = differences(profile, columns[reference], list(others.values()), seeds, metric)
        frames[metric] = frame.set_axis(list(others))
    table = _judge(pd.concat(frames, names=["metric", f"{reference} minus"]))
    shown = pd.DataFrame({
        "difference": table["difference"].map("{:+.4f}".format),
        "95 % interval": [f"{low:+.4f} to {high:+.4f}"
                          for low, high in zip(table["ci_low"], table["ci_high"], strict=True)],
        "p": table["p"].map("{:.4f}".format),
        "p, corrected": table["p_corrected"].map("{:.4f}".format),
        "images": table["n_images"],
        "seeds": table["n_seeds"],
        "established": np.where(table["established"], "yes", "no"),
    })  # fmt: skip
    return store_table(shown, profile, name)


def _judge(frame: pd.DataFrame) -> pd.DataFrame:
    corrected = holm(frame["p"])
    beside_zero = (frame["ci_low"] > 0) | (frame["ci_high"] < 0)
    frame = frame.drop(columns=["p_corrected", "established"], errors="ignore")
    frame.insert(4, "p_corrected", corrected)
    return frame.assign(established=beside_zero & (corrected < LEVEL))


def _check_pairs(one: Run, other: Run) -> None:
    same = one.record["data_fingerprint"] == other.record["data_fingerprint"]
    if not (same and one.test_images.index.equals(other.test_images.index)):
        names = " and ".join(f"{run.folder.parent.name} {run.folder.name}" for run in (one, other))
        raise ValueError(f"{names} were not judged on the same images; train both on the same data")
