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
from collections.abc import Mapping

import pandas as pd
import yaml

from lib.papers import reported
from lib.papers.checks import relations, summary
from lib.paths import REPO

COLUMNS = ["id", "paper", "where", "statement", "stated", "recomputed", "verdict", "extension"]


def load() -> list[dict]:
    """The entries of data/audit.yaml: id, paper, where, statement, check."""
    return yaml.safe_load((REPO / "data" / "audit.yaml").read_text(encoding="utf-8"))


def audit_table(numbers: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row an entry with what is stated, what the tables give, and the verdict. Verdicts:
    consistent, inconsistent, not checkable. `numbers`: the frame of `reported.load`."""
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
    part = numbers[numbers["paper"] == entry["paper"]]
    cells = {f"{n.item}/{n.row}/{n.column}": n for n in part.itertuples(index=False)}
    stated, recomputed, agree = _result(entry["check"], entry["paper"], cells)
    verdict = "not checkable" if agree is None else "consistent" if agree else "inconsistent"
    return {"stated": stated, "recomputed": recomputed, "verdict": verdict}


def _result(check: Mapping, paper: str, cells: Mapping) -> tuple[str, str, bool | None]:
    """What is stated, what the paper's `cells` give, and whether they agree (None: no check)."""
    match check:
        case {"not_checkable": why}:
            return "", why, None
        case {"sum": parts, "stated": stated}:
            return str(stated), f"sum of {parts}: {sum(parts)}", sum(parts) == stated
        case {"product": parts, "stated": stated}:
            product = math.prod(parts)
            return str(stated), f"product of {parts}: {product}", product == stated
        case {"percent": cell}:
            claim = cells[cell]
            gains = [_gain(cells, claim.new, old) for old in check.get("over", [claim.old])]
            rounding = 0.5 * 10.0 ** -len(claim.printed.partition(".")[2]) + 1e-9
            agree = all(abs(gain - claim.reported) <= rounding for gain in gains)
            return f"{claim.printed} %", ", ".join(f"{gain:.2f} %" for gain in gains), agree
        case {"stated": digits}:
            printed = [cells[cell].printed for cell in digits]
            agree = all(float(a) == float(b) for a, b in zip(digits.values(), printed, strict=True))
            return ", ".join(digits.values()), ", ".join(printed), agree
        case {"wider": wider, "than": than}:
            more, less = _gain(cells, *wider), _gain(cells, *than)
            text = f"{more:+.2f} % is called a difference, {less:+.2f} % is called none"
            return "a difference, and none", text, abs(more) > abs(less)
        case {"text": places}:
            return f"{len(places)} places", "; ".join(f"{k}: {v}" for k, v in places.items()), False
    found = relations(check, paper)
    values = {cell: n.reported for cell, n in cells.items()}
    printed = {cell: n.printed for cell, n in cells.items()}
    failing = [one for one in found if not one.holds(values)]
    verb, outcome = ("is not", "fail") if failing else ("is", "hold")
    shown = [one.describe(printed, verb) for one in failing or found]
    stated = "1 comparison" if len(found) == 1 else f"{len(found)} comparisons"
    return stated, summary(shown, f"{len(shown)} of {len(found)} {outcome}"), not failing


def _gain(cells: Mapping, new: str, old: str) -> float:
    """In percent."""
    return 100 * (cells[new].reported / cells[old].reported - 1)
