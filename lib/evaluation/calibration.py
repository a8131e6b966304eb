"""How close our degraded images are to the paper's (2D-GAN, Table 3, column OG).

    python -m lib.evaluation.calibration --data DIR
"""

import argparse

import numpy as np
import pandas as pd

from lib.papers import reported
from lib.data import catalogue
from lib.metrics import evaluate


def reported_inputs() -> pd.DataFrame:
    """The least and the largest value of the paper's three input images, by metric.

    Columns: paper_min, paper_max.
    """
    inputs = reported.cells("2dgan", "table3").query("column == 'OG'")
    metric = inputs["row"].str.split(".").str[1]  # rows are called "Img1.PSNR"
    values = inputs.groupby(metric)["reported"]
    return pd.DataFrame({"paper_min": values.min(), "paper_max": values.max()})


def calibration_table(degraded: np.ndarray, reference: np.ndarray) -> pd.DataFrame:
    """The spread of AG, IE, PSNR (dB) and SSIM over degraded images, beside the paper's.

    Args:
        degraded, reference: (N, H, W) uint8.

    Returns a row for each metric with columns min, 5 %, mean, 95 %, max, paper_min, paper_max and
    inside, the share of images within the paper's range: 0..1. The paper shows three images.
    """
    paper = reported_inputs()
    rows = {}
    measured = evaluate(degraded, reference)
    for metric, (low, high) in paper.iterrows():
        values = measured[metric]
        rows[metric] = {
            "min": values.min(),
            "5 %": np.percentile(values, 5),
            "mean": values.mean(),
            "95 %": np.percentile(values, 95),
            "max": values.max(),
            "paper_min": low,
            "paper_max": high,
            "inside": np.mean((values >= low) & (values <= high)),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compare the degradation with the paper's.")
    parser.add_argument("--data", help="data root; default $IR_DATA or data/")
    limits = {"validation": 1, "test": 1}
    loaded = catalogue.load("enhancement", parser.parse_args().data, 128, limits)
    print(f"{loaded.name}: {len(loaded.train.names)} training images")
    print(calibration_table(loaded.train.degraded, loaded.train.reference).round(3).to_string())
