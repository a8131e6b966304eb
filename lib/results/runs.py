"""The runs that a table is made from: those that it asks for, or one line that says what to do.

A run is taken where it is whole, complete and made by today's code, settings and data, from
`results/<profile>`; where that has none of those asked for at all, from the published records
beside it, which have no weights. The two are never mixed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from lib import paths
from lib.data import catalogue
from lib.data.scenes import scenes_of
from lib.evaluation.stability import MEASURES
from lib.evaluation.statistics import estimate
from lib.printing import first_few
from lib.results.numbers import Number
from lib.results.tables import Cell, Table
from lib.training import record
from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.protocol_share import protocol_share
from lib.training.status import to_do


@dataclass(frozen=True)
class Run:
    """One run: its folder, its record, the metrics of each test image (a row each)."""

    folder: Path
    record: dict
    test_images: pd.DataFrame

    @property
    def source(self) -> str:
        """Its record, relative to the results of its profile: what a number names as its source."""
        return f"runs/{self.record['experiment']}/seed{self.record['seed']}/run.json"

    @property
    def dataset(self) -> str:
        """The name of its data set, as printed."""
        return self.record["dataset"]

    @property
    def trained(self) -> bool:
        """Whether a network was trained, so that another seed would give something else."""
        return self.record["steps"] > 0

    @property
    def precision(self) -> str:
        """What its own network was trained in, "fp32" or "bf16"; empty where it has none."""
        config = self.record.get("config", {})
        return config["precision"] if config.get("experiment", {}).get("network") else ""

    @property
    def share(self) -> str:
        """How much of the paper's protocol it trained, e.g. "2.9 of 101 epochs", by images seen."""
        return protocol_share(self.record)

    def values(self, metric: str) -> pd.Series:
        """A metric of each test image, or one value of the whole training: "cycle_a end" is the
        loss `cycle_a` by a measure of `lib.evaluation.stability`."""
        if metric in self.test_images:
            return self.test_images[metric]
        loss, _, measure = metric.partition(" ")
        return pd.Series({"training": MEASURES[measure](self.history()[loss])})

    def history(self) -> pd.DataFrame:
        """Losses and validation metrics along the way, indexed by step."""
        return pd.read_csv(self.folder / "history.csv", index_col="step")

    def samples(self) -> dict[str, np.ndarray]:
        """Bytes of the example images: input (n, H, W) or RGB (n, H, W, 3), output, reference."""
        return record.read_samples(self.folder, len(self.record["examples"]))

    def attention(self) -> dict[str, np.ndarray]:
        """The stored attention maps of the example images (`lib.evaluation.attention`)."""
        with np.load(self.folder / "attention.npz") as arrays:
            return dict(arrays)


def shared_seeds(*methods: Sequence[Run]) -> list[int]:
    """The seeds that all methods have of which something is trained: what they can be compared on.
    Raises ValueError where there is none."""
    seeds = [{run.record["seed"] for run in runs} for runs in methods if runs[0].trained]
    shared = sorted(set.intersection(*seeds)) if seeds else []
    if seeds and not shared:
        names = dict.fromkeys(run.record["experiment"] for runs in methods for run in runs)
        raise ValueError(f"{' and '.join(names)} are of different seeds")
    return shared


def read_run(folder: Path) -> Run:
    """A run as it stands in a folder, whatever made it. Raises record.Damaged where a file of it is
    gone or altered (weights are not looked at), and FileNotFoundError where there is none."""
    known = record.read(folder)
    if known is None:
        raise FileNotFoundError(f"{folder} holds no run")
    if wrong := record.damage(folder, known, without=record.STORED_WEIGHTS):
        raise record.Damaged(f"{folder}: {wrong}")
    images = pd.read_csv(folder / "test_images.csv", index_col="image", dtype={"image": str})
    return Run(folder, known, images)


def results_of(profile: str, experiment: str) -> Path:
    """The results that the runs of an experiment are in: those made here, else the published."""
    for results in (paths.results_dir(profile), paths.published_dir(profile)):
        if (results / "runs" / experiment).is_dir():
            return results
    return paths.results_dir(profile)


def find_runs(profile: str, experiments: Iterable[str], seeds: Sequence[int] | None = None,
              data: str | Path | None = None, mixed: bool = False,
              report=print) -> dict[str, list[Run]]:
    """The runs of some experiments, one a seed, where nothing is trained a single one.

    seeds: None: 0, and of each experiment all others that are finished and can be taken. data: the
    data root. mixed: take runs of different precisions, whatever `precision_check` says. Raises
    FileNotFoundError, naming what is wrong and the command that mends it.
    """
    root, asked = paths.data_root(data), list(experiments)
    asked = dict.fromkeys([*asked, *filter(None, (EXPERIMENTS[name].weights_of for name in asked))])

    def wanted_of(results: Path) -> list[tuple[str, int]]:
        return [(name, seed) for name in asked
                for seed in ([0] if not EXPERIMENTS[name].trained else seeds if seeds is not None
                             else sorted({0, *paths.seeds_recorded(results, name)}))]

    describe = cache(lambda key: catalogue.describe(key, root))
    results, published = paths.results_dir(profile), paths.published_dir(profile)
    wanted, wrong = wanted_of(results), {}
    for name, seed in wanted:
        config = resolve(name, profile, seed)
        todo = to_do(paths.run_folder(results, name, seed), config,
                     describe(config.experiment.data), with_weights=False)
        if todo.what != "nothing":
            wrong[name, seed] = todo.why
    for name, seed in wanted:
        lender = EXPERIMENTS[name].weights_of
        if (lender, seed) in wrong:
            wrong.setdefault((name, seed), f"the network of {lender} is not as it should be")
    if left := [run for run in wrong if seeds is None and run[1]]:
        report(f"left out: {first_few([_told(run, wrong.pop(run)) for run in left], '; ')}")
        wanted = [run for run in wanted if run not in left]
    nothing_here = len(wrong) == len(wanted) and set(wrong.values()) == {"never run"}
    there = (record.read(paths.run_folder(published, *run)) for run in wanted)
    if nothing_here and all(known and known["status"] == "complete" for known in there):
        results, wanted = published, wanted_of(published)
    elif wrong:
        lines = [_told(run, why) for run, why in wrong.items()]
        commands = []
        for seed in sorted({seed for _, seed in wrong}):
            names = [name for name in EXPERIMENTS if (name, seed) in wrong]  # lenders come first
            commands.append(f"python -m lib.train --profile {profile} --seed {seed}"
                            f"{paths.data_option(data)} --experiment {' '.join(names)}")
        raise FileNotFoundError(f"not as this table needs them: {first_few(lines, '; ')}. Run: "
                                f"{' && '.join(commands)}")
    found: dict[str, list[Run]] = {}
    for name, seed in wanted:
        found.setdefault(name, []).append(read_run(paths.run_folder(results, name, seed)))
    if not mixed:
        _check_precision(profile, found)
    if results == published:
        _check_alike(found)
        first = found[wanted[0][0]][0].record
        report(f"published runs (commit {first['code_commit']}, {first['dataset']}): nothing was "
               f"trained here in the profile {profile}")
    return found


def precision_check(runs: dict[str, list[Run]]) -> pd.DataFrame:
    """Does bf16 train as well as fp32? By recipe and metric: the means in both, the difference, the
    standard deviation over seeds in fp32, and whether the difference is within it ("held"). From
    runs of the experiments precision-*, where there are at least three seeds of both."""
    def ends(name: str, metric: str) -> pd.Series:
        """Of a table's data on validation images, at the last step; of MSRS on the test images."""
        if EXPERIMENTS[name].data == "msrs":
            return pd.Series([run.test_images[metric].mean() for run in runs[name]])
        return pd.Series([run.history()[f"validation_{metric}"].iloc[-1] for run in runs[name]])

    rows = []
    for name in (name for name in runs if name.endswith("-fp32")):
        other = name.replace("fp32", "bf16")
        if min(len(runs[name]), len(runs.get(other, ()))) < 3:
            continue
        for metric in ("PSNR", "SSIM"):
            fp32, bf16 = ends(name, metric), ends(other, metric)
            difference, spread = bf16.mean() - fp32.mean(), fp32.std(ddof=1)
            rows.append({
                "recipe": EXPERIMENTS[name].recipe, "metric": metric, "fp32": fp32.mean(),
                "bf16": bf16.mean(), "difference": difference, "sd over seeds": spread,
                "seeds": len(fp32), "held": abs(difference) <= spread,
            })
    return pd.DataFrame(rows)


def _check_precision(profile: str, found: dict[str, list[Run]]) -> None:
    """A difference between methods must not be one between precisions: both kinds are taken only
    where `precision_check` held for every recipe among them."""
    kinds = {run.precision: run for runs in found.values() for run in runs if run.precision}
    if len(kinds) < 2:
        return
    checked = precision_check({
        name: [read_run(folder) for folder in paths.run_folders(results_of(profile, name), name)
               if record.is_complete(folder)]
        for name in EXPERIMENTS if name.startswith("precision-")
    })
    recipes = {EXPERIMENTS[EXPERIMENTS[name].weights_of or name].recipe
               for name, runs in found.items() if any(run.precision for run in runs)}
    held = {} if checked.empty else checked.groupby("recipe")["held"].all()
    if lacking := sorted(recipe for recipe in recipes if not held.get(recipe, False)):
        told = " and ".join(f"{run.folder} in {kind}" for kind, run in sorted(kinds.items()))
        raise FileNotFoundError(
            f"{told}: a table takes both only where a check shows that they train alike, here "
            f"{', '.join(lacking)} has none. Run: python -m lib.train --precision "
            f"..., or the check: ./run_all.sh --only 27_precision --seeds 0,1,2 --profile {profile}"
        )


def _told(run: tuple[str, int], why: str) -> str:
    return f"{run[0]} seed {run[1]}: {why}"


def _check_alike(found: dict[str, list[Run]]) -> None:
    """Published runs vouch for themselves; those on one data set must be on the same images."""
    images: dict[str, str] = {}
    for run in (run for runs in found.values() for run in runs):
        its = run.record["data_fingerprint"]
        if run.record["status"] != "complete" or its != images.setdefault(run.dataset, its):
            raise FileNotFoundError(f"{run.folder} is not complete, or on other data than the "
                                    "published runs beside it")


def measure(cell: Cell, runs: Sequence[Run]) -> pd.DataFrame:
    """What a cell of a table is the mean of: one row an image, one column a run (seed). Raises
    ValueError for runs that were not judged on the same images, or not in that metric."""
    try:
        values = [run.values(cell.metric) for run in runs]
        if any(not one.index.equals(values[0].index) for one in values):
            raise ValueError(f"the seeds of {cell.experiment} were not judged on the same images")
        values = pd.concat(values, axis="columns", keys=[run.record["seed"] for run in runs])
        return values if cell.example is None else values.loc[[
            runs[0].record["examples"][cell.example]]]
    except (KeyError, IndexError):
        what = cell.metric if cell.example is None else f"{cell.metric} of Img{cell.example + 1}"
        raise ValueError(f"{cell.experiment} has no {what} in its runs") from None


def number(printed: tuple[str, str], cell: Cell, runs: Sequence[Run]) -> Number:
    """The mean over images and seeds of what is `printed` in a row and a column. Of several images:
    the standard deviation over images, each by its mean over the seeds, and the 95 % interval over
    seeds and images; of one: the standard deviation over seeds."""
    values, first = measure(cell, runs), runs[0]
    of_images = values.mean(axis="columns")
    one = len(of_images) == 1
    deviating = values.iloc[0] if one else of_images
    sd = float(deviating.std(ddof=1)) if len(deviating) > 1 else None
    scenes = scenes_of(of_images.index)
    interval = (None, None) if one else estimate(values.to_numpy().T, scenes).interval()
    return Number(
        *printed, float(of_images.mean()), sd, *interval,
        seeds=" ".join(str(run.record["seed"]) for run in runs if run.trained),
        n_images=len(of_images), dataset=first.dataset, source=first.source,
        why=f"image {of_images.index[0]}" if one else "",
    )


def table_numbers(table: Table, runs: dict[str, list[Run]]) -> list[Number]:
    """Every number of a table from its runs."""
    return [number(printed, cell, runs[cell.experiment]) for printed, cell in table.cells.items()]
