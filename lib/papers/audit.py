"""Do the papers agree with themselves? Statements of their prose held against their own tables.

data/audit.yaml holds one statement an entry, in our words, with a check: a word of
`lib.papers.checks`, or

    {percent: prose/C5 over C3/AG}                 recomputed from the cells that it compares;
                                                   or, with `over: [cells]`, from each of those
    {stated: {table3/Img3.PSNR/HE: "9.1228"}}      digits of the prose against the table's
    {wider: [a, b], than: [c, d]}                  what is called a difference is larger, in
                                                   percent, than what is called none
    {sum: [640, 480], stated: 1120}                likewise `product`
    {text: {place: what, other place: what}}       two places contradict; no number can check it
    {not_checkable: why}

No verdict stands in the file but those of `text` and `not_checkable`: the others are computed. What
of an entry is our reading, and not said by the paper, stands in its `extension`.
"""

import math
from collections.abc import Callable, Mapping

import pandas as pd
import yaml

from lib.papers import reported
from lib.papers.checks import Relation, known, relations, summary
from lib.paths import REPO

COLUMNS = ["id", "paper", "where", "statement", "stated", "recomputed", "verdict", "extension"]

Result = tuple[str, str, bool]  # stated, recomputed, whether they agree


def load() -> list[dict]:
    """The entries of data/audit.yaml: id, paper, where, statement, check."""
    return yaml.safe_load((REPO / "data" / "audit.yaml").read_text(encoding="utf-8"))


def audit_table(numbers: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row an entry with what is stated, what the tables give, and the verdict.

    Verdicts: consistent, inconsistent, not checkable. `numbers`: the frame of `reported.load`.
    """
    numbers = reported.load() if numbers is None else numbers
    rows = [{"extension": "", **entry, **examine(entry, numbers)} for entry in load()]
    return pd.DataFrame(rows, columns=COLUMNS)


def as_text(findings: pd.DataFrame) -> str:
    """Rows of `audit_table` for reading: statement, what is stated, what the tables give."""
    lines = []
    for n in findings.itertuples():
        numeric = n.stated[-1:].isdigit() or n.stated.endswith("%")
        stated = f"stated {n.stated}; recomputed " if numeric else ""
        lines += [f"{n.id} ({n.paper}; {n.where})", f"  {n.statement}", f"  {stated}{n.recomputed}"]
        lines += [f"  Our extension: {n.extension}"] if n.extension else []
    return "\n".join(lines)


def examine(entry: Mapping, numbers: pd.DataFrame) -> dict[str, str]:
    """`stated`, `recomputed` and `verdict` of one entry."""
    check, paper = entry["check"], entry["paper"]
    if "not_checkable" in check:
        return {"stated": "", "recomputed": check["not_checkable"], "verdict": "not checkable"}
    part = numbers[numbers["paper"] == paper]
    cells = {f"{n.item}/{n.row}/{n.column}": n for n in part.itertuples(index=False)}
    word = next((word for word in OWN_WORDS if word in check), None)
    if word:
        stated, recomputed, agree = OWN_WORDS[word](check, cells)
    else:
        stated, recomputed, agree = _compared(relations(check, paper), cells)
    verdict = "consistent" if agree else "inconsistent"
    return {"stated": stated, "recomputed": recomputed, "verdict": verdict}


def _compared(found: list[Relation], cells: Mapping) -> Result:
    values = {cell: n.reported for cell, n in cells.items()}
    printed = {cell: n.printed for cell, n in cells.items()}
    failing = [one.describe(printed, "is not") for one in found if not one.holds(values)]
    holding = [one.describe(printed, "is") for one in found if one.holds(values)]
    stated = "1 comparison" if len(found) == 1 else f"{len(found)} comparisons"
    if failing:
        return stated, summary(failing, f"{len(failing)} of {len(found)} fail"), False
    return stated, summary(holding, f"{len(holding)} of {len(found)} hold"), True


def _percent(check: Mapping, cells: Mapping) -> Result:
    claim = cells[check["percent"]]
    places = len(claim.printed.partition(".")[2])
    new = cells[claim.new].reported
    gains = [100 * (new / cells[old].reported - 1) for old in check.get("over", [claim.old])]
    agree = all(abs(gain - claim.reported) <= 0.5 * 10.0**-places + 1e-9 for gain in gains)
    return f"{claim.printed} %", ", ".join(f"{gain:.2f} %" for gain in gains), agree


def _stated(check: Mapping, cells: Mapping) -> Result:
    digits = check["stated"]
    printed = [cells[cell].printed for cell in digits]
    agree = all(float(a) == float(b) for a, b in zip(digits.values(), printed, strict=True))
    return ", ".join(digits.values()), ", ".join(printed), agree


def _wider(check: Mapping, cells: Mapping) -> Result:
    gaps = []
    for pair in (check["wider"], check["than"]):
        new, old = (cells[cell].reported for cell in pair)
        gaps.append(100 * (new / old - 1))
    text = f"{gaps[0]:+.2f} % is called a difference, {gaps[1]:+.2f} % is called none"
    return "a difference, and none", text, abs(gaps[0]) > abs(gaps[1])


def _arithmetic(word: str, operation: Callable) -> Callable[[Mapping, Mapping], Result]:
    def result(check: Mapping, _: Mapping) -> Result:
        value = operation(check[word])
        return str(check["stated"]), f"{word} of {check[word]}: {value}", value == check["stated"]

    return result


def _text(check: Mapping, _: Mapping) -> Result:
    places = check["text"]
    return f"{len(places)} places", "; ".join(f"{k}: {v}" for k, v in places.items()), False


# the words for sums come first: they, too, have a `stated`
OWN_WORDS = {
    "sum": _arithmetic("sum", sum),
    "product": _arithmetic("product", math.prod),
    "percent": _percent,
    "stated": _stated,
    "wider": _wider,
    "text": _text,
}


def cells_of(entry: Mapping) -> list[str]:
    """The cells that the check of an entry reads; ValueError for one the paper does not print."""
    check, paper = entry["check"], entry["paper"]
    if "percent" in check:
        found = [check["percent"], *check.get("over", [])]
    elif "wider" in check:
        found = [*check["wider"], *check["than"]]
    elif isinstance(check.get("stated"), Mapping):
        found = list(check["stated"])
    elif any(word in check for word in ("sum", "product", "text", "not_checkable")):
        found = []
    else:
        found = [cell for relation in relations(check, paper) for cell in relation.cells]
    return [known(cell, paper) for cell in found]
