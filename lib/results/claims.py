"""What the papers claim, held against their own numbers and against ours.

data/claims.yaml holds one claim an entry, in our words, with a check of `lib.papers.checks` or why
it is `not_testable` here. Ours are the numbers of numbers.csv, pooled over seeds and of each seed
alone.

Two cells that were measured on the same images are compared image by image: settled is what the
bootstrap interval of their difference, over seeds and images, leaves no doubt of. Of a claim of k
comparisons each interval has the level 1 - 0.05 / k (Bonferroni), so that all of them hold at 95 %.
With a single seed that speaks of the networks that were trained, not of training again. A cell held
against a constant, or one without images, counts with its own interval; single images as they are.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import yaml

from lib.papers.checks import ROUNDING, Bounds, Relation, holds, relations, summary
from lib.files import write_text
from lib.paths import REPO, results_dir
from lib.results.numbers import collect
from lib.evaluation.statistics import bootstrap_interval
from lib.results.runs import Measured, measure, read_run, results_of
from lib.results.tables import TABLES
from lib.training.record import Damaged

COLUMNS = [
    "id", "paper", "section", "claim", "verdict_paper", "verdict_ours", "by_seed", "why", "seeds",
    "steps", "dataset",
]  # fmt: skip
DOUBT = 0.05  # shared by the comparisons of a claim


@dataclass(frozen=True)
class Cell:
    """One of our numbers: its row of numbers.csv, and what it is the mean of where that is stored.

    `values`: one row an image, one column a seed.
    """

    number: tuple  # named as the columns of numbers.csv
    values: pd.DataFrame | None
    steps: tuple[int, ...] = ()  # of the training of its networks

    def of_seed(self, seed: str) -> "Cell":
        """The cell as this seed alone has it; itself where nothing was trained."""
        if not self.number.seeds:
            return self
        return Cell(self.number, self.values[[int(seed)]], self.steps)

    def bounds(self, level: float) -> Bounds:
        """Its interval; a number without one stands for itself."""
        if self.values is not None:
            return _interval(self.values.to_numpy().T, level)
        if math.isnan(self.number.ci_low) or math.isnan(self.number.ci_high):
            return self.number.reproduced, self.number.reproduced
        return self.number.ci_low, self.number.ci_high

    def text(self) -> str:
        """Its mean, four digits that count."""
        mean = self.number.reproduced if self.values is None else self.values.to_numpy().mean()
        return f"{mean:.4g}"


def load() -> list[dict]:
    """The entries of data/claims.yaml: id, paper, section, claim, and check or not_testable."""
    return yaml.safe_load((REPO / "data" / "claims.yaml").read_text(encoding="utf-8"))


def write_claims(profile: str) -> pd.DataFrame:
    """`judge` on all numbers of a profile; also written to results/<profile>/claims.csv."""
    numbers = collect(profile)
    frame = judge(numbers, all_measured(profile, numbers))
    text = frame.to_csv(index=False, lineterminator="\n")
    write_text(results_dir(profile) / "claims.csv", text)
    return frame


def all_measured(profile: str, numbers: pd.DataFrame) -> dict[str, Measured]:
    """What the table numbers of a profile are the means of, by name (`2dgan/table4/AG/C5`).

    `lib.verify` tells of numbers whose runs are gone or damaged; here they are left out.
    """
    read, found = cache(read_run), {}
    for line in numbers[numbers["source"] != ""].itertuples(index=False):
        table = TABLES.get((line.paper, line.item))
        if table is None or pd.isna(line.reproduced):
            continue
        cell = table.cells[line.row, line.column]
        folder = results_of(profile, cell.experiment) / "runs" / cell.experiment
        try:
            runs = [read(folder / f"seed{seed}") for seed in line.seeds.split() or ("0",)]
            name = f"{line.paper}/{line.item}/{line.row}/{line.column}"
            found[name] = measure(cell, runs)
        except (FileNotFoundError, Damaged):
            continue
    return found


def judge(numbers: pd.DataFrame, measured: Mapping[str, Measured] | None = None) -> pd.DataFrame:
    """One row a claim, with its verdicts on the papers' numbers and on ours, and why.

    `numbers`: the frame of `lib.results.numbers.collect`; `measured`: what is stored behind them
    (`all_measured`). verdict_paper: holds, fails, not testable. verdict_ours: reproduced (every
    comparison settled for the claim), contradicted (one settled against it), undecided (else, also
    where cells are missing, or of different images or seeds), not testable. by_seed: the same of
    each seed alone. `seeds`, `steps` (of training) and `dataset` are those of the cells compared.
    """
    cells = {}
    for number in numbers.itertuples(index=False):
        address = f"{number.item}/{number.row}/{number.column}"
        known = (measured or {}).get(f"{number.paper}/{address}")
        steps = {run.record["steps"] for run in known.runs if run.trained} if known else ()
        cells[number.paper, address] = Cell(
            number, known.values if known else None, tuple(sorted(steps))
        )
    return pd.DataFrame([_judge(claim, cells) for claim in load()], columns=COLUMNS)


def _judge(claim: Mapping, cells: Mapping[tuple[str, str], Cell]) -> dict[str, str]:
    if "not_testable" in claim:
        verdict = "not testable"
        row = {"verdict_paper": verdict, "verdict_ours": verdict, "why": claim["not_testable"]}
        return {**dict.fromkeys(COLUMNS, ""), **claim, **row}
    found = relations(claim["check"], claim["paper"])
    used = {cell: cells[claim["paper"], cell] for one in found for cell in one.cells}
    theirs = {name: (cell.number.reported,) * 2 for name, cell in used.items()}
    verdict, why = _verdict(found, used)
    if any(str(cell.number.n_images) == "1" for cell in used.values()):
        why += " (single images, no intervals)"
    if any(cell.number.seeds and " " not in cell.number.seeds for cell in used.values()):
        why += " (one seed: true of these networks, training again may differ)"
    return {
        **claim,
        "verdict_paper": "holds" if all(holds(one, theirs) for one in found) else "fails",
        "verdict_ours": verdict,
        "by_seed": ", ".join(f"{seed}: {what}" for seed, what in _by_seed(found, used)),
        "why": why,
        "seeds": _listed(cell.number.seeds for cell in used.values()),
        "steps": _listed(" ".join(map(str, cell.steps)) for cell in used.values()),
        "dataset": _listed(cell.number.dataset for cell in used.values()),
    }


def _listed(texts: Iterator[str]) -> str:
    """The different ones that are not empty."""
    return ", ".join(dict.fromkeys(text for text in texts if text))


def _by_seed(found: list[Relation], used: Mapping[str, Cell]) -> Iterator[tuple[str, str]]:
    """The verdict of each seed that all trained cells have."""
    trained = [cell for cell in used.values() if cell.number.seeds]
    if any(cell.values is None for cell in trained):
        return
    for seed in trained[0].number.seeds.split() if trained else ():
        if all(seed in cell.number.seeds.split() for cell in trained):
            yield seed, _verdict(found, {n: cell.of_seed(seed) for n, cell in used.items()})[0]


def _verdict(found: list[Relation], cells: Mapping[str, Cell]) -> tuple[str, str]:
    """The verdict on our numbers, and the comparisons that decide it."""
    texts: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for relation in found:
        outcome, text = _outcome(relation, cells, level=1 - DOUBT / len(found))
        texts[outcome].append(text)
    for verdict, outcome, word in (
        ("contradicted", False, "fail"), ("undecided", None, "open"), ("reproduced", True, "hold"),
    ):  # fmt: skip
        if texts[outcome]:
            return verdict, summary(texts[outcome], f"{len(texts[outcome])} of {len(found)} {word}")
    raise ValueError("a claim without any comparison")


def _outcome(
    relation: Relation, cells: Mapping[str, Cell], level: float
) -> tuple[bool | None, str]:
    """Whether one comparison is settled for (True) or against the claim, or open, in words."""
    used = {name: cells[name] for name in relation.cells}
    for name, cell in used.items():
        if math.isnan(cell.number.reproduced):
            return None, f"{name} is missing ({cell.number.why})"
    if not _same_images([*used.values()]):
        return None, " and ".join(used) + " are of different images"
    if not _same_seeds([*used.values()]):
        return None, " and ".join(used) + " are of different seeds"
    if len(used) == 2 and all(cell.values is not None for cell in used.values()):
        low, high = _difference(relation, used, level)
        outcome = _settled(relation, low, high, abs(used[relation.right].values.to_numpy().mean()))
        shown = {name: cell.text() for name, cell in used.items()}
        behind = "" if low == high else f" [difference {low:+.3g} to {high:+.3g}]"
    else:
        bounds = {name: cell.bounds(level) for name, cell in used.items()}
        outcome = holds(relation, bounds)
        shown = {
            name: cell.text() + ("" if low == high else f" [{low:.4g}, {high:.4g}]")
            for (name, cell), (low, high) in zip(used.items(), bounds.values(), strict=True)
        }
        behind = ""
    verb = {True: "is", False: "is not", None: "may be"}[outcome]
    return outcome, relation.describe(shown, verb) + behind


def _same_images(cells: list[Cell]) -> bool:
    indexes = [cell.values.index for cell in cells if cell.values is not None]
    return (
        len({(cell.number.dataset, str(cell.number.n_images)) for cell in cells}) == 1
        and all(index.equals(indexes[0]) for index in indexes)
    )


def _same_seeds(cells: list[Cell]) -> bool:
    """Of those that were trained: some tables may have been run with more seeds than others."""
    trained = [cell for cell in cells if cell.number.seeds and cell.values is not None]
    return len({tuple(cell.values.columns) for cell in trained}) <= 1


def _difference(relation: Relation, cells: Mapping[str, Cell], level: float) -> Bounds:
    """The interval of left - right on the same images; for ">" of left - (1 + margin) right.

    Where only one side was trained, its seeds are all held against the other side's values.
    """
    left, right = (cells[side].values.to_numpy().T for side in (relation.left, relation.right))
    return _interval(left - (1 + relation.margin * (relation.sign == ">")) * right, level)


def _settled(relation: Relation, low: float, high: float, right: float) -> bool | None:
    """What the interval of a difference says of it; None where it leaves doubt."""
    if relation.sign == ">":
        return True if low > 0 else False if high <= 0 else None
    allowed = (relation.margin + ROUNDING) * right
    if -allowed <= low and high <= allowed:
        return True
    return False if low > allowed or high < -allowed else None


def _interval(values: np.ndarray, level: float) -> Bounds:
    """Of the mean of (S, N) seeds by images; a single image has none and stands for itself."""
    if values.shape[1] == 1:
        return (float(values.mean()),) * 2
    return bootstrap_interval(values, level)
