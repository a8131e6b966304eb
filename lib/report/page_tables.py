"""The papers' tables as the report's page shows them: each number of numbers.csv beside ours."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase

import pandas as pd

from lib.report.wording import cell_anchor, in_words, run_anchor, slug, title
from lib.results.numbers import name_of
from lib.results.runs import Run, measure
from lib.results.tables import FITTED, TABLES, notebook_of

ABOUT = ("n_images", "dataset", "seeds")  # what a number was measured on

Line = Mapping[str, str]  # a row of numbers.csv
Runs = Mapping[str, Sequence[Run]]  # by experiment


def make_tables(
    numbers: pd.DataFrame, rests_on: Mapping[str, Sequence[str]],
    problems: Mapping[str, Sequence[str]], recorded: Runs,
) -> list[dict]:
    """All tables of both papers, each followed by its paper's percentages of the prose.

    numbers: numbers.csv as text. `rests_on`: name of a number (`2dgan/table4/AG/C5`) -> its runs;
    `problems`: run that is there -> what is wrong with it.
    `rows` of a table are (name, cells), None for a cell that is left blank. A cell is its line of
    numbers.csv with `anchor`, `side` and `difference`, `spread`, `about` (where its table does not
    say that of all its cells), `note` (number of the table's note), `origins` and `stale`.
    """
    tables = []
    for (paper, item), part in numbers.groupby(["paper", "item"], sort=False):
        notes = list(dict.fromkeys(filter(None, part["why"])))
        given = {field: set(part[field]) - {""} for field in ABOUT}
        common = {field: values.pop() for field, values in given.items() if len(values) == 1}
        cells = {}
        for line in part.to_dict("records"):
            runs = rests_on.get(name_of(line), ())
            there = [run for run in runs if run in problems]
            origins = origins_of(line, there, recorded)
            side, apart = difference(line)
            stale = not origins or any(problems.get(run, True) for run in runs)
            cells[line["row"], line["column"]] = line | {
                "anchor": cell_anchor(paper, "{item}/{row}/{column}".format(**line)),
                "side": side, "difference": apart, "spread": spread(line), "origins": origins,
                "about": about({field: line[field] for field in ABOUT if field not in common}),
                "note": notes.index(line["why"]) + 1 if line["why"] else None,
                "stale": side != "missing" and stale,
            }
        rows, columns = part["row"].unique(), part["column"].unique()
        tables.append({
            "anchor": slug(f"{paper}-{item}"), "title": title(paper, item), "paper": paper,
            "name": f"{paper}_{item}", "notebook": notebook_of(paper, item), "notes": notes,
            "about": about(common), "columns": columns, "cells": cells.values(),
            "rows": [(row, [cells.get((row, column)) for column in columns]) for row in rows],
        })
    return tables


def origins_of(line: Line, runs: Sequence[str], recorded: Runs) -> list[tuple[str, str]]:
    """(text, anchor) of what a number comes from: two other numbers, a notebook that counts, or a
    run for each seed, with what that seed gave."""
    paper, item = line["paper"], line["item"]
    if not line["reproduced"]:
        return []
    if item == "prose":
        cells = line["source"].split(", ")
        return [(in_words(cell, paper), cell_anchor(paper, cell)) for cell in cells]
    if TABLES[paper, item].counted:
        return [("", f"notebook-{notebook_of(paper, item)}")]
    cell, gave, found = TABLES[paper, item].cells[line["row"], line["column"]], {}, []
    with suppress(ValueError):  # there is none, or `lib.verify` tells what is wrong
        gave = measure(cell, [run for run in recorded.get(cell.experiment, ())
                              if run.source.removesuffix("/run.json") in runs]).mean()
    for run in runs:
        seed = int(run.partition("/seed")[2])
        value = f": {gave[seed]:.{_decimals(line)}f}" if seed in gave else ""
        found.append((f"seed {seed}{value}", run_anchor(run)))
    return found


def difference(line: Line) -> tuple[str, str]:
    """On which side of the paper's number ours lies, and by how much, as text. `same` where the
    paper's number lies within our interval, or ours rounds to it; `fitted` where it does because we
    chose so (FITTED)."""
    if not line["reproduced"]:
        return "missing", ""
    paper, ours = float(line["reported"]), float(line["reproduced"])
    decimals = _decimals(line)
    apart = ours - paper
    shown = f"{apart:+.{decimals}f}"
    if line["item"] == "prose":
        shown += " points"
    elif paper:
        percent = 100 * apart / abs(paper)
        shown += f" ({percent:+.{0 if abs(percent) >= 10 else 1}f} %)"
    side, sign = ("above", "▲") if apart > 0 else ("below", "▼")
    within = line["ci_low"] and float(line["ci_low"]) <= paper <= float(line["ci_high"])
    if within or round(ours, decimals) == paper:
        fitted = any(fnmatchcase(name_of(line), pattern) for pattern in FITTED)
        side, sign = ("fitted", "≈ fitted") if fitted else ("same", "≈")
    return side, f"{sign} {shown}".replace("-", "−")


def spread(line: Line) -> str:
    """The 95 % interval, rounded as the paper rounds, else the standard deviation."""
    low, high, sd = (line[name] and f"{float(line[name]):.{_decimals(line)}f}"
                     for name in ("ci_low", "ci_high", "sd"))
    return f"{low} to {high}" if low else f"sd {sd}" if sd else ""


def about(given: Line) -> str:
    """How many images, which data set and seeds: what stands behind a number."""
    images, dataset, seeds = (given.get(field, "") for field in ABOUT)
    seeds = re.sub(r"(?<=\d) ", ", ", seeds.replace(" / ", "/"))
    said = images and f"{images} image{'s' * (images != '1')}", dataset, seeds and f"seed {seeds}"
    return ", ".join(filter(None, said))


def _decimals(line: Line) -> int:
    """How many the paper prints."""
    return len(line["reported"].partition(".")[2])
