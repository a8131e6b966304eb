"""All results of a profile as one page: results/<profile>/report/index.html.

    python -m lib.report.html smoke

The page needs no network, and may be copied with the rest of results/<profile>: it links to nothing
outside but published runs, where none were made here. Each number on it is the text of tables/*.csv
(where numbers.csv differs, it says so) and leads to the run, or the notebook, that it comes from.
What is folded opens by itself where a link leads into it, by the one script there is; without it
everything can be opened by hand.
"""

import argparse
import os
import sys
from pathlib import Path

import jinja2
from markupsafe import Markup

from lib.files import write_text
from lib.papers.audit import audit_table
from lib.papers.ledger import read_ledger
from lib.paths import results_dir
from lib.printing import clock
from lib.provenance import git_commit
from lib.report import wording
from lib.report.argument import argument
from lib.report.evidence import (
    PAGE, caption, data_sets, further_tables, list_figures, protocols, read_runs, stages,
)
from lib.report.page_tables import make_tables
from lib.results.claims import COLUMNS as OF_CLAIMS, recorded_runs
from lib.results.numbers import merge, parts, read_table
from lib.results.tables import NOTEBOOKS
from lib.training.profiles import profile as profile_named
from lib.verify import verify

SHOWN_FIRST = ("2dgan_fig10", "gn_fig8")  # the figures that are not folded: each paper's ablation


def write_report(profile: str, data: str | Path | None = None) -> Path:
    """Write the page of a profile and return it.

    data: the data root, to see whether data have changed since; default `$IR_DATA`, else data/.
    Raises FileNotFoundError without a numbers.csv, ValueError for a claims.csv of another form.
    """
    results = results_dir(profile)
    if not (results / "numbers.csv").is_file():
        raise FileNotFoundError(f"{results / 'numbers.csv'} is not there: run ./run_all.sh "
                                f"--profile {profile} first")
    numbers, path = merge(parts(profile)), results / "claims.csv"
    claims = read_table(path) if path.is_file() else None
    if claims is not None and list(claims.columns) != OF_CLAIMS:
        raise ValueError(f"{path} does not have the columns it should have; run "
                         "notebooks/90_summary.ipynb again")
    verdict = verify(profile, data)
    runs = read_runs(profile, verdict)
    recorded = recorded_runs(profile, numbers)
    stale = {run["where"]: run["problems"] for run in runs}
    tables = make_tables(numbers, verdict.rests_on, stale, recorded)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True)
    filters = wording.sign, wording.short, wording.slug, wording.breakable, wording.worded
    environment.filters |= {one.__name__: one for one in (*filters, argument, caption, clock)}
    text = environment.get_template("index.html.j2").render(
        profile=profile, titles=wording.TITLES, groups=wording.GROUPS, commit=git_commit(),
        style=Markup((PAGE / "style.css").read_text(encoding="utf-8")),
        protocols=protocols(recorded), tables=tables,
        cells=[cell for table in tables for cell in table["cells"]],
        verified=verdict, problems=[p for p in verdict.problems if p.kind != "stale"],
        claims=None if claims is None else claims.to_dict("records"),
        audit=audit_table().to_dict("records"), ledger=read_ledger(), runs=runs,
        data_sets=data_sets(runs, verdict.unchecked_data), further=further_tables(results),
        stages=stages(results), figures=list_figures(results), shown_first=SHOWN_FIRST,
        notebooks=NOTEBOOKS, executed=[path.stem for path in results.glob("executed/*.ipynb")],
    )
    return write_text(results / "report" / "index.html", text)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.report.html", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", help="a profile's name, or its folder, e.g. results/smoke")
    parser.add_argument("--data", help="data root; default $IR_DATA, else data/")
    given = parser.parse_args(arguments)
    profile = Path(given.profile).name
    if "/" in given.profile:
        os.environ["IR_RESULTS"] = str(Path(given.profile).resolve().parent)
    try:
        profile_named(profile)
        page = write_report(profile, given.data)
    except (ValueError, FileNotFoundError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(f"{page} ({page.stat().st_size / 1e6:.2f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
