"""The metrics of single images that a number of numbers.csv was computed from.

They are those of its runs (`test_images.csv`, one run a seed) or, where nothing is trained, those
beside the tables (`lib.results.images`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import pandas as pd

from lib.metrics import METRICS
from lib.results.images import read_images, read_record
from lib.results.numbers import merge
from lib.results.runs import Run
from lib.results.sources import RunUnreadable, read_run

SOURCE = re.compile(r"runs/(?P<experiment>[^/]+)/seed(?P<seed>\d+)/run\.json")


class NotStored(ValueError):
    """What a number should be computed from is not there, or is not what it should be."""


@dataclass(frozen=True)
class Measured:
    """The values that a number is the mean of.

    `values`: one row an image, one column a seed (a single column where nothing was trained);
    `runs`: one a seed, none where nothing was trained.
    """

    metric: str
    values: pd.DataFrame
    dataset: str
    runs: list[Run]


def name_of(line: Mapping[str, str]) -> str:
    """A number as `2dgan/table4/AG/C5`."""
    return "/".join(line[key] for key in ("paper", "item", "row", "column"))


class Stored:
    """What is stored in the results of a profile; every file is read once."""

    def __init__(self, profile: str):
        self.profile = profile
        self._run = cache(lambda experiment, seed: read_run(profile, experiment, seed))
        self._images = cache(lambda paper, item: read_images(profile, paper, item))
        self._record = cache(lambda paper, item: read_record(profile, paper, item))

    def measured(self, line: Mapping[str, str]) -> Measured:
        """The images behind one line of numbers.csv, all fields text.

        Raises NotStored, and `RunUnreadable` for a run that is missing or cannot be read.
        """
        metric = next((part for part in (line["row"].split(".")[-1], line["column"].split(".")[-1])
                       if part in METRICS), None)  # fmt: skip
        if metric is None:
            raise NotStored("neither its row nor its column names a metric")
        runs = self._runs(line) if line["source"] else []
        if runs:
            images, dataset = [run.test_images for run in runs], runs[0].record["dataset"]
        else:
            record = self._record(line["paper"], line["item"])
            stored = self._images(line["paper"], line["item"])
            if record is None or line["column"] not in stored:
                raise NotStored(
                    "no metrics of single images are stored for it; run its notebook again"
                )
            images, dataset = [stored[line["column"]]], record["dataset"]
        if any(metric not in one for one in images):
            raise NotStored(f"no {metric} is stored for its images")
        values = pd.concat([one[metric] for one in images], axis="columns")
        values.columns = [run.record["seed"] for run in runs] or [None]
        if line["n_images"] == "1":
            image = line["why"].removeprefix("image ")
            if image not in values.index:
                raise NotStored(f"{image} is none of the images stored for it")
            values = values.loc[[image]]
        return Measured(metric, values, dataset, runs)

    def all_measured(self) -> dict[str, Measured]:
        """Every number of the tables that images are stored for, by its name."""
        return dict(self._all_measured())

    def _all_measured(self) -> Iterator[tuple[str, Measured]]:
        for line in merge(self.profile).to_dict("records"):
            if line["reproduced"] and line["item"] != "prose":
                try:
                    yield name_of(line), self.measured(line)
                except (NotStored, RunUnreadable):
                    pass  # `lib.verify` reports these

    def _runs(self, line: Mapping[str, str]) -> list[Run]:
        source = SOURCE.fullmatch(line["source"])
        if not source or not re.fullmatch(r"\d+( \d+)*", line["seeds"]):
            raise NotStored(f"source {line['source']} with seeds {line['seeds']!r} names no run")
        seeds = [int(seed) for seed in line["seeds"].split()]
        if seeds[0] != int(source["seed"]):
            raise NotStored(f"its source is seed {source['seed']}, its seeds are {line['seeds']}")
        runs = [self._run(source["experiment"], seed) for seed in seeds]
        fingerprints = {run.record["data_fingerprint"] for run in runs}
        same_images = all(run.test_images.index.equals(runs[0].test_images.index) for run in runs)
        if len(fingerprints) > 1 or not same_images:
            raise NotStored("its seeds were not judged on the same images")
        return runs
