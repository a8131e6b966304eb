"""What a training costs, from steps that were measured: data/timings.csv.

A row is a step of one experiment at the size of a profile, as `lib.benchmarks.cost` measures it,
and holds for every experiment whose step is the same (on other images, under another name). For one
that was never measured the most similar one stands, of the same recipe and profile, by the ratio of
what their generators compute.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from lib.data import catalogue
from lib.paths import REPO
from lib.training.experiments import RunConfig, resolve
from lib.training.identity import settings
from lib.training.recipes import RECIPES
from lib.training.sampling import steps_per_epoch
from lib.training.status import differences

_resolved = cache(resolve)
TIMINGS = REPO / "data" / "timings.csv"
NOT_OF_A_STEP = ("name", "paper", "title", "data", "weights_of", "steps_divisor", "precision",
                 "batch_norm_images")


@dataclass(frozen=True)
class Cost:
    """A measured step. `like`: the experiment that was measured, where it is another one."""

    experiment: str
    profile: str
    machine: str
    device: str  # "cpu" or "cuda"
    precision: str
    seconds: float  # on a CPU of one core; more threads share them
    gflop: float  # of the whole step, a multiply-accumulate being two
    memory_mb: int  # at the peak, of the process or the GPU
    disk_mb: float  # two checkpoints and two sets of weights
    like: str = ""


@cache
def measured() -> tuple[Cost, ...]:
    """All that was measured."""
    rows = pd.read_csv(TIMINGS) if TIMINGS.is_file() else pd.DataFrame()
    return tuple(Cost(**row) for row in rows.to_dict("records"))


def of_step(experiment: str, profile: str, device: str, precision: str) -> Cost | None:
    """The cost of an experiment's step; None where none of its recipe was measured."""
    config, found = _resolved(experiment, profile), []
    for row in measured():
        if (row.profile, row.device, row.precision) == (profile, device, precision):
            known = _resolved(row.experiment, profile)
            if known.experiment.recipe == config.experiment.recipe:
                differing = differences(step_settings(known), step_settings(config))
                found.append((len(differing), row, known))
    if not found:
        return None
    differing, row, known = min(found, key=lambda one: one[0])
    if not differing:
        return row
    same = known.experiment.network == config.experiment.network
    ratio = 1.0 if same else generator_flop(config) / generator_flop(known)
    return replace(row, seconds=ratio * row.seconds, gflop=ratio * row.gflop, like=row.experiment)


@cache
def step_settings(config: RunConfig) -> dict:
    """What of a configuration the work of a step depends on."""
    return {name: value for name, value in settings(config.experiment).items()
            if name not in NOT_OF_A_STEP}


@cache
def generator_flop(config: RunConfig) -> int:
    """Operations of a pass of a run's generator over one image; nothing is computed for it."""
    recipe, experiment = RECIPES[config.experiment.recipe], config.experiment
    size, channels = recipe.training_size(config), 1 if experiment.paper == "2dgan" else 3
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        recipe.make_generator(experiment.network)(torch.empty(1, channels, size, size))
    return counter.get_total_flops()


@cache
def n_train(data: str, root: str, size: int) -> int:
    """How many training images, or pairs, a data set has."""
    found = catalogue.load(data, Path(root), size)
    return len(found.train.names if hasattr(found, "train") else found.split["train"])


def steps(experiment: str, profile: str, root: str) -> int:
    """How many steps a run takes on the images under a data root."""
    config = _resolved(experiment, profile)
    scale = config.scale
    if scale.steps:
        return scale.steps
    images = n_train(config.experiment.data, root, scale.image_size)
    return scale.epochs * steps_per_epoch(images, getattr(scale, "batch_size", 1))
