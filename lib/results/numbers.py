"""Every reported number beside the reproduced one: results/<profile>/numbers.csv.

A table notebook calls `record` for the numbers it measured, which writes one part,
`tables/<paper>_<item>.csv`. The summary calls `collect`, which merges the parts, derives the
percentages of the prose and says of each number still missing why it is.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.papers import reported
from lib.files import write_text
from lib.paths import results_dir

COLUMNS = [
    "paper", "item", "row", "column", "reported", "reproduced", "sd", "ci_low", "ci_high",
    "seeds", "n_images", "dataset", "source", "why",
]
NUMBER = r"-?\d{1,9}(\.\d{1,9})?(e[-+]\d\d)?"  # as `as_text` writes them
VALUES = ["reproduced", "sd", "ci_low", "ci_high"]
NOT_FILLED = "the notebook of this table was not run in this profile"


@dataclass(frozen=True)
class Number:
    """What we measured for one printed number, or why we could not.

    `row` and `column` are those of `lib.papers.reported.table`; values are in the unit of the
    printed column, `sd` and the confidence interval their spread over seeds or images; `seeds`
    lists the seeds ("0 1 2"); `source` is the run's record, relative to the profile's results
    (`runs/C5/seed0/run.json`). `why` must explain a missing value and may comment on any other.
    """

    row: str
    column: str
    reproduced: float | None
    sd: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    seeds: str = ""
    n_images: int | None = None
    dataset: str = ""
    source: str = ""
    why: str = ""


def record(profile: str, paper: str, item: str, rows: Iterable[Number]) -> Path:
    """Write the numbers reproduced for one table, in printed order, and return the file.

    Raises ValueError for a cell that the paper does not print or that is given twice, for NaN,
    infinity, a missing value without a `why`, an absolute `source`, and for `prose`.
    """
    if item == "prose":
        raise ValueError("percentages of the prose are not recorded: `collect` derives them")
    cells = reported.cells(paper, item)
    printed = {(cell.row, cell.column): cell.printed for cell in cells.itertuples()}
    given: dict[tuple[str, str], Number] = {}
    for number in rows:
        cell = (number.row, number.column)
        _check(number, name := f"{paper} {item} {cell}")
        if cell not in printed:
            raise ValueError(f"{paper} {item} prints no {cell}; see lib.papers.reported.table")
        if cell in given:
            raise ValueError(f"{name} is given twice; give each cell once")
        given[cell] = number
    lines = [{"paper": paper, "item": item, "reported": printed[cell], **as_text(given[cell])}
             for cell in printed if cell in given]
    path = results_dir(profile) / "tables" / f"{paper}_{item}.csv"
    return write_table(pd.DataFrame(lines, columns=COLUMNS), path)


def collect(profile: str) -> pd.DataFrame:
    """One row for each of the 217 reported numbers, values float, `n_images` Int64, the rest text;
    also written to numbers.csv. ValueError for a part that is not in our format."""
    frame = merge(profile)
    write_table(frame, results_dir(profile) / "numbers.csv")
    return _typed(frame)


def comparison(profile: str, paper: str, item: str) -> pd.DataFrame:
    """One table as printed, each column split in paper, ours and difference (ours - paper). `attrs`
    holds `name` (paper and item) and `dataset` (what ours was measured on), for `style`."""
    part = _typed(merge(profile).loc[reported.cells(paper, item).index])
    part["difference"] = part["reproduced"] - part["reported"]
    part = part.rename(columns={"reported": "paper", "paper": "of", "reproduced": "ours"})
    kinds = ["paper", "ours", "difference"]
    wide = part.pivot(index="row", columns="column", values=kinds).swaplevel(axis="columns")
    columns = pd.MultiIndex.from_product([part["column"].unique(), kinds])
    wide = wide.reindex(index=part["row"].unique(), columns=columns)
    measured_on = part.loc[part["dataset"] != "", "dataset"].unique()
    wide.attrs = {"name": f"{paper}_{item}", "dataset": ", ".join(measured_on) or "nothing yet"}
    return wide


def spreads(profile: str, paper: str, item: str) -> pd.DataFrame:
    """What one table's notebook measured, to be shown: mean, spread (over what says
    `lib.results.runs.Measured`) and how many, a row each."""
    part = _typed(merge(profile).loc[reported.cells(paper, item).index])
    part = part.dropna(subset="reproduced").set_index(["row", "column"])
    return pd.DataFrame({
        "mean [95 %]": with_interval(part["reproduced"], part["ci_low"], part["ci_high"]),
        "sd": part["sd"].map(four_digits), "images": part["n_images"],
        "seeds": part["seeds"].str.split().map(len), "dataset": part["dataset"],
    })


def four_digits(value: float) -> str:
    """A number for reading, 27.1 as "27.10"; "–" for NaN."""
    return "–" if math.isnan(value) else f"{value:#.4g}".rstrip(".")


def with_interval(mean: pd.Series, low: pd.Series, high: pd.Series) -> pd.Series:
    """Means for reading, "27.10 [26.90, 27.30]"; alone where there is no interval. A narrow column
    breaks before an interval, not within it: its space is a non-breaking one."""
    mean, low, high = (values.map(four_digits) for values in (mean, low, high))
    return mean.where(low == "–", mean + " [" + low + ",\xa0" + high + "]")


def style(frame: pd.DataFrame):
    """A `comparison` for display: ours beside the paper's, blue and ▲ above, red and ▼ below."""
    shown = {}
    for column in frame.columns.unique(0):
        apart = frame[column]["difference"]
        sign = np.select([apart > 0, apart < 0], [" ▲", " ▼"], "")
        shown[column, "paper"] = frame[column]["paper"].map(four_digits)
        shown[column, "ours"] = frame[column]["ours"].map(four_digits) + sign
    colours = {"▲": "color: blue", "▼": "color: red"}
    styler = pd.DataFrame(shown).style.map(lambda text: colours.get(text[-1:], ""))
    caption = (f"▲ above, ▼ below the paper's number: neither better nor worse by itself. "
               f"Ours measured on: {frame.attrs['dataset']}")
    # pandas draws a random id otherwise, and the notebook would differ from run to run
    return styler.set_uuid(frame.attrs["name"]).set_caption(caption)


def coverage(numbers: pd.DataFrame) -> pd.DataFrame:
    """How many numbers of each paper's item are reported, reproduced and missing. `numbers` is the
    frame that `collect` returns."""
    counts = numbers.groupby(["paper", "item"], sort=False)["reproduced"].agg(
        reported="size", reproduced="count")
    return counts.assign(missing=counts["reported"] - counts["reproduced"]).reset_index()


def _check(number: Number, name: str) -> None:
    for field in VALUES:
        value = getattr(number, field)
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{name}: {field} is {value}; give None and say why it is missing")
    if number.reproduced is None and not number.why:
        raise ValueError(f"{name} has no value; say why it is missing in `why`")
    if Path(number.source).is_absolute():
        raise ValueError(f"{name}: give source {number.source} relative to the profile's results")


def name_of(line: Mapping[str, str]) -> str:
    """A number as `2dgan/table4/AG/C5`."""
    return "/".join(line[key] for key in ("paper", "item", "row", "column"))


def as_text(number: Number) -> dict[str, str]:
    """The fields of a number as they stand in a part, values to 6 significant digits."""
    formats = dict.fromkeys(VALUES, ".6g") | {"n_images": "d"}
    return {name: "" if value is None else format(value, formats.get(name, ""))
            for name, value in vars(number).items()}


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    return write_text(path, frame.to_csv(index=False, lineterminator="\n"))


def _read_part(path: Path, cells: pd.DataFrame) -> dict[str, dict[str, str]]:
    """The lines of one part by name; empty where it was not written yet."""
    if not path.exists():
        return {}
    frame = read_table(path)
    if list(frame.columns) != COLUMNS:
        raise ValueError(f"{path} does not have the columns of numbers.csv; run its notebook again")
    for field, kind in {**dict.fromkeys(VALUES, NUMBER), "n_images": r"\d{1,9}"}.items():
        for text in frame[field]:
            if text and not re.fullmatch(kind, text, re.ASCII):
                raise ValueError(f"{path}: {field} {text!r} is no number; run its notebook again")
    part = {name_of(line): line for line in frame.to_dict("records")}
    if unknown := part.keys() - set(map(name_of, cells.to_dict("records"))):
        raise ValueError(f"{path} fills {unknown}, which is not printed; run its notebook again")
    return part


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file, everything as text. Raises ValueError naming one that cannot be read."""
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:  # pandas' and of text that is no UTF-8, too
        told = str(error).splitlines()[0]
        raise ValueError(f"{path} is damaged ({told}); run its notebook again") from None


def merge(profile: str) -> pd.DataFrame:
    """All reported numbers in printed order with what the parts say of them, everything as text."""
    merged: dict[str, dict[str, str]] = {}
    for (paper, item), cells in reported.load().groupby(["paper", "item"], sort=False):
        # the prose comes last in each paper, when the cells it compares are in place
        path = results_dir(profile) / "tables" / f"{paper}_{item}.csv"
        part = {} if item == "prose" else _read_part(path, cells)
        for cell in cells.to_dict("records"):
            line = dict.fromkeys(COLUMNS, "") | {"why": NOT_FILLED} | part.get(name_of(cell), {})
            if item == "prose":
                line |= percentage(cell, merged)
            line |= {key: cell[key] for key in ("paper", "item", "row", "column")}
            merged[name_of(cell)] = line | {"reported": cell["printed"]}
    return pd.DataFrame(merged.values(), columns=COLUMNS)


def percentage(cell: Mapping[str, str], lines: Mapping[str, Mapping]) -> dict[str, str]:
    """By how many percent the one number that a cell of the prose compares exceeds the other, or
    why that cannot be said. `lines`: rows of numbers.csv by name."""
    new, old = cell["new"], cell["old"]
    pair = {name: lines[f"{cell['paper']}/{name}"] for name in (new, old)}
    lacking = [f"{name}: {line['why']}" for name, line in pair.items() if not line["reproduced"]]
    if lacking:
        return {"why": "missing " + "; ".join(lacking)}
    for field in ("dataset", "n_images"):
        if pair[new][field] != pair[old][field]:
            return {"why": f"{new} and {old} differ in {field}, so they are not compared"}
    over = float(pair[old]["reproduced"])
    if over <= 0:
        return {"why": f"{old} is not above 0, so no percentage of it can be given"}
    seeds = dict.fromkeys((pair[new]["seeds"], pair[old]["seeds"]))
    return {
        "reproduced": f"{100 * (float(pair[new]['reproduced']) / over - 1):.6g}",
        "seeds": " / ".join(seeds), "n_images": pair[new]["n_images"],
        "dataset": pair[new]["dataset"], "source": f"{new}, {old}", "why": "",
    }


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    floats = {name: pd.to_numeric(frame[name]).astype(float) for name in ["reported", *VALUES]}
    return frame.assign(**floats, n_images=pd.to_numeric(frame["n_images"]).astype("Int64"))
