"""Is what a number rests on whole, and made with today's configuration, code and data?

A number rests on runs (`runs/C5/seed0`) or on stored metrics of images that nothing was trained
for (`tables/2dgan_table3_images`).
"""

import hashlib
import importlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.data.catalogue import describe
from lib.data.fingerprint import DataSet
from lib.training.experiments import EXPERIMENTS, resolve, run_hash
from lib.paths import data_root
from lib.provenance import code_hash
from lib.results.images import modules_hash, read_record
from lib.results.runs import Run, load_run
from lib.train import code_files
from lib.training.record import settings

ROUNDING = 1e-5  # relative; metrics of single images are stored to 6 digits
KEYS = {"experiment", "profile", "seed", "status", "trained", "dataset", "data_fingerprint",
        "n_images", "metrics", "config", "config_hash", "code_commit", "code_hash"}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """What is wrong with `where`: a number, a run, the stored images of a table."""

    kind: str  # "number", "source" or "stale"
    where: str
    what: str

    def __str__(self) -> str:
        return f"{'STALE ' if self.kind == 'stale' else ''}{self.where}: {self.what}"


class RunUnreadable(ValueError):
    """A run is not there or its files cannot be read; the message says which."""


def read_run(profile: str, experiment: str, seed: int) -> Run:
    """`load_run`, with RunUnreadable for everything that can be wrong with its files."""
    try:
        run = load_run(profile, experiment, seed)
    except FileNotFoundError as problem:
        raise RunUnreadable(f"missing run: {problem}") from None
    except ValueError as problem:
        raise RunUnreadable(f"run.json or test_images.csv cannot be read: {problem}") from None
    if missing := KEYS - run.record.keys():
        raise RunUnreadable(f"run.json lacks {', '.join(sorted(missing))}")
    return run


class Today:
    """Code and data as they are now, each asked for once.

    `data`: the data root. Where it is None, it is $IR_DATA or else data/, and of the latter a data
    set that is not there is not compared but named in `absent`.
    """

    def __init__(self, data: Path | None = None):
        self.absent: set[str] = set()
        self._asked_for = data is not None or bool(os.environ.get("IR_DATA"))
        self._root = data_root(data)
        self._data_sets: dict[str, DataSet] = {}
        self._codes: dict[str, str] = {}

    def code(self, recipe: str) -> str:
        """The hash of the code that a run of this recipe depends on."""
        if recipe not in self._codes:
            self._codes[recipe] = code_hash(code_files(recipe))
        return self._codes[recipe]

    def changed_data(
        self, key: str, find: Callable[[Path], DataSet], record: dict
    ) -> list[str]:
        """How the data set that `find` gives under the data root differs from that in `record`."""
        if key not in self._data_sets:
            try:
                self._data_sets[key] = find(self._root)
            except ValueError as problem:
                return [f"its data cannot be read: {problem}"]
        now = self._data_sets[key]
        if now.fingerprint == record["data_fingerprint"]:
            return []
        if now.name != record["dataset"] and not self._asked_for:
            self.absent.add(record["dataset"])
            return []
        return [f"data changed: {record['dataset']} {record['data_fingerprint'][:12]} then, "
                f"{now.name} {now.fingerprint[:12]} now"]  # fmt: skip


def check_source(profile: str, where: str, today: Today) -> Iterator[Problem]:
    """What is wrong with a run or the stored images of a table, and why they are stale."""
    if where.startswith("tables/"):
        paper, item = Path(where).name.removesuffix("_images").rsplit("_", 1)
        record = read_record(profile, paper, item)
        stale = [] if record is None else _changes_of_images(record, today)
    else:
        _, experiment, folder = where.split("/")
        seed = int(folder.removeprefix("seed"))
        try:
            run = read_run(profile, experiment, seed)
        except RunUnreadable as problem:
            yield Problem("source", where, str(problem))
            return
        wrong = [*_wrong_identity(run.record, (experiment, profile, seed)), *_wrong_metrics(run)]
        yield from (Problem("source", where, what) for what in wrong)
        stale = changes(run.record, today)
    yield from (Problem("stale", where, what) for what in stale)


def changes(record: dict, today: Today) -> list[str]:
    """What changed in configuration, code and data since a run was recorded; empty: nothing."""
    name, config = record["experiment"], record["config"]
    if name not in EXPERIMENTS:
        return [f"there is no experiment {name} any more"]
    now = resolve(name, record["profile"], record["seed"], config["without_perceptual"])
    recipe = now.experiment.recipe
    found = []
    if run_hash(now) != record["config_hash"]:
        differing = ", ".join(_settings_changed(config, settings(now)))
        found.append(f"configuration changed: {differing}")
    if today.code(recipe) != record["code_hash"]:
        found.append(f"code changed since commit {record['code_commit']}")
    find = importlib.import_module(f"lib.training.recipes.{recipe}").describe
    return found + today.changed_data(now.experiment.data, lambda root: find(now, root), record)


def _changes_of_images(record: dict, today: Today) -> list[str]:
    found = []
    if record["code_hash"] != modules_hash(record["modules"]):
        found.append(f"code changed since commit {record['code_commit']}")
    return found + today.changed_data(
        record["data"], lambda root: describe(record["data"], root), record
    )


def _wrong_identity(record: dict, expected: tuple[str, str, int]) -> Iterator[str]:
    """Where a record is not that of the run whose folder it lies in, or of its configuration."""
    given = record["experiment"], record["profile"], record["seed"]
    if given != expected:
        yield "is another run: its record is of {}, profile {}, seed {}".format(*given)
    config = record["config"]
    stored = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]
    named = config["experiment"]["name"], config["profile"], config["seed"]
    if named != given or stored != record["config_hash"]:
        yield "the configuration in its record is not the one it was trained with"
    if record["status"] != "complete":
        yield f"is not complete: {record['trained']}"


def _wrong_metrics(run: Run) -> Iterator[str]:
    """Where the means in the record are not those of the images."""
    if len(run.test_images) != run.record["n_images"]:
        yield (f"run.json says {run.record['n_images']} test images, test_images.csv has "
               f"{len(run.test_images)}")  # fmt: skip
    for metric, mean in run.record["metrics"].items():
        found = run.test_images[metric].mean() if metric in run.test_images else np.nan
        if not np.isclose(found, mean, rtol=ROUNDING, atol=0):
            yield f"run.json says mean {metric} {mean:.6g}, test_images.csv gives {found:.6g}"


def _settings_changed(then, now, name: str = "") -> Iterator[str]:
    """The settings that differ between two nested dictionaries."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*then, *now]):
            below = f"{name}.{key}" if name else key
            yield from _settings_changed(then.get(key, "none"), now.get(key, "none"), below)
    elif then != now:
        yield f"{name} {then} then, {now} now"
