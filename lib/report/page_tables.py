"""The papers' tables as the report's page shows them: each number of numbers.csv beside ours."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from lib.report.anchors import cell_anchor, made_anchor, run_anchor, slug, title
from lib.report.entries import Made, Run, notebook_of
from lib.results.stored import name_of

ABOUT = ("n_images", "dataset", "seeds")  # the columns that say what a number was measured on


@dataclass(frozen=True)
class Cell:
    """One number: the texts of numbers.csv, and how ours lies to the paper's."""

    anchor: str
    paper: str
    ours: str
    spread: str  # interval or standard deviation, as shown
    side: str  # `above`, `below`, `same` (the paper lies within our interval) or `missing`
    difference: str  # as shown, with its sign
    about: str  # number of images, seeds, data set
    note: int | None  # which of the table's notes explains it
    link: str  # the anchor of its origin
    more: list[tuple[str, str]]  # (text, anchor) of each of several seeds, or of compared cells
    stale: bool


@dataclass(frozen=True)
class Table:
    anchor: str
    title: str
    about: str  # of all its numbers, where it is the same for all
    columns: list[str]
    rows: list[tuple[str, list[Cell | None]]]
    notes: list[str]
    notebook: str

    def cells(self) -> Iterator[Cell]:
        yield from (cell for _, row in self.rows for cell in row if cell)


def make_tables(
    numbers: pd.DataFrame, runs: Sequence[Run], made: Sequence[Made],
    of_seeds: Mapping[str, Sequence[float]],
) -> list[Table]:
    """All tables of both papers, each followed by its paper's percentages of the prose.

    numbers: numbers.csv as text. of_seeds: a number's name (`lib.results.stored.name_of`) -> what each of
    its seeds gave. A number is stale where something it comes from is, or is gone.
    """  # fmt: skip
    sound = {entry.anchor: not entry.problems for entry in (*runs, *made)}
    tables = []
    for (paper, item), part in numbers.groupby(["paper", "item"], sort=False):
        tables.append(make_table(paper, item, part, sound, of_seeds))
        # the percentages of the prose come from these cells
        sound |= {cell.anchor: not cell.stale for cell in tables[-1].cells()}
    return tables


def make_table(
    paper: str, item: str, part: pd.DataFrame, sound: Mapping[str, bool],
    of_seeds: Mapping[str, Sequence[float]],
) -> Table:
    """One table, or a paper's percentages in prose, from its rows of numbers.csv."""  # fmt: skip
    notes = list(dict.fromkeys(part.loc[part["why"] != "", "why"]))
    common = common_fields(part)
    cells = {
        (line["row"], line["column"]):
            make_cell(line, notes, common, sound, of_seeds.get(name_of(line), ()))
        for line in part.to_dict("records")
    }  # fmt: skip
    columns = list(part["column"].unique())
    rows = [(row, [cells.get((row, column)) for column in columns])
            for row in part["row"].unique()]  # fmt: skip
    return Table(slug(f"{paper}-{item}"), title(paper, item), about(common), columns, rows, notes,
                 notebook_of(paper, item))  # fmt: skip


def common_fields(part: pd.DataFrame) -> dict[str, str]:
    """What is the same for all numbers of a table that say it: `n_images`, `dataset`, `seeds`."""
    given = {field: set(part[field]) - {""} for field in ABOUT}
    return {field: values.pop() for field, values in given.items() if len(values) == 1}


def make_cell(
    line: Mapping[str, str], notes: list[str], common: Mapping[str, str],
    sound: Mapping[str, bool], of_seeds: Sequence[float] = (),
) -> Cell:
    """One number. `sound`: anchor of what it may come from -> whether that is up to date.

    of_seeds: what each of its seeds gave, in their order; without it their links do not say.
    """  # fmt: skip
    links = origins_of(line, of_seeds)
    known = [(text, anchor) for text, anchor in links if anchor in sound]
    several = line["item"] == "prose" or len(links) > 1
    side, text = difference(line)
    return Cell(
        anchor=cell_anchor(line["paper"], "{item}/{row}/{column}".format(**line)),
        paper=line["reported"], ours=line["reproduced"], spread=spread(line), side=side,
        difference=text,
        about=about({field: "" if field in common else line[field] for field in ABOUT}),
        note=notes.index(line["why"]) + 1 if line["why"] else None,
        link=known[0][1] if known and line["item"] != "prose" else "",
        more=known if several else [],
        stale=not all(sound.get(anchor) for _, anchor in links),
    )  # fmt: skip


def origins_of(
    line: Mapping[str, str], of_seeds: Sequence[float] = ()
) -> list[tuple[str, str]]:
    """(name, anchor) of what a number comes from: its runs, its notebook, or two other numbers."""
    if not line["reproduced"]:
        return []
    if line["item"] == "prose":
        return [(cell, cell_anchor(line["paper"], cell)) for cell in line["source"].split(", ")]
    if not line["source"]:
        return [("", made_anchor(line["paper"], line["item"]))]
    first = run_anchor(line["source"])  # of the first seed
    seeds, decimals = line["seeds"].split(), _decimals(line)
    gave = [f": {value:.{decimals}f}" for value in of_seeds] or [""] * len(seeds)
    return [(f"seed {seed}{value}", re.sub(r"seed\d+$", f"seed{seed}", first))
            for seed, value in zip(seeds, gave, strict=True)] or [("", first)]  # fmt: skip


def difference(line: Mapping[str, str]) -> tuple[str, str]:
    """On which side of the paper's number ours lies, and by how much, as text.

    `same` where the paper's number lies within our interval, or ours rounds to it.
    """
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
    within = line["ci_low"] and float(line["ci_low"]) <= paper <= float(line["ci_high"])
    if within or round(ours, decimals) == paper:
        return "same", "≈ " + shown.replace("-", "−")
    side, sign = ("above", "▲") if apart > 0 else ("below", "▼")
    return side, f"{sign} " + shown.replace("-", "−")


def spread(line: Mapping[str, str]) -> str:
    """The 95 % interval, rounded as the paper rounds, else the standard deviation."""
    decimals = _decimals(line)
    if line["ci_low"]:
        low, high = (f"{float(line[end]):.{decimals}f}" for end in ("ci_low", "ci_high"))
        return f"{low} to {high}"
    return f"sd {float(line['sd']):.{decimals}f}" if line["sd"] else ""


def about(line: Mapping[str, str]) -> str:
    """How many images, which data set and seeds: what stands behind a number."""
    parts = []
    if line.get("n_images"):
        parts.append(f"n = {line['n_images']}")
    if line.get("dataset"):
        parts.append(line["dataset"])
    if line.get("seeds"):
        parts.append(f"seed {line['seeds'].replace(' ', ', ')}")
    return ", ".join(parts)


def _decimals(line: Mapping[str, str]) -> int:
    """How many the paper prints."""
    return len(line["reported"].partition(".")[2])
