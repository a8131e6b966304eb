"""Numbers of a few example images (2D-GAN, Table 3) and means over all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.papers import reported
from lib.files import write_text
from lib.paths import results_dir
from lib.results.numbers import Number
from lib.evaluation.statistics import bootstrap_interval

CANDIDATES = 100  # the first test images: those that every profile has


def example_positions(input_psnr: np.ndarray) -> list[int]:
    """Which test images stand for the paper's Img1 to Img3.

    Those among the first test images whose degraded input has the PSNR nearest to the paper's OG
    column; each image once. `input_psnr`: (N,) in dB.
    """
    table = reported.table("2dgan", "table3")
    positions: list[int] = []
    for row in ("Img1.PSNR", "Img2.PSNR", "Img3.PSNR"):
        distance = np.abs(input_psnr[:CANDIDATES] - table.loc[row, "OG"])
        distance[positions] = np.inf
        positions.append(int(np.argmin(distance)))
    return positions


def example_numbers(
    methods: dict[str, list[dict[str, np.ndarray]]], positions: Sequence[int],
    names: Sequence[str], dataset: str, seeds: Sequence[int], sources: dict[str, str],
) -> list[Number]:
    """Rows Img1.AG .. Img3.SSIM, one column a method.

    `methods`: column -> for each seed (one entry where nothing is trained) metric -> (N,) values.
    With several seeds the mean is given, and their standard deviation. `sources`: the run's record
    of each column that was trained.
    """  # fmt: skip
    numbers = []
    for column, per_seed in methods.items():
        of_column = list(seeds) if column in sources else []
        for k, position in enumerate(positions, start=1):
            for metric in per_seed[0]:
                values = [float(one[metric][position]) for one in per_seed]
                number = example_number(f"Img{k}.{metric}", column, values, of_column, dataset)
                numbers.append(replace(number, source=sources.get(column, ""),
                                       why=f"image {names[position]}"))
    return numbers  # fmt: skip


def example_number(
    row: str, column: str, values: Sequence[float], seeds: Sequence[int], dataset: str
) -> Number:
    """One metric of one image: the mean over seeds and, of several, their standard deviation."""
    return Number(
        row, column, float(np.mean(values)),
        sd=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        seeds=" ".join(map(str, seeds)), n_images=1, dataset=dataset,
    )  # fmt: skip


def mean_table(
    methods: dict[str, dict[str, np.ndarray]], profile: str, name: str, dataset: str
) -> pd.DataFrame:
    """Mean and 95 % bootstrap interval over images, a row a method; written to tables/<name>.csv.

    `methods`: row -> metric -> (N,) values.
    """
    rows = {}
    for method, metrics in methods.items():
        n_images = len(next(iter(metrics.values())))
        rows[method] = {**means(metrics), "n_images": n_images, "dataset": dataset}
    return store_table(pd.DataFrame.from_dict(rows, orient="index"), profile, name)


def means(metrics: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Each metric's mean over images and its interval: "PSNR", "PSNR low", "PSNR high", ..."""
    row = {}
    for metric, values in metrics.items():
        low, high = bootstrap_interval(values)
        row |= {metric: values.mean(), f"{metric} low": low, f"{metric} high": high}
    return row


def store_table(frame: pd.DataFrame, profile: str, name: str) -> pd.DataFrame:
    """Write a table to tables/<name>.csv; returns it rounded, to be shown.

    An index without names holds methods.
    """
    path = results_dir(profile) / "tables" / f"{name}.csv"
    label = list(frame.index.names) if any(frame.index.names) else "method"
    text = frame.to_csv(index_label=label, float_format="%.6g", lineterminator="\n")
    write_text(path, text)
    return frame.round(4)
