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
from lib.results.runs import read_run
from lib.training import record

EARLY = ("numbers.csv", "claims.csv", "tables", "figures")  # what there is before all is done
COPIED = (*EARLY, "report")
OF_EACH_RUN = ("history.csv", "test_images.csv")
OF_FIRST_SEED = ("samples.png", "attention.npz")
KIT = "../../../.."  # from executed/ of what is published
LARGE = 40e6  # bytes of all published results, above which a repository gets unpleasant to clone
LARGE_NOTEBOOKS = 8e6  # of a profile's executed notebooks, with the figures in them


def publish(profile: str) -> str:
    """Replace the published results of a profile as a whole; returns what to tell about it.

    Published runs that are not here stay; as long as there is no report, which is written last, so
    does all else that is not here yet. A kill leaves what was there or the new. The checksums of a
    record are those of what is published; links of the report to what is not are taken off.
    Raises FileNotFoundError where there is nothing to publish, record.Damaged where a run is not
    whole.
    """
    results, target = paths.results_dir(profile), paths.published_dir(profile)
    done = paths.run_folders(results)
    whole = (results / "report/index.html").is_file()
    if not done and not (results / "numbers.csv").is_file():
        raise FileNotFoundError(f"there is neither {results / 'numbers.csv'} nor a run: run "
                                f"./run_all.sh --profile {profile} first")
    new, old = (target.with_name(f".{profile}.{age}") for age in ("new", "old"))
    if old.is_dir() and not target.is_dir():  # killed between the two moves below
        old.rename(target)
    for left_by_a_kill in (new, old):
        shutil.rmtree(left_by_a_kill, ignore_errors=True)
    new.mkdir(parents=True)
    # as long as not all is done, what is here goes over what was there
    sources = {results: COPIED} if whole else {target: COPIED, results: EARLY}
    executed: dict[str, str] = {}
    for source, names in sources.items():
        for path in (source / name for name in names):
            if path.is_dir():
                shutil.copytree(path, new / path.name, ignore=shutil.ignore_patterns(".*"),
                                dirs_exist_ok=True)
            elif path.exists():
                shutil.copy(path, new)
        for path in source.glob("executed/[!.]*.ipynb"):
            if text := _for_readers(path):
                executed[path.name] = text
    for name, text in executed.items():
        write_text(new / "executed" / name, _with_links(text, executed))
    for folder in done:
        to = new / folder.relative_to(results)
        _copy_run(folder, to, first=not to.parent.is_dir())
    for folder in paths.run_folders(target):
        if not (kept := new / folder.relative_to(target)).is_dir():
            shutil.copytree(folder, kept)
    for page in new.glob("report/**/*.html") if whole else ():
        inside = page.relative_to(new)
        _mend_links(page, results / inside, target / inside, results)
    if target.is_dir():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    what = "" if whole else " (as far as it goes: there is no report yet)"
    told = f"published {profile} in {target}{what}: {_size(target) / 1e6:.1f} MB"
    for name, folder, limit in (("all published results", target.parent, LARGE),
                                ("its notebooks", target / "executed", LARGE_NOTEBOOKS)):
        if (size := _size(folder)) > limit:
            told += f"; WARNING: {name} are {size / 1e6:.1f} MB"
    return told


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


def _copy_run(folder: Path, to: Path, first: bool) -> None:
    known = read_run(folder).record
    wanted = (*OF_EACH_RUN, *(OF_FIRST_SEED if first else ()))
    files = known["files"]
    weights = {name: of for name, of in files.items() if name in record.STORED_WEIGHTS}
    known["unpublished"] = known.get("unpublished", {}) | weights
    known["files"] = {name: of for name, of in files.items() if name in wanted}
    to.mkdir(parents=True)
    for name in known["files"]:
        shutil.copy(folder / name, to)
    write_text(to / "run.json", json.dumps(known, indent=1) + "\n")


def _for_readers(notebook: Path) -> str:
    """A notebook as it ran, without what papermill notes and without places of this machine; of a
    widget the picture beside it. Empty where it did not come to its end."""
    try:
        read = json.loads(notebook.read_text(encoding="utf-8"))
    except ValueError:  # killed while it was written
        return ""
    noted = read["metadata"].pop("papermill", {"end_time": "published before"})
    if not noted["end_time"] or noted.get("exception"):
        return ""
    read["metadata"].pop("widgets", None)
    for cell in read["cells"]:
        for key in ("papermill", "execution"):
            cell["metadata"].pop(key, None)
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    text = json.dumps(read, indent=1, ensure_ascii=False) + "\n"
    text = re.sub(r"/[\w/.-]+/ipykernel_\d+/\d+\.py", "cell.py", text)  # where warnings arose
    places = {noted.get("parameters", {}).get("data"): "data", str(notebook.parents[2]): "results",
              sys.prefix: ".venv", str(paths.REPO): ".", str(Path.home()): "~"}
    for place in sorted(filter(None, places), key=len, reverse=True):  # what lies in another first
        text = re.sub(rf"(?<![\w.]){re.escape(place)}(?![\w-])", places[place], text)
    return text


def _with_links(text: str, published: Container[str]) -> str:
    """A notebook with links that lead from executed/ of the published results to what they led to
    from notebooks/. Those to notebooks that are `published` as well stay, as do those of a notebook
    that was published before."""

    def mended(match: re.Match) -> str:
        file, hash_, part = match[1].partition("#")
        there = Path(os.path.normpath(paths.NOTEBOOKS / file))
        inside = there.is_relative_to(paths.REPO) and there.exists()
        if not file or file in published or not inside:
            return match[0]
        return f"]({KIT}/{there.relative_to(paths.REPO).as_posix()}{hash_}{part})"

    read = json.loads(text)
    for cell in read["cells"]:
        if cell["cell_type"] == "markdown":
            mended_text = re.sub(r"\]\(([^)\s]+)\)", mended, "".join(cell["source"]))
            cell["source"] = mended_text.splitlines(keepends=True)
    return json.dumps(read, indent=1, ensure_ascii=False) + "\n"


def _mend_links(page: Path, source: Path, target: Path, results: Path) -> None:
    """Make a copied page's links to outside of the results right, and text of those to what is not
    published. `source`: what it is a copy of; `target`: where it is going to be."""

    def mended(match: re.Match) -> str:
        link, hash_, part = match[1].partition("#")
        there = (source.parent / link).resolve()
        if not link or ":" in link or (page.parent / link).exists():
            return match[0]
        if there.exists() and not there.is_relative_to(results):
            return f' href="{os.path.relpath(there, target.parent)}{hash_}{part}"'
        return ""

    text = page.read_text(encoding="utf-8")
    write_text(page, re.sub(r' href="([^"]*)"', mended, text))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

