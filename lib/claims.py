"""What the papers claim, held against their own numbers and against ours.

data/claims.yaml holds one claim an entry, in our words, with a check of `lib.checks` or why it is
`not_testable` here. Ours are the numbers of numbers.csv, pooled over seeds, with intervals of 95 %.
A comparison is settled where the intervals of its two cells do not overlap. That is stricter than
a paired test on the same images; but the intervals of a single seed hold the spread of the test
images alone, not that of training again.
"""

import math
from collections.abc import Mapping

import pandas as pd
import yaml

from lib.checks import Bounds, Relation, holds, relations, summary
from lib.files import write_text
from lib.paths import REPO, results_dir
from lib.report.numbers import collect

COLUMNS = [
    "id", "paper", "section", "claim", "verdict_paper", "verdict_ours", "why", "seeds", "dataset",
]  # fmt: skip


def load() -> list[dict]:
    """The entries of data/claims.yaml: id, paper, section, claim, and check or not_testable."""
    return yaml.safe_load((REPO / "data" / "claims.yaml").read_text(encoding="utf-8"))


def write_claims(profile: str) -> pd.DataFrame:
    """`judge` on all numbers of a profile; also written to results/<profile>/claims.csv."""
    frame = judge(collect(profile))
    text = frame.to_csv(index=False, lineterminator="\n")
    write_text(results_dir(profile) / "claims.csv", text)
    return frame


def judge(numbers: pd.DataFrame) -> pd.DataFrame:
    """One row a claim, with its verdicts on the papers' numbers and on ours, and why.

    `numbers` is the frame of `lib.report.numbers.collect`. verdict_paper: holds, fails, not
    testable. verdict_ours: reproduced (every comparison settled for the claim), contradicted (one
    settled against it), undecided (else, also where cells are missing or were measured on
    different images), not testable. `seeds` and `dataset` are those of the cells that were
    compared; for verdicts of one seed, give the numbers of that seed.
    """
    return pd.DataFrame([_judge(claim, numbers) for claim in load()], columns=COLUMNS)


def _judge(claim: Mapping, numbers: pd.DataFrame) -> dict[str, str]:
    if "not_testable" in claim:
        verdict = "not testable"
        row = {"verdict_paper": verdict, "verdict_ours": verdict, "why": claim["not_testable"]}
        return {**claim, **row, "seeds": "", "dataset": ""}
    part = numbers[numbers["paper"] == claim["paper"]]
    cells = {f"{n.item}/{n.row}/{n.column}": n for n in part.itertuples(index=False)}
    found = relations(claim["check"], claim["paper"])
    theirs = {cell: (n.reported, n.reported) for cell, n in cells.items()}
    used = {cell: cells[cell] for one in found for cell in one.cells}.values()
    verdict, why = _verdict(found, cells)
    single = " (single images, no intervals)" if any(str(n.n_images) == "1" for n in used) else ""
    return {
        **claim,
        "verdict_paper": "holds" if all(holds(one, theirs) for one in found) else "fails",
        "verdict_ours": verdict,
        "why": why + single,
        "seeds": " / ".join(dict.fromkeys(n.seeds for n in used if n.seeds)),
        "dataset": ", ".join(dict.fromkeys(n.dataset for n in used if n.dataset)),
    }


def _verdict(found: list[Relation], cells: Mapping) -> tuple[str, str]:
    """The verdict on our numbers, and the comparisons that decide it."""
    texts: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for relation in found:
        outcome, text = _outcome(relation, cells)
        texts[outcome].append(text)
    for verdict, outcome, word in (
        ("contradicted", False, "fail"), ("undecided", None, "open"), ("reproduced", True, "hold"),
    ):  # fmt: skip
        if texts[outcome]:
            return verdict, summary(texts[outcome], f"{len(texts[outcome])} of {len(found)} {word}")
    raise ValueError("a claim without any comparison")


def _outcome(relation: Relation, cells: Mapping) -> tuple[bool | None, str]:
    """Whether one comparison is settled for (True) or against the claim, or open, in words."""
    used = {cell: cells[cell] for cell in relation.cells}
    lacking = [f"{c} is missing ({n.why})" for c, n in used.items() if math.isnan(n.reproduced)]
    if lacking:
        return None, lacking[0]
    if len({(n.dataset, str(n.n_images)) for n in used.values()}) > 1:
        return None, " and ".join(used) + " are of different images"
    outcome = holds(relation, {cell: _bounds(n) for cell, n in used.items()})
    verb = {True: "is", False: "is not", None: "may be"}[outcome]
    return outcome, relation.describe({cell: _text(n) for cell, n in used.items()}, verb)


def _bounds(number) -> Bounds:
    """The confidence interval; a number without one stands for itself."""
    if math.isnan(number.ci_low) or math.isnan(number.ci_high):
        return number.reproduced, number.reproduced
    return number.ci_low, number.ci_high


def _text(number) -> str:
    """`21.24 [20.69, 21.73]`, four digits that count."""
    value = f"{number.reproduced:.4g}"
    if math.isnan(number.ci_low):
        return value
    return f"{value} [{number.ci_low:.4g}, {number.ci_high:.4g}]"
