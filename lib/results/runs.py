"""From the records of training runs to numbers of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from lib.papers import reported
from lib.training.experiments import Experiment, resolve
from lib.metrics import METRICS
from lib.paths import run_folder
from lib.results.numbers import Number
from lib.evaluation.statistics import bootstrap_interval
from lib.training import record


@dataclass(frozen=True)
class Run:
    """One trained model: its folder, its record, the metrics of each test image."""

    folder: Path
    record: dict
    test_images: pd.DataFrame  # indexed by image, columns AG, IE, PSNR, SSIM

    @property
    def source(self) -> str:
        """Its record, relative to the results of its profile: what a number names as its source."""
        return f"runs/{self.record['experiment']}/seed{self.record['seed']}/run.json"


def load_run(profile: str, experiment: str, seed: int) -> Run:
    """Raises FileNotFoundError, naming the command, where the experiment was not trained yet."""
    folder = run_folder(profile, experiment, seed)
    known = record.read(folder)
    if known is None:
        raise FileNotFoundError(
            f"{experiment} seed {seed} was not trained yet: run `python -m lib.train "
            f"--experiment {experiment} --profile {profile} --seed {seed}`"
        )
    return Run(folder, known, pd.read_csv(folder / "test_images.csv", index_col="image"))


def printed_metrics(experiment: Experiment) -> dict[str, float]:
    """What the paper prints for an experiment, by metric; empty for our own and for prose."""
    tables = reported.load()[["paper", "item"]].drop_duplicates().itertuples(index=False, name=None)
    if (experiment.paper, experiment.item) not in tables:
        return {}
    table = reported.table(experiment.paper, experiment.item)
    if experiment.paper == "2dgan":
        return table[experiment.column].to_dict()
    row = table.loc[experiment.column]  # one method a row, "OSU.PSNR" or "PSNR" a column
    parts = {column: column.rpartition(".") for column in row.index}
    return {metric: float(row[column]) for column, (data, _, metric) in parts.items()
            if data.lower() in ("", experiment.data)}  # fmt: skip


def load_generator(run: Run) -> torch.nn.Module:
    """The trained generator of a run, on the CPU, ready to evaluate."""
    experiment = resolve(run.record["experiment"], run.record["profile"]).experiment
    recipe = import_module(f"lib.training.recipes.{experiment.recipe}")
    generator = recipe.make_generator(experiment.network)
    generator.load_state_dict(load_file(run.folder / "weights.safetensors"))
    return generator.eval()


def image_metrics(run: Run, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Metric -> (N,) values of the test images `names`, as the run's record stores them.

    Raises ValueError for an image that the run was not judged on.
    """
    if missing := set(names) - set(run.test_images.index):
        raise ValueError(f"{run.folder} was not judged on {min(missing)}; train it on these data")
    return {metric: run.test_images.loc[list(names), metric].to_numpy() for metric in METRICS}


def summarise(runs: Sequence[Run], metric: str, column: str) -> Number:
    """One number of a table from the test images of its runs, one run a seed.

    The mean over images and seeds; `sd` over test images, each image's value being its mean over
    the seeds; the 95 % bootstrap interval over seeds and test images.
    """
    by_seed = np.array([run.test_images[metric].to_numpy() for run in runs])  # (S, N)
    values = by_seed.mean(axis=0)
    low, high = bootstrap_interval(by_seed)
    return Number(
        metric, column, float(values.mean()), float(values.std(ddof=1)), low, high,
        seeds=" ".join(str(run.record["seed"]) for run in runs), n_images=len(values),
        dataset=runs[0].record["dataset"], source=runs[0].source,
    )  # fmt: skip


def table_numbers(
    profile: str, columns: Mapping[str, str], seeds: Sequence[int]
) -> list[Number]:
    """Rows AG, IE, PSNR, SSIM: 2D-GAN's Tables 4 to 6. `columns`: printed column -> experiment."""
    numbers = []
    for column, experiment in columns.items():
        runs = [load_run(profile, experiment, seed) for seed in seeds]
        numbers += [summarise(runs, metric, column) for metric in METRICS]
    return numbers
