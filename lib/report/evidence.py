"""What stands behind the numbers of a profile and beside them, as the report's page lists it."""

import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd
import yaml
from markupsafe import Markup

from lib.paths import results_dir, run_folders
from lib.provenance import digest
from lib.report.wording import TITLES, natural, run_anchor, slug, title
from lib.results.compare import compact
from lib.results.numbers import read_table
from lib.results.runs import Run, results_of
from lib.results.tables import TABLES
from lib.training import record
from lib.training.experiments import EXPERIMENTS
from lib.verify import Verdict

PAGE = Path(__file__).parent / "page"
CAPTIONS = yaml.safe_load((PAGE / "captions.yaml").read_text(encoding="utf-8"))
FILES = ("run.json", "history.csv", "test_images.csv", "samples.png", "attention.npz")


def read_runs(profile: str, verdict: Verdict) -> list[dict]:
    """All runs of a profile, in the order of EXPERIMENTS, by seed. Of each: `where` it is
    (`runs/C5/seed0`), `anchor`, `record` (None where it cannot be read), `problems` (why it is
    stale or not whole), `machine` (an anchor), `files` and `used_in`, the tables with numbers that
    rest on it: (text, link) each."""
    used, found = defaultdict(dict), []
    for name, runs in verdict.rests_on.items():
        paper, item, *_ = name.split("/")
        for where in runs:
            used[where][title(paper, item), f"#{slug(f'{paper}-{item}')}"] = None
    for folder in (folder for name in EXPERIMENTS
                   for folder in run_folders(results_of(profile, name), name)):
        where = f"runs/{folder.parent.name}/{folder.name}"
        link = os.path.relpath(folder, results_dir(profile) / "report")
        known = None
        with suppress(record.Damaged):
            known = record.read(folder)
        found.append({
            "where": where, "anchor": run_anchor(where), "record": known,
            "problems": [problem.what for problem in verdict.problems if problem.where == where],
            "machine": known and f"machine-{digest([known['device'], known['versions']])}",
            "files": [(name, f"{link}/{name}") for name in FILES if (folder / name).is_file()],
            "used_in": list(used[where]),
        })
    return found


def data_sets(runs: Iterable[dict], absent: Collection[str]) -> list[tuple[str, str, str]]:
    """(names, fingerprint, whether it is so today) of all data that runs were made with. Data that
    are divided in two ways have two names and one fingerprint. absent: names of those that were not
    there to compare."""
    names, states = defaultdict(dict), {}
    for run in (run for run in runs if run["record"]):
        name, fingerprint = run["record"]["dataset"], run["record"]["data_fingerprint"]
        names[fingerprint][name] = None
        if any("data changed" in problem for problem in run["problems"]):
            states[fingerprint] = "CHANGED since"
        if name in absent:
            states[fingerprint] = "not under the data root, so not compared"
    return sorted(("; ".join(names[key]), key, states.get(key, "unchanged")) for key in names)


def stages(results: Path) -> list[dict]:
    """What each job of run_all.sh took where it had most to do, by its stamp: `name`, `what` there
    was to do, `seconds`, peak `memory_mb` and `written_mb` to the disk, both in MiB."""
    found = []
    for path in sorted(results.glob("stamps/*.*.json"), key=natural):
        with suppress(ValueError, LookupError, TypeError, AttributeError):  # its job runs again
            stamp = json.loads(path.read_text(encoding="utf-8"))
            what = max(stamp["seconds"], key=stamp["seconds"].get)
            took = {kind: stamp[kind][what] for kind in ("seconds", "memory_mb", "written_mb")}
            found.append({"name": stamp["name"], "what": what, **took})
    return found


def further_tables(results: Path) -> list[tuple[str, str, str, Markup]]:
    """(anchor, file name, caption, HTML) of what was measured besides the papers' tables. The
    anchor is that of the table which paired tests belong to, else empty."""
    printed = {"_".join(key): slug("-".join(key)) for key in TABLES}
    paths = sorted(results.glob("tables/*.csv"), key=natural)
    return [(printed.get(path.stem.partition("_tests")[0], ""), path.name, caption(path.stem),
             table_html(path)) for path in paths if path.stem not in printed]


def table_html(path: Path) -> Markup:
    """A CSV file as an HTML table, its text unchanged but for means, which stand in one cell with
    their intervals (`lib.results.compare.compact`)."""
    frame = read_table(path)
    means = [name for name in frame if f"{name} low" in frame]
    numeric = [f"{name}{end}" for name in means for end in ("", " low", " high")]
    frame[numeric] = frame[numeric].apply(pd.to_numeric)
    frame = compact(frame.set_index(frame.columns[0]))
    frame = frame.rename_axis(index=None, columns=frame.index.name)
    return Markup(frame.to_html(border=0))


def protocols(recorded: Mapping[str, Sequence[Run]]) -> dict[str, list[dict]]:
    """What the networks of each paper's tables were trained for: one line a data set, with its
    `name`, the `tables`, how many test `images`, what `shares` of the paper's protocol, and with
    how many `seeds` each."""
    rows = [
        (paper, run.dataset, item.removeprefix("table"), run.share, str(len(run.test_images)),
         str(len(recorded[name])))
        for (paper, item), table in TABLES.items() for name in table.experiments
        for run in recorded.get(name, ()) if run.trained
    ]
    frame = pd.DataFrame(rows, columns=["paper", "name", "tables", "shares", "images", "seeds"])
    lines = frame.groupby(["paper", "name"], sort=False).agg(
        lambda its: ", ".join(sorted(its.unique(), key=natural)))
    lines = lines.reset_index().to_dict("records")
    return {paper: [line for line in lines if line["paper"] == paper] for paper in TITLES}


def list_figures(results: Path) -> list[Path]:
    """All figures, by paper, the numbered ones first."""
    return sorted(results.glob("figures/*.[ps][nv]g"), key=lambda path: (
        path.stem.split("_")[0], "_fig" not in path.stem, natural(path)))


def caption(name: str) -> str:
    """What a figure or a table shows: page/captions.yaml, else its name in words."""
    return next((text for pattern, text in CAPTIONS.items() if fnmatchcase(name, pattern)),
                name.replace("_", " "))
