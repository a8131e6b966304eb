"""What the numbers of a profile come from, as the report's page lists it: runs and notebooks."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from lib.paths import NOTEBOOKS
from lib.provenance import python_source
from lib.report.anchors import made_anchor, natural, run_anchor, slug, title
from lib.results.images import read_record
from lib.results.sources import Today, check_source

FILES = ("run.json", "history.csv", "test_images.csv", "samples.png")


@dataclass(frozen=True)
class Run:
    """One training run. `files` and `used_in` are (text, link)."""

    anchor: str
    record: dict
    problems: list[str]  # why it is stale or not whole
    files: list[tuple[str, str]]
    used_in: list[tuple[str, str]]


@dataclass(frozen=True)
class Made:
    """The numbers of a table that no run stands behind: a notebook computed them."""

    anchor: str
    title: str
    table: str  # anchor
    count: int
    notebook: str
    datasets: list[str]
    record: dict | None  # of the stored metrics of images, where there are images
    files: list[tuple[str, str]]
    problems: list[str]


def read_runs(results: Path, numbers: pd.DataFrame, today: Today) -> list[Run]:
    """All training runs of a profile, by experiment and seed."""
    found = []
    for path in sorted(results.glob("runs/*/seed*/run.json"), key=natural):
        where = path.parent.relative_to(results).as_posix()
        same = numbers["source"].str.rpartition("/seed")[0] == where.rpartition("/seed")[0]
        used = numbers.loc[same, ["paper", "item"]].drop_duplicates()
        notebook = f"notebooks/11_train_{where[5:].replace('/', '_')}.html"
        found.append(Run(
            anchor=run_anchor(where), record=json.loads(path.read_text(encoding="utf-8")),
            problems=[problem.what for problem in check_source(results.name, where, today)],
            files=_there(results / "report", {
                **{name: f"../{where}/{name}" for name in FILES}, "notebook": notebook}),
            used_in=[(title(*pair), slug("-".join(pair)))
                     for pair in used.itertuples(index=False)],
        ))  # fmt: skip
    return found


def read_made(results: Path, numbers: pd.DataFrame, today: Today) -> list[Made]:
    """The tables with numbers that no run stands behind, in printed order."""
    untrained = numbers[(numbers["reproduced"] != "") & (numbers["source"] == "")]
    found = []
    for (paper, item), part in untrained.groupby(["paper", "item"], sort=False):
        where = f"tables/{paper}_{item}_images"
        record = read_record(results.name, paper, item)
        found.append(Made(
            anchor=made_anchor(paper, item), title=title(paper, item),
            table=slug(f"{paper}-{item}"), count=len(part), notebook=notebook_of(paper, item),
            datasets=[name for name in part["dataset"].unique() if name], record=record,
            files=_there(results / "report", {
                Path(where).name + end: f"../{where}{end}" for end in (".json", ".csv")}),
            problems=[problem.what for problem in check_source(results.name, where, today)],
        ))  # fmt: skip
    return found


def _there(folder: Path, links: dict[str, str]) -> list[tuple[str, str]]:
    """Those of the relative links that lead from `folder` to a file."""
    return [(text, link) for text, link in links.items()
            if Path(os.path.normpath(folder / link)).is_file()]  # fmt: skip


@cache
def notebook_of(paper: str, item: str) -> str:
    """The notebook that records a table's numbers, empty where none does."""
    call = f'record(profile, "{paper}", "{item}"'
    found = (path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))
             if call in python_source(path))  # fmt: skip
    return next(found, "")


def data_sets(runs: Sequence[Run], made: Sequence[Made], today: Today) -> list[tuple]:
    """(names, fingerprint, whether it is so today) of all data that numbers were measured on.

    Data that are divided in two ways have two names and one fingerprint.
    """
    records = [(entry.record, entry.problems) for entry in (*runs, *made) if entry.record]
    names, states = {}, {}
    for record, problems in records:
        name, changed = record["dataset"], any(p.startswith("data changed") for p in problems)
        state = "CHANGED since" if changed else "unchanged"
        if name in today.absent:
            state = "not under the data root, so not compared"
        states[record["data_fingerprint"]] = state
        names.setdefault(record["data_fingerprint"], {})[name] = None
    return sorted(("; ".join(names[key]), key, state) for key, state in states.items())


def machines(runs: Sequence[Run]) -> list[tuple[str, dict, int]]:
    """(device, versions, number of runs) of each machine that runs were made on."""
    kinds = [(run.record["device"], json.dumps(run.record["versions"])) for run in runs]
    return [(device, json.loads(versions), kinds.count((device, versions)))
            for device, versions in dict.fromkeys(kinds)]
