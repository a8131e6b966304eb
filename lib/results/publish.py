"""Readers' copy of a profile's results, without weights: ./run_all.sh --profile P --publish.

numbers.csv, claims.csv, tables, figures, the report, the notebooks as they ran, and of each run its
record, history and metrics of the test images; of the first seed its sample images and attention
maps as well.

Runs that take days are made on several machines: what one has published another takes for its own
(./run_all.sh --profile P --take-published) and goes on from there.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Container
from pathlib import Path

from lib import paths
from lib.files import write_text
from lib.results.runs import Run, read_run
from lib.training import record

EARLY = ("numbers.csv", "claims.csv", "tables", "figures")  # what there is before all is done
COPIED = (*EARLY, "report")
OF_EACH_RUN = ("history.csv", "test_images.csv")
OF_FIRST_SEED = ("samples.png", "attention.npz")
KIT = "../../../.."  # from executed/ of what is published


def publish(profile: str) -> str:
    """Copy what readers need of a profile to its published results; returns what to tell about it.

    Published runs that are not here stay, and complete ones that are stopped here; as long as there
    is no report, which is written last, so does all else. What was there before is in git, and a
    kill is mended by the next call. The checksums of a record are those of what is published; links
    of the report to what is not are taken off. Raises FileNotFoundError where there is nothing to
    publish, record.Damaged where a run is not whole.
    """
    results, target = paths.results_dir(profile), paths.published_dir(profile)
    runs = [read_run(folder) for folder in paths.run_folders(results)]
    whole = (results / "report/index.html").is_file()
    if not runs and not (results / "numbers.csv").is_file():
        raise FileNotFoundError(f"there is neither {results / 'numbers.csv'} nor a run: run "
                                f"./run_all.sh --profile {profile} first")
    target.mkdir(parents=True, exist_ok=True)
    for name in ("tables", "figures", "report", "executed") if whole else ():
        shutil.rmtree(target / name, ignore_errors=True)
    for path in (results / name for name in (COPIED if whole else EARLY)):
        if path.is_dir():
            shutil.copytree(path, target / path.name, ignore=shutil.ignore_patterns(".*"),
                            dirs_exist_ok=True)
        elif path.exists():
            shutil.copy(path, target)
    executed = {path.name: path for path in results.glob("executed/[!.]*.ipynb")}
    for name, path in executed.items():
        if text := _for_readers(path, executed):
            write_text(target / "executed" / name, text)
    firsts = {run.folder.parent: run.folder for run in reversed(runs)}.values()
    for run in runs:
        to = target / run.folder.relative_to(results)
        if run.record["status"] == "complete" or not record.is_complete(to):
            _copy_run(run, to, run.folder in firsts)
    if whole:
        page = "report/index.html"
        _mend_links(target / page, results / page, results)
    what = "" if whole else " (as far as it goes: there is no report yet)"
    return f"published {profile} in {target}{what}"


def take_published(profile: str) -> str:
    """Copy the published runs of a profile to where runs are made, where they are not there yet;
    returns what to tell about it. Whether they are of today's code, settings and data is asked of
    them as of all runs. Raises record.Damaged where one is not whole."""
    results, target = paths.results_dir(profile), paths.published_dir(profile)
    taken = 0
    for folder in paths.run_folders(target):
        to = results / folder.relative_to(target)
        if not (to / "run.json").is_file():
            read_run(folder)  # raises where it is not whole
            to.mkdir(parents=True, exist_ok=True)
            for file in sorted(folder.iterdir(), key=lambda file: file.name == "run.json"):
                shutil.copy(file, to)  # the record last
            taken += 1
    return f"took {taken} published runs of {profile} into {results}"


def _copy_run(run: Run, to: Path, first: bool) -> None:
    known, wanted = run.record, (*OF_EACH_RUN, *(OF_FIRST_SEED if first else ()))
    files = known["files"]
    weights = {name: of for name, of in files.items() if name in record.STORED_WEIGHTS}
    known["unpublished"] = known.get("unpublished", {}) | weights
    known["files"] = {name: of for name, of in files.items() if name in wanted}
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for name in known["files"]:
        shutil.copy(run.folder / name, to)
    write_text(to / "run.json", json.dumps(known, indent=1) + "\n")


def _for_readers(notebook: Path, published: Container[str]) -> str:
    """A notebook as it ran, without what papermill notes and without places of this machine; of a
    widget the picture beside it. Links to notebooks that are `published` as well stay, others lead
    to what they led to from notebooks/. Empty where it did not come to its end."""

    def mended(match: re.Match) -> str:
        file, hash_, part = match[1].partition("#")
        there = Path(os.path.normpath(paths.NOTEBOOKS / file))
        inside = there.is_relative_to(paths.REPO) and there.exists()
        if not file or file in published or not inside:
            return match[0]
        return f"]({KIT}/{there.relative_to(paths.REPO).as_posix()}{hash_}{part})"

    try:
        read = json.loads(notebook.read_text(encoding="utf-8"))
    except ValueError:  # killed while it was written
        return ""
    noted = read["metadata"].pop("papermill", {"end_time": "run without papermill"})
    if not noted["end_time"] or noted.get("exception"):
        return ""
    read["metadata"].pop("widgets", None)
    for cell in read["cells"]:
        for key in ("papermill", "execution"):
            cell["metadata"].pop(key, None)
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
        if cell["cell_type"] == "markdown":
            text = re.sub(r"\]\(([^)\s]+)\)", mended, "".join(cell["source"]))
            cell["source"] = text.splitlines(keepends=True)
    text = json.dumps(read, indent=1, ensure_ascii=False) + "\n"
    text = re.sub(r"/[\w/.-]+/ipykernel_\d+/\d+\.py", "cell.py", text)  # where warnings arose
    places = {noted.get("parameters", {}).get("data"): "data", str(notebook.parents[2]): "results",
              sys.prefix: ".venv", str(paths.REPO): ".", str(Path.home()): "~"}
    places.pop("/", None)  # of who has no home
    for place in sorted(filter(None, places), key=len, reverse=True):  # what lies in another first
        text = re.sub(rf"(?<![\w.]){re.escape(place)}(?![\w-])", places[place], text)
    return text


def _mend_links(page: Path, source: Path, results: Path) -> None:
    """Make the links of a copied page to outside of the results right, and text of those to what is
    not published. `source`: what it is a copy of."""

    def mended(match: re.Match) -> str:
        link, hash_, part = match[1].partition("#")
        there = (source.parent / link).resolve()
        if not link or ":" in link or (page.parent / link).exists():
            return match[0]
        if there.exists() and not there.is_relative_to(results):
            return f' href="{os.path.relpath(there, page.parent)}{hash_}{part}"'
        return ""

    write_text(page, re.sub(r' href="([^"]*)"', mended, page.read_text(encoding="utf-8")))
