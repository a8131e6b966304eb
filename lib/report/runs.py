"""From the records of training runs to numbers of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from lib.experiments import resolve
from lib.paths import results_dir
from lib.report.numbers import Number
from lib.report.statistics import bootstrap_interval
from lib.training import record

METRICS = ("AG", "IE", "PSNR", "SSIM")


@dataclass(frozen=True)
class Run:
    """One trained model: its folder, its record, the metrics of each test image."""

    folder: Path
    record: dict
    test_images: pd.DataFrame  # indexed by image, columns AG, IE, PSNR, SSIM


def load_run(profile: str, experiment: str, seed: int) -> Run:
    """Raises FileNotFoundError, naming the command, where the experiment was not trained yet."""
    folder = results_dir(profile) / "runs" / experiment / f"seed{seed}"
    known = record.read(folder)
    if known is None:
        raise FileNotFoundError(
            f"{experiment} seed {seed} was not trained yet: run `python -m lib.train "
            f"--experiment {experiment} --profile {profile} --seed {seed}`"
        )
    return Run(folder, known, pd.read_csv(folder / "test_images.csv", index_col="image"))


def load_generator(run: Run) -> torch.nn.Module:
    """The trained generator of a run, on the CPU, ready to evaluate."""
    experiment = resolve(run.record["experiment"], run.record["profile"]).experiment
    recipe = import_module(f"lib.training.{experiment.recipe}")
    generator = recipe.make_generator(experiment.network)
    generator.load_state_dict(load_file(run.folder / "weights.safetensors"))
    return generator.eval()


def summarise(
    per_seed: Sequence[pd.Series], row: str, column: str, record: dict, source: str
) -> Number:
    """One number of a table from the values of its test images, one series (N,) a seed.

    The mean over images and seeds; `sd` and the 95 % bootstrap interval over test images, each
    image's value being its mean over the seeds.
    """
    values = np.mean([series.to_numpy() for series in per_seed], axis=0)
    low, high = bootstrap_interval(values)
    return Number(
        row, column, float(values.mean()), float(values.std(ddof=1)), low, high,
        n_images=len(values), dataset=record["dataset"], source=source,
        seeds=record["seeds"],
    )  # fmt: skip


def table_numbers(
    profile: str, columns: Mapping[str, str], seeds: Sequence[int]
) -> list[Number]:
    """Rows AG, IE, PSNR, SSIM: 2D-GAN's Tables 4 to 6. `columns`: printed column -> experiment."""
    numbers = []
    for column, experiment in columns.items():
        runs = [load_run(profile, experiment, seed) for seed in seeds]
        about = {**runs[0].record, "seeds": " ".join(map(str, seeds))}
        source = (runs[0].folder / "run.json").relative_to(results_dir(profile)).as_posix()
        for metric in METRICS:
            per_seed = [run.test_images[metric] for run in runs]
            numbers.append(summarise(per_seed, metric, column, about, source))
    return numbers
