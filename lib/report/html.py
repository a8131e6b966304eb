"""All results of a profile as one page: results/<profile>/report/index.html.

    python -m lib.report.html smoke                  the page
    python -m lib.report.html smoke --notebooks      and the executed notebooks as HTML beside it

The page needs no network and no scripts. Each number on it is the text of numbers.csv and leads to
the training run, or to the notebook, that it comes from.
"""

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import jinja2
import markupsafe
import pandas as pd
import yaml

from lib.papers import reported
from lib.papers.audit import audit_table
from lib.files import write_text
from lib.paths import NOTEBOOKS, REPO, results_dir
from lib.training.profiles import profile as profile_named
from lib.provenance import git_commit
from lib.report.anchors import TITLES, natural, slug
from lib.report.entries import data_sets, machines, read_made, read_runs
from lib.papers.ledger import read_ledger
from lib.report.page_tables import make_tables
from lib.report.thumbnails import embed
from lib.results.stored import Stored
from lib.verify import verify
from lib.results.sources import Today
from lib.running.workflow import NOTEBOOKS as WORKFLOW, TRAIN

PAGE = Path(__file__).parent / "page"
MAX_BYTES = 2_000_000
VERDICTS = {  # first word of a verdict of lib.results.claims or lib.papers.audit: (sign, class of style.css)
    "reproduced": ("✓", "good"), "holds": ("✓", "good"), "consistent": ("✓", "good"),
    "contradicted": ("✗", "bad"), "inconsistent": ("✗", "bad"), "fails": ("✗", "bad"),
    "undecided": ("~", "open"), "not": ("–", "none"),
}  # fmt: skip


def write_report(profile: str, data: str | Path | None = None) -> Path:
    """Write the page of a profile and return it.

    data: the data root, to see whether data have changed since; default `$IR_DATA`, else data/.
    Raises FileNotFoundError without a numbers.csv, ValueError for a page of 2 MB or more.
    """
    results = results_dir(profile)
    if not (results / "numbers.csv").is_file():
        raise FileNotFoundError(
            f"{results / 'numbers.csv'} is not there: run ./run_all.sh --profile {profile} first"
        )
    folder = results / "report"
    numbers = pd.read_csv(results / "numbers.csv", dtype=str, keep_default_na=False)
    today = Today(data)
    runs, made = read_runs(results, numbers, today), read_made(results, numbers, today)
    measured = Stored(profile).all_measured()
    of_seeds = {name: known.values.mean().tolist() for name, known in measured.items()}
    tables = make_tables(numbers, runs, made, of_seeds)
    verdict = verify(profile, data)
    figures = list_figures(results)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(PAGE), autoescape=True,
                                     trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"sign": sign, "slug": slug, "breakable": breakable, "count": count}
    text = environment.get_template("index.html.j2").render(
        profile=profile, titles=TITLES, commit=git_commit(), style=_style(), tables=tables,
        cells=[cell for table in tables for cell in table.cells()],
        measured_on=[name for name in numbers["dataset"].unique() if name],
        verified=verdict, problems=[p for p in verdict.problems if p.kind != "stale"],
        claims=read_claims(results), audit=audit_table().to_dict("records"),
        ledger=read_ledger(folder), runs=runs, made=made,
        data_sets=data_sets(runs, made, today), machines=machines(runs),
        extras=read_extras(results), tests=read_tests(results), notebooks=list_notebooks(folder),
        figures=[{"file": f"../figures/{path.name}", "caption": caption(path.stem), "uri": uri}
                 for path, uri in zip(figures, embed(figures), strict=True)],
    )  # fmt: skip
    if len(text.encode()) >= MAX_BYTES:
        raise ValueError(f"the page has {len(text.encode())} bytes, more than {MAX_BYTES}")
    return write_text(folder / "index.html", text)


def read_claims(results: Path) -> list[dict] | None:
    """The judged claims, None where they were not judged."""
    path = results / "claims.csv"
    if not path.is_file():
        return None
    return pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")


def read_extras(results: Path) -> list[tuple[str, list[str], list[list[str]]]]:
    """(name, header, rows) of what was measured besides the papers' tables."""
    parts = {"_".join(pair) for pair in reported.load()[["paper", "item"]].to_numpy()}
    return [
        read_table(path) for path in sorted(results.glob("tables/*.csv"), key=natural)
        if path.stem not in parts and "_tests" not in path.stem
        and not path.with_suffix(".json").is_file()  # metrics of single images
    ]  # fmt: skip


def read_tests(results: Path) -> dict[str, list]:
    """Anchor of a table -> its paired tests, as `read_extras` has tables."""
    found = {}
    for path in sorted(results.glob("tables/*_tests*.csv"), key=natural):
        paper, item = path.stem.partition("_tests")[0].rsplit("_", 1)
        found.setdefault(slug(f"{paper}-{item}"), []).append(read_table(path))
    return found


def read_table(path: Path) -> tuple[str, list[str], list[list[str]]]:
    """(name, header, rows) of a CSV file, as text."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return path.name, list(frame.columns), frame.to_numpy().tolist()


def list_figures(results: Path) -> list[Path]:
    """All figures, by paper, the numbered ones first."""
    found = [*results.glob("figures/*.png"), *results.glob("figures/*.svg")]
    return sorted(found, key=lambda path: (
        path.stem.split("_")[0], "_fig" not in path.stem, natural(path)))


def caption(name: str) -> str:
    """What a figure shows: page/captions.yaml, else its name in words."""
    known = yaml.safe_load((PAGE / "captions.yaml").read_text(encoding="utf-8"))
    return next((text for pattern, text in known.items() if fnmatchcase(name, pattern)),
                name.replace("_", " "))


def list_notebooks(folder: Path) -> list[dict]:
    """The notebooks in their order; `source` and `html` are links, empty where there is none."""
    inside = folder.is_relative_to(REPO)
    return [{
        "name": notebook.name, "title": notebook.title,
        "source": os.path.relpath(NOTEBOOKS / f"{notebook.name}.ipynb", folder) if inside else "",
        "html": f"notebooks/{notebook.name}.html"
                if (folder / "notebooks" / f"{notebook.name}.html").is_file() else "",
    } for notebook in WORKFLOW]  # fmt: skip


def write_notebooks(profile: str, training: bool = True) -> list[Path]:
    """Executed notebooks as HTML that needs no network: report/notebooks/<name>.html.

    A page that is newer than its executed copy is left alone, and so is the notebook that is still
    running: the summary calls this, for the notebooks of tables and figures.
    """
    import nbformat
    from nbconvert import HTMLExporter  # takes a while to import

    exporter = HTMLExporter(mathjax_url="", require_js_url="", mermaid_js_url="",
                            mermaid_layout_elk_js_url="")  # scripts that would be fetched
    written = []
    for path in sorted(results_dir(profile).glob("executed/*.ipynb")):
        if path.stem.startswith(TRAIN) and not training:
            continue
        page = results_dir(profile) / "report" / "notebooks" / f"{path.stem}.html"
        if page.is_file() and page.stat().st_mtime >= path.stat().st_mtime:
            continue
        notebook = nbformat.read(path, as_version=4)
        if notebook.metadata.get("papermill", {}).get("end_time", "") is None:
            continue
        text, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": path.stem}})
        written.append(write_text(page, text.replace('<script src=""></script>', "")))
    return written


def sign(verdict: str) -> tuple[str, str]:
    """Sign and colour class of a verdict such as "not testable"."""
    return VERDICTS.get(verdict.split(" ")[0], ("•", "open"))


def breakable(text: str) -> markupsafe.Markup:
    """Names such as Ours(GN_CycleGAN+resnet_9blocks) may break at signs."""
    return markupsafe.Markup(re.sub(r"([+_]|(?=\())", r"\1<wbr>", str(markupsafe.escape(text))))


def count(values: Iterable[str]) -> Counter:
    """How often each value stands there; verdicts in the order of VERDICTS."""
    order = list(VERDICTS)
    return Counter(sorted(values, key=lambda text: (
        order.index(text.split(" ")[0]) if text.split(" ")[0] in order else -1, text)))


def _style() -> markupsafe.Markup:
    return markupsafe.Markup((PAGE / "style.css").read_text(encoding="utf-8"))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.report.html", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", help="a profile's name, or its folder, e.g. results/smoke")
    parser.add_argument("--data", help="data root; default $IR_DATA, else data/")
    parser.add_argument("--notebooks", action="store_true",
                        help="make pages of all executed notebooks as well, trainings too")
    given = parser.parse_args(arguments)
    profile = Path(given.profile).name
    if "/" in given.profile:
        os.environ["IR_RESULTS"] = str(Path(given.profile).resolve().parent)
    try:
        profile_named(profile)
        if given.notebooks:
            print(f"{len(write_notebooks(profile))} notebooks converted")
        page = write_report(profile, given.data)
    except (ValueError, FileNotFoundError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(f"{page} ({page.stat().st_size / 1e6:.2f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
