"""Do the numbers follow from what is stored, and does that come from today's code and data?

    python -m lib.verify results/smoke [--data DIR] [--allow-stale]

Computes every number of numbers.csv again from the runs it names, by the code that the notebooks
use, and looks at each run: is it whole, is it the one it says it is, were code, settings and data
changed since; and whether claims.csv is of today's claims. Ends with 0 where all agree, else with 1
and one line a problem.
"""

import os
import sys
from argparse import ArgumentParser
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from lib import paths
from lib.data import catalogue
from lib.papers import reported
from lib.results import claims, numbers
from lib.results.complexity import TIMES, counted_numbers
from lib.results.runs import Run, number, read_run, results_of
from lib.results.tables import TABLES
from lib.training import record
from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.identity import NOT_IN_TRAINING, settings
from lib.training.status import as_begun, differences, to_do

ROUNDING = 1e-5  # relative; metrics of single images are stored to 6 digits


@dataclass(frozen=True)
class Problem:
    """What is wrong with `where`: a number ("number"), a run ("source"); or "stale"."""

    kind: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{'STALE ' if self.kind == 'stale' else ''}{self.where}: {self.what}"


@dataclass
class Verdict:
    """What was found. `rests_on` maps each number (`2dgan/table4/AG/C5`) to its runs."""

    problems: list[Problem] = field(default_factory=list)
    recomputed: int = 0
    measured_once: list[str] = field(default_factory=list)
    unchecked_data: list[str] = field(default_factory=list)  # not under the data root
    rests_on: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def note(self, kind: str, where: str, what: str) -> None:
        self.problems.append(Problem(kind, where, what))

    def stale(self) -> list[str]:
        """The numbers that rest on something stale."""
        places = {problem.where for problem in self.problems if problem.kind == "stale"}
        return [name for name, rests in self.rests_on.items() if not places.isdisjoint(rests)]


def verify(profile: str, data: str | Path | None = None) -> Verdict:
    """Check numbers.csv of a profile and all it rests on. Data are compared with those under
    `data`; where it is None, with those under $IR_DATA, else with those under data/ as far as they
    are there. Of published records no weights are expected."""
    verdict = Verdict()
    stored = _read_numbers(profile, verdict)
    found = numbers.parts(profile)
    runs = _Runs(profile, data, verdict)
    counted = {f"2dgan/table2/{n.row}/{n.column}": n for n in counted_numbers()}
    for name, line in found.items():
        if not line["reproduced"]:
            continue
        if line["column"] == TIMES:
            verdict.measured_once.append(name)
            continue
        try:
            if again := counted.get(name) or _measured(line, runs):
                found[name] = line | numbers.as_text(again)
                verdict.recomputed += 1
        except ValueError as problem:
            verdict.note("number", name, str(problem))
    for name in EXPERIMENTS:  # the runs that only further tables rest on, too
        for seed in paths.seeds_recorded(results_of(profile, name), name):
            runs.get(name, seed)
    again = numbers.by_name(numbers.merge(found))
    for name, cell in numbers.by_name(reported.load().query("item == 'prose'")).items():
        compared = [f"{cell['paper']}/{cell[side]}" for side in ("new", "old")]
        rests = [run for one in compared for run in verdict.rests_on.get(one, ())]
        verdict.rests_on[name] = tuple(dict.fromkeys(rests))
        verdict.recomputed += bool(again[name]["reproduced"])
    for name in sorted(again.keys() ^ stored.keys()) if stored else ():
        what = "is missing" if name in again else "is no number of the papers"
        verdict.note("number", name, what)
    for name in (name for name in stored if name in again):
        for key in numbers.COLUMNS:
            if stored[name][key] != again[name][key]:
                verdict.note("number", name, f"{key} is stored as {stored[name][key] or 'empty'}, "
                                             f"computed again {again[name][key] or 'empty'}")
    verdict.unchecked_data = sorted(runs.absent)
    return verdict


def _read_numbers(profile: str, verdict: Verdict) -> dict[str, dict[str, str]]:
    """The rows of numbers.csv by name; none where it is not there or of another form."""
    path = paths.results_dir(profile) / "numbers.csv"
    if not path.is_file():
        verdict.note("number", path.name, "is not there; run notebooks/90_summary.ipynb")
        return {}
    frame = numbers.read_table(path)
    if list(frame.columns) != numbers.COLUMNS or frame.duplicated(numbers.COLUMNS[:4]).any():
        verdict.note("number", path.name, f"its columns are not {', '.join(numbers.COLUMNS)}, or a "
                                          "number stands in it twice")
        return {}
    return numbers.by_name(frame)


class _Runs:
    """The runs behind the numbers, each read and checked once."""

    def __init__(self, profile: str, data: str | Path | None, verdict: Verdict):
        self.profile, self.verdict = profile, verdict
        root = paths.data_root(data)
        self.describe = cache(lambda key: catalogue.describe(key, root))
        self.asked_for_data = data is not None or bool(os.environ.get("IR_DATA"))
        self.told = paths.data_option(data)
        self.absent: set[str] = set()

    @cache
    def get(self, experiment: str, seed: int) -> Run | None:
        """None, with a problem noted, for a run that is gone or not whole."""
        where = f"runs/{experiment}/seed{seed}"
        folder = results_of(self.profile, experiment) / where
        try:
            run = read_run(folder)
            self._check(where, experiment, seed, run)
            return run
        except (FileNotFoundError, record.Damaged) as problem:
            what = str(problem).removeprefix(f"{folder}: ").replace(str(folder), where)
            if isinstance(problem, FileNotFoundError):
                what += (f": python -m lib.train --experiment {experiment} "
                         f"--profile {self.profile} --seed {seed}{self.told}")
            self.verdict.note("source", where, what)
            return None

    def _check(self, where: str, experiment: str, seed: int, run: Run) -> None:
        """Note where a record is another run's, contradicts itself or its images, or is stale."""
        known, note = run.record, partial(self.verdict.note, "source", where)
        named = known["experiment"], known["profile"], known["seed"]
        if named != (experiment, self.profile, seed):
            note("is another run: its record is of {}, profile {}, seed {}".format(*named))
            return
        for metric in run.test_images:
            mean, stated = run.test_images[metric].mean(), known["metrics"].get(metric, np.nan)
            if not np.isclose(mean, stated, rtol=ROUNDING, atol=0):
                note(f"run.json says mean {metric} {stated:.6g}, test_images.csv gives {mean:.6g}")
        there = [name for name in record.STORED_WEIGHTS if (run.folder / name).is_file()]
        if there and (damaged := record.damage(run.folder, known, only=there)):
            note(damaged)
        config = resolve(experiment, self.profile, seed)
        made = ("test_images.csv", *(record.TRAINED if config.experiment.network else ()))
        if lacks := set(made) - known["files"].keys() - known.get("unpublished", {}).keys():
            note(f"run.json has no checksum of {', '.join(sorted(lacks))}")
        dataset = self.describe(config.experiment.data)
        if dataset.name != run.dataset and not self.asked_for_data:
            self.absent.add(run.dataset)
            dataset = catalogue.DataSet(dataset.key, run.dataset, known["data_fingerprint"], None)
        todo = to_do(run.folder, config, dataset, with_weights=False)
        if todo.what != "nothing":
            kind = "source" if todo.what == "continue" else "stale"
            self.verdict.note(kind, where, todo.why)
            return
        today = settings(as_begun(config, known))
        for setting, what in differences(known["config"], today).items():
            part, _, name = setting.partition(".")
            if name not in NOT_IN_TRAINING.get(part, ()):  # else another title
                note(f"was trained with other settings than run.json says: {setting} {what}")


def _check_claims(path: Path, verdict: Verdict) -> None:
    """Whether claims.csv, if there is one, is of today's form and claims."""
    if not path.is_file():
        return
    stored, today = numbers.read_table(path), pd.DataFrame(claims.load()).fillna("")
    said = ["id", "paper", "section", "claim", "extension", "circular"]
    if list(stored.columns) != claims.COLUMNS:
        verdict.note("stale", path.name, "its columns are not today's; run 90_summary again")
    elif stored[said].to_dict("records") != today[said].to_dict("records"):
        verdict.note("stale", path.name, "data/claims.yaml has changed since; run 90_summary again")


def _measured(line: dict[str, str], runs: _Runs) -> numbers.Number | None:
    """A number of a table from the runs that its row names, None where one of them is damaged."""
    table = TABLES[line["paper"], line["item"]]
    cell = table.cells[line["row"], line["column"]]
    trained = EXPERIMENTS[cell.experiment].trained
    seeds = [int(seed) for seed in line["seeds"].split()] if trained else [0]
    if not seeds:
        raise ValueError("names no seed, so nothing to compute it from")
    rests = tuple(f"runs/{cell.experiment}/seed{seed}" for seed in seeds)
    runs.verdict.rests_on[numbers.name_of(line)] = rests
    found = [runs.get(cell.experiment, seed) for seed in seeds]
    return number((line["row"], line["column"]), cell, found) if all(found) else None


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser("python -m lib.verify", description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="results of a profile, e.g. results/smoke")
    parser.add_argument("--data", help="data root; default $IR_DATA, else data/")
    parser.add_argument("--allow-stale", action="store_true",
                        help="print what is stale, but do not fail for it")
    options = parser.parse_args(arguments)
    folder = options.results.resolve()
    if not folder.is_dir():
        parser.error(f"there are no results in {options.results}")
    os.environ["IR_RESULTS"] = str(folder.parent)
    try:
        verdict = verify(folder.name, options.data)
        _check_claims(folder / "claims.csv", verdict)
    except (ValueError, FileNotFoundError) as problem:
        parser.error(str(problem))
    for problem in verdict.problems:
        print(problem)
    print(f"{verdict.recomputed} numbers computed again from what is stored")
    if verdict.measured_once:
        print(f"measured once, nothing to compute from: {', '.join(verdict.measured_once)}")
    if verdict.unchecked_data:
        print(f"not under the data root, so not compared: {', '.join(verdict.unchecked_data)}")
    if rest_on_stale := verdict.stale():
        print(f"{len(rest_on_stale)} numbers rest on what is stale")
    stale = sum(problem.kind == "stale" for problem in verdict.problems)
    wrong = len(verdict.problems) - stale
    print(f"{wrong} problems, {stale} stale sources")
    return int(bool(wrong or (stale and not options.allow_stale)))


if __name__ == "__main__":
    sys.exit(main())
