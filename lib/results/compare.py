"""Methods beside each other: means with intervals, and which differences are differences.

With one seed a difference speaks of two trained networks, not yet of two methods: what another seed
would have given, one seed cannot tell.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from lib.data.scenes import scenes_of
from lib.evaluation.statistics import estimate
from lib.files import write_text
from lib.paths import published_dir, results_dir, run_folder
from lib.results.numbers import four_digits, with_interval
from lib.results.runs import Run, read_run, shared_seeds

LEVEL = 0.05  # share of wrong ones, at most, that is to be expected among what is established
# columns that say what numbers rest on, and how the corner of a table says it
ABOUT = {"n_images": "{} images", "seeds": "seeds: {}", "dataset": "{}", "precision": "{}"}
for limit in ("max_columns", "max_colwidth"):  # else PSNR and SSIM are cut out of the wide tables
    pd.set_option(f"display.{limit}", None)


def store_table(frame: pd.DataFrame, profile: str, name: str) -> pd.DataFrame:
    """Write a table to tables/<name>.csv; returns it `compact`, to be shown: columns of ABOUT stand
    in its corner where they say the same in all rows that they say anything in, else first.

    An index without names holds methods.
    """
    label = list(frame.index.names) if any(frame.index.names) else "method"
    text = frame.to_csv(index_label=label, float_format="%.6g", lineterminator="\n")
    write_text(results_dir(profile) / "tables" / f"{name}.csv", text)
    shown = compact(frame)
    said = {column: set(shown[column]) - {""} for column in ABOUT if column in shown}
    same = {column: its for column, its in said.items() if len(its) < 2}
    corner = ", ".join(ABOUT[column].format(*its) for column, its in same.items() if its)
    first = [column for column in said if column not in same]
    shown = shown[[*first, *shown.columns.difference(said, sort=False)]]
    return shown.rename_axis(columns=corner or None)


def compact(frame: pd.DataFrame) -> pd.DataFrame:
    """A table for reading, as text: a mean with its 95 % interval, the columns `X`, `X low` and
    `X high`, in one cell, "27.10 [26.90, 27.30]"; single numbers to four digits."""
    shown = {}
    for column, values in frame.items():
        name, _, end = str(column).rpartition(" ")
        if end in ("low", "high") and name in frame:
            continue
        if f"{column} low" in frame:
            ends = frame[f"{column} low"], frame[f"{column} high"]
            shown[f"{column} [95 %]"] = with_interval(values, *ends)
        else:
            is_float = pd.api.types.is_float_dtype(values)
            shown[column] = values.map(four_digits) if is_float else values.fillna("").map(str)
    return pd.DataFrame(shown, frame.index)


def method_means(runs: Mapping[str, Sequence[Run]], metrics: Sequence[str]) -> pd.DataFrame:
    """A row a method (`runs`: its runs, one a seed): each metric's mean over test images and seeds
    with its 95 % interval, which a metric of the set as a whole (kernel distance) has not. What
    could not be measured is NaN, with a column `why`."""
    rows = {}
    for method, of_seeds in runs.items():
        row, first = {}, of_seeds[0]
        scenes = scenes_of(first.test_images.index)
        for metric in metrics:
            if all(metric in run.test_images for run in of_seeds):
                values = np.array([run.test_images[metric] for run in of_seeds])
                low, high = estimate(values, scenes).interval()
                row |= {metric: values.mean(), f"{metric} low": low, f"{metric} high": high}
            else:
                row[metric] = np.mean([run.record["metrics"].get(metric, np.nan)
                                       for run in of_seeds])
        if why := [told for run in of_seeds if (told := run.record["not_measured"])]:
            row["why"] = why[0]
        rows[method] = {**row, "n_images": len(first.test_images),
                        "seeds": len(of_seeds) if first.trained else "",
                        "dataset": first.dataset, "precision": first.precision}
    return pd.DataFrame.from_dict(rows, orient="index")


def beside_full_width(runs: Mapping[str, Sequence[Run]], metrics: Sequence[str]) -> pd.DataFrame:
    """Each of `runs` (of a method, one a seed) of which `paper` has a published run of that seed,
    and below it this one, with all channels, whole or stopped where its time ended: the means over
    the test images that both have, a row each. Empty where there is no such run."""
    rows = []
    for method, of_seeds in runs.items():
        for run in of_seeds:
            known = run.record
            folder = run_folder(published_dir("paper"), known["experiment"], known["seed"])
            if not folder.is_dir():
                continue
            full = read_run(folder)
            images = run.test_images.index.intersection(full.test_images.index)
            rows += [{"method": method, "seed": str(known["seed"]), "trained": one.share,
                      "steps": one.record["steps"],
                      "image size": one.record["config"]["scale"]["image_size"],
                      **one.test_images.loc[images, list(metrics)].mean(),
                      "n_images": len(images), "dataset": one.dataset}
                     for one in (run, full) if len(images)]
    return pd.DataFrame(rows).set_index("method") if rows else pd.DataFrame()


def differences(reference: Sequence[Run], others: Mapping[str, Sequence[Run]],
                metrics: Sequence[str]) -> pd.DataFrame:
    """`reference` minus each other method in each metric, corrected together; a row each.

    Columns: difference (mean over images and seeds), ci_low, ci_high (95 %), p of the same estimate
    (`lib.evaluation.statistics`), p_corrected (Benjamini and Hochberg), established (by LEVEL),
    n_images, n_scenes (what they show), n_seeds. Each seed is held against the same seed, those
    that one of the two has not are left out; against a method without training every seed is held.
    A metric that could not be measured of all is left out. Raises ValueError for runs on other
    images and methods that share no seed.
    """
    rows, images = {}, reference[0].test_images.index
    scenes = scenes_of(images)
    every = [*reference, *(run for runs in others.values() for run in runs)]
    for metric in (one for one in metrics if all(one in run.test_images for run in every)):
        for name, runs in others.items():
            if any(not run.test_images.index.equals(images) for run in (*reference, *runs)):
                raise ValueError(f"{name} was not judged on the same images")
            seeds = shared_seeds(reference, runs)
            ours, theirs = (np.array([run.test_images[metric] for run in its
                                      if not run.trained or run.record["seed"] in seeds])
                            for its in (reference, runs))  # (S, N); a row without training
            found = estimate(ours - theirs, scenes)
            low, high = found.interval()
            rows[metric, name] = {
                "difference": float(found.mean), "ci_low": low, "ci_high": high,
                "p": found.p_value(), "n_images": found.n_images,
                "n_scenes": found.n_scenes, "n_seeds": found.n_seeds,
            }
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis(["metric", "minus"])
    frame.insert(4, "p_corrected", false_discovery_control(frame["p"]))
    frame.insert(5, "established", frame["p_corrected"] <= LEVEL)
    return frame


def as_text(found: pd.DataFrame) -> pd.DataFrame:
    """`differences` for reading."""
    signed = "{:+.4f}".format
    return pd.DataFrame({
        "difference": found["difference"].map(signed),
        "95 % interval": found["ci_low"].map(signed) + " to " + found["ci_high"].map(signed),
        **{label: found[p].map(lambda p: f"{p:.4f}" if p >= 1e-4 else "< 0.0001")
           for label, p in (("p", "p"), ("p, corrected", "p_corrected"))},
        "images": found["n_images"], "scenes": found["n_scenes"], "seeds": found["n_seeds"],
        "established": np.where(found["established"], "yes", "no"),
    })
