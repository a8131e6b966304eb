"""How close our degraded images are to the paper's (2D-GAN, Table 3, column OG).

    python -m lib.evaluation.calibration [--search] --data DIR
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd

from lib.data import catalogue
from lib.data.degradation import LITERAL, degrade, factors, undo
from lib.metrics import evaluate, psnr
from lib.papers import reported

REACHED = 28.6535  # dB: the highest PSNR that the paper reports for 2D-GAN (Tables 5 and 6)
GRID = {
    "noise": (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0),
    "blur": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "brightness": (0.40, 0.45, 0.50, 0.55, 0.60),
}


def reported_inputs() -> pd.DataFrame:
    """Of the paper's three input images, by metric: columns paper_min, paper_mean, paper_max."""
    inputs = reported.cells("2dgan", "table3").query("column == 'OG'")
    metric = inputs["row"].str.split(".").str[1]  # rows are called "Img1.PSNR"
    values = inputs.groupby(metric)["reported"]
    return values.agg(paper_min="min", paper_mean="mean", paper_max="max")


def calibration_table(degraded: np.ndarray, reference: np.ndarray) -> pd.DataFrame:
    """The spread of AG, IE, PSNR (dB) and SSIM over degraded images, beside the paper's.

    `degraded`, `reference`: (N, H, W) uint8. A row a metric; columns min, 5%, mean, 95%, max, those
    of `reported_inputs`, and inside, the share of images within the paper's range: 0..1.
    """
    paper = reported_inputs()
    measured = pd.DataFrame(evaluate(degraded, reference))[paper.index]
    spread = measured.describe(percentiles=[0.05, 0.95]).T[["min", "5%", "mean", "95%", "max"]]
    inside = (measured >= paper["paper_min"]) & (measured <= paper["paper_max"])
    return spread.join(paper).assign(inside=inside.mean()).rename_axis("metric")


def search(reference: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """How near each set of GRID brings degraded training images to the paper's three inputs.

    The contrast range is that of LITERAL, so what is compared are noise, blur and brightness.
    Columns: AG, IE, PSNR and SSIM (means), distance (root of the sum of the squared relative
    differences of these from the means of the column OG), undone (mean PSNR in dB after the true
    contrast and brightness are taken back). Nearest first.

    The rule by which LITERAL was found, on 200 training images of ImageNet-5504: the nearest set of
    those that leave at least as much as the paper reports for 2D-GAN (REACHED). It is a choice, not
    a bound: a network also takes noise away, so it may go beyond.
    """
    paper, rows = reported_inputs()["paper_mean"], {}
    for values in product(*GRID.values()):
        ranges = replace(LITERAL, **{name: (v, v) for name, v in zip(GRID, values)})
        degraded = [degrade(image, name, ranges=ranges) for image, name in zip(reference, names)]
        undone = [undo(image, factors(name, ranges=ranges)) for image, name in zip(degraded, names)]
        means = pd.Series(evaluate(np.stack(degraded), reference)).map(np.mean)[paper.index]
        rows[values] = {**means, "distance": np.linalg.norm(means / paper - 1),
                        "undone": psnr(np.stack(undone), reference).mean()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis([*GRID]).sort_values("distance")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.evaluation.calibration",
                                     description="Compare the degradation with the paper's.")
    parser.add_argument("--data", help="data root; default $IR_DATA or data/")
    parser.add_argument("--search", action="store_true", help="find its values anew, in minutes")
    given = parser.parse_args(arguments)
    limits = {"train": 200 if given.search else None, "validation": 1, "test": 1}
    try:
        loaded = catalogue.load("enhancement", given.data, 128, limits)
    except (ValueError, OSError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(f"{loaded.name}: {len(loaded.train.names)} training images")
    if given.search:
        found = search(loaded.train.reference, loaded.train.names)
        print(found[found["undone"] >= REACHED].head(10).round(3).to_string())
    else:
        table = calibration_table(loaded.train.degraded, loaded.train.reference)
        print(table.round(3).to_string())
    return 0


if __name__ == "__main__":
    sys.exit(main())
