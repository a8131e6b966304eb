"""What the papers print: 206 numbers of their tables and 11 percentages of their prose.
`data/reported/<paper>.csv` holds one number a line, in printed order. A percentage of the prose
also names the two table cells it compares, as `table4/AG/C5`: it claims 100 * (new / old - 1)."""

from functools import cache

import pandas as pd

from lib.paths import REPO

PAPERS = ("2dgan", "gn_cyclegan")


@cache
def _read() -> pd.DataFrame:
    folder = REPO / "data" / "reported"
    parts = [pd.read_csv(folder / f"{p}.csv", dtype=str, keep_default_na=False) for p in PAPERS]
    frame = pd.concat(parts, ignore_index=True).rename(columns={"reported": "printed"})
    frame.insert(4, "reported", frame["printed"].astype(float))
    return frame


def load() -> pd.DataFrame:
    """All 217 reported numbers in printed order. Columns: paper, item (`table2`..`table7` or
    `prose`), row, column, reported (float), printed (its digits as in the paper), new and old (the
    cells a prose percentage compares, else empty) and where (section of the paper)."""
    return _read().copy()


def cells(paper: str, item: str) -> pd.DataFrame:
    """The rows of `load()` that belong to one item; ValueError if the paper has no such item."""
    frame = load()
    chosen = frame[(frame["paper"] == paper) & (frame["item"] == item)]
    if chosen.empty:
        known = ", ".join((frame["paper"] + " " + frame["item"]).unique())
        raise ValueError(f"no reported numbers for {paper} {item}; choose one of {known}")
    return chosen


def table(paper: str, item: str) -> pd.DataFrame:
    """One table as floats, rows and columns in printed order; cells left blank there are NaN."""
    part = cells(paper, item)
    wide = part.pivot(index="row", columns="column", values="reported")
    return wide.reindex(index=part["row"].unique(), columns=part["column"].unique())


def printed(paper: str, item: str, row: str, column: str) -> str:
    """The digits of one number as printed, e.g. "70.00"; ValueError if there is no such number."""
    part = cells(paper, item)
    found = part.loc[(part["row"] == row) & (part["column"] == column), "printed"]
    if found.empty:
        raise ValueError(f"{paper} {item} prints no number at row {row!r}, column {column!r}")
    return found.item()
