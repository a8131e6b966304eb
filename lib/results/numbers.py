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

    Raises ValueError for a cell that the paper does not print, NaN, infinity, and a missing value
    without a `why`.
    """
    given = {(number.row, number.column): number for number in rows}
    printed = {(cell.row, cell.column): cell.printed
               for cell in reported.cells(paper, item).itertuples()}
    if unknown := given.keys() - printed.keys():
        raise ValueError(f"{paper} {item} prints no {unknown}; see lib.papers.reported.table")
    for cell, number in given.items():
        values = [value for name in VALUES if (value := getattr(number, name)) is not None]
        if not all(map(math.isfinite, values)) or number.reproduced is None and not number.why:
            raise ValueError(f"{paper} {item} {cell} is {number}; give None and say why")
    lines = [{"paper": paper, "item": item, "reported": printed[cell], **as_text(given[cell])}
             for cell in printed if cell in given]
    path = results_dir(profile) / "tables" / f"{paper}_{item}.csv"
    return write_table(pd.DataFrame(lines, columns=COLUMNS), path)


def collect(profile: str) -> pd.DataFrame:
    """One row for each of the 217 reported numbers, values float, `n_images` Int64, the rest text;
    also written to numbers.csv. ValueError for a part that is not in our format."""
    frame = merge(parts(profile))
    write_table(frame, results_dir(profile) / "numbers.csv")
    return _typed(frame)


def comparison(profile: str, paper: str, item: str):
    """One table as printed, to be shown: ours beside the paper's, blue ▲ above, red ▼ below."""
    part = _typed(merge(parts(profile)).loc[reported.cells(paper, item).index])
    apart = part["reproduced"] - part["reported"]
    sign = np.select([apart > 0, apart < 0], [" ▲", " ▼"], "")
    shown = part.assign(paper=part["reported"].map(four_digits),
                        ours=part["reproduced"].map(four_digits) + sign)
    wide = shown.pivot(index="row", columns="column", values=["paper", "ours"])
    columns = pd.MultiIndex.from_product([part["column"].unique(), ["paper", "ours"]])
    wide = wide.swaplevel(axis="columns").reindex(index=part["row"].unique(), columns=columns)
    measured_on = ", ".join(part.loc[part["dataset"] != "", "dataset"].unique()) or "nothing yet"
    colours = {"▲": "color: blue", "▼": "color: red"}
    styler = wide.style.map(lambda text: colours.get(text[-1:], ""))
    # pandas draws a random id otherwise, and the notebook would differ from run to run
    return styler.set_uuid(f"{paper}_{item}").set_caption(
        "▲ above, ▼ below the paper's number: neither better nor worse by itself. "
        f"Ours measured on: {measured_on}")


def spreads(profile: str, paper: str, item: str) -> pd.DataFrame:
    """What one table's notebook measured, to be shown: mean, spread (over what says
    `lib.results.runs.number`) and how many, a row each."""
    part = _typed(merge(parts(profile)).loc[reported.cells(paper, item).index])
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


def name_of(line: Mapping[str, str]) -> str:
    """A number as `2dgan/table4/AG/C5`."""
    return "/".join(line[key] for key in ("paper", "item", "row", "column"))


def by_name(frame: pd.DataFrame) -> dict[str, dict]:
    """The rows of numbers or of what is reported, by `name_of`."""
    return {name_of(line): line for line in frame.to_dict("records")}


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
    part = by_name(frame)
    if unknown := part.keys() - by_name(cells).keys():
        raise ValueError(f"{path} fills {unknown}, which is not printed; run its notebook again")
    return part


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file, everything as text. Raises ValueError naming one that cannot be read."""
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:  # pandas' and of text that is no UTF-8, too
        told = str(error).splitlines()[0]
        raise ValueError(f"{path} is damaged ({told}); run its notebook again") from None


def parts(profile: str) -> dict[str, dict[str, str]]:
    """What the parts say, by name of the number, everything as text."""
    found: dict[str, dict[str, str]] = {}
    for (paper, item), cells in reported.load().groupby(["paper", "item"], sort=False):
        found |= _read_part(results_dir(profile) / "tables" / f"{paper}_{item}.csv", cells)
    return found


def merge(found: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """All reported numbers in printed order with what `parts` say of them; percentages of the prose
    from these."""
    merged: dict[str, dict[str, str]] = {}
    for name, cell in by_name(reported.load()).items():
        line = dict.fromkeys(COLUMNS, "") | {"why": NOT_FILLED} | found.get(name, {})
        if cell["item"] == "prose":  # it comes last in each paper
            line |= percentage(cell, merged)
        line |= {key: cell[key] for key in ("paper", "item", "row", "column")}
        merged[name] = line | {"reported": cell["printed"]}
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
