"""What the papers claim, held against their own numbers and against ours.

data/claims.yaml holds one claim an entry, in our words, with a check of `lib.papers.checks` or why
it is `not_testable` here. A check is a list of comparisons. Ours are made on differences, image by
image and seed by seed (`lib.evaluation.statistics`); those of Table 3, which prints three images,
over all test images. All comparisons of a paper are corrected together by Benjamini and Hochberg
(1995): of those that are settled, one in twenty is expected to be wrong at most. (Bonferroni or
Holm would leave one comparison of 200 a level at which three seeds never settle anything.)

    seen            every comparison is settled for the claim
    not seen        one is settled against it, by networks that trained less than the paper's
    contradicted    the same by networks that trained the whole protocol: profile `paper`, and as
                    many images as the paper's
    undecided       anything else; `: not above an untrained method` where the better network of a
                    comparison in PSNR or SSIM is not shown to beat the BASELINES of
                    `lib.results.tables` in it. ("PSNR structure" has no such condition: it tells
                    whether a scene is kept, which an image that is left alone does best)
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import pandas as pd
import yaml
from scipy.stats import false_discovery_control

from lib.data.scenes import scenes_of
from lib.evaluation.statistics import Estimate, estimate
from lib.papers.checks import Relation, relations, summary
from lib.paths import REPO, results_dir, run_folder
from lib.results.compare import LEVEL
from lib.results.numbers import collect, write_table
from lib.results.runs import Run, measure, read_run, results_of, shared_seeds
from lib.results.tables import BASELINES, TABLES, Cell
from lib.training.experiments import EXPERIMENTS
from lib.training.protocol_share import is_whole
from lib.training.record import Damaged

COLUMNS = [
    "id", "paper", "section", "claim", "verdict_paper", "verdict_ours", "by_seed", "why", "seeds",
    "steps", "dataset", "trained", "to_reference", "extension", "circular",
]
BELOW = "undecided: not above an untrained method"
AGAINST_BASELINES = ("PSNR", "SSIM")
TO_REFERENCE = {"AG": "AG distance", "IE": "IE distance"}  # of which more is not better


def load() -> list[dict]:
    """The entries of data/claims.yaml: id, paper, section, claim, and check or not_testable."""
    return yaml.safe_load((REPO / "data" / "claims.yaml").read_text(encoding="utf-8"))


def write_claims(profile: str) -> pd.DataFrame:
    """`judge` on what a profile has; also written to results/<profile>/claims.csv."""
    numbers = collect(profile)
    frame = judge(numbers, recorded_runs(profile, numbers))
    write_table(frame, results_dir(profile) / "claims.csv")
    return frame


def recorded_runs(profile: str, numbers: pd.DataFrame) -> dict[str, list[Run]]:
    """The complete runs of all experiments, of the seeds that their numbers name, or any number
    where they have none. `lib.verify` tells of runs that are gone or damaged; here they are left
    out."""
    named: dict[str, set[int]] = {}
    for n in numbers.itertuples(index=False):
        cell = _CELLS.get((n.paper, f"{n.item}/{n.row}/{n.column}"))
        for name in {"", cell.experiment if cell else ""}:  # "": any number
            named.setdefault(name, set()).update(map(int, re.findall(r"\d+", n.seeds)))
    found: dict[str, list[Run]] = {}
    for name, experiment in EXPERIMENTS.items():
        for seed in sorted(named.get(name) or named[""]) if experiment.trained else [0]:
            with suppress(FileNotFoundError, Damaged):
                run = read_run(run_folder(results_of(profile, name), name, seed))
                if run.record["status"] == "complete":
                    found.setdefault(name, []).append(run)
    return found


def judge(numbers: pd.DataFrame, runs: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """One row a claim, with its verdicts on the papers' numbers and on ours, and why.

    `numbers`: the frame of `lib.results.numbers.collect`; `runs`: what is stored behind them, by
    experiment (`recorded_runs`). verdict_paper: holds, fails, not testable. verdict_ours: see
    above. by_seed: the same of each seed alone, at the same level. trained: how much of the paper's
    protocol was. to_reference: verdict_ours where more AG and IE mean nearer to the reference's.
    extension, circular: see data/claims.yaml.
    """
    claims = load()
    judges = {paper: _Judge(paper, part, runs) for paper, part in numbers.groupby("paper")}
    for paper, its in judges.items():
        its.correct(claim for claim in claims if claim["paper"] == paper and "check" in claim)
    return pd.DataFrame([judges[claim["paper"]].row(claim) for claim in claims], columns=COLUMNS)


class _Open(Exception):
    """Why a comparison cannot be made."""


@dataclass(frozen=True)
class _Comparison:
    """A relation on our numbers; `difference` is left - right, without errors between exact ones.
    `gates` are relations that have to hold for it to say anything."""

    relation: Relation
    difference: Estimate
    shown: Mapping[str, str]
    gates: Sequence[Relation]

    @cached_property
    def p(self) -> float:
        """Of the nearest border of what the relation allows."""
        return self.difference.p_value(self.relation.border(float(self.difference.mean)))

    def outcome(self, level: float) -> tuple[bool | None, str]:
        """Whether it holds, None where its p is above the level; and in words."""
        low, high = self.difference.interval(1 - level)
        outcome = self.relation.allows((low + high) / 2) if self.p <= level else None
        verb = {True: "is", False: "is not", None: "may be"}[outcome]
        behind = f" [difference {low:+.3g} to {high:+.3g}]" if low < high else ""
        return outcome, self.relation.describe(self.shown, verb) + behind


class _Judge:
    """The claims of one paper on some runs; `level` is that of each comparison."""

    def __init__(self, paper: str, numbers: pd.DataFrame, runs: Mapping[str, Sequence[Run]],
                 level: float = LEVEL):
        self.paper, self.frame, self.runs, self.level = paper, numbers, runs, level
        named = {f"{n.item}/{n.row}/{n.column}": n for n in numbers.itertuples(index=False)}
        self.numbers = {_pooled(name): number for name, number in named.items()} | named

    def correct(self, claims: Iterable[Mapping]) -> None:
        """Set the level to that of one comparison, corrected over all that these claims make
        between trained networks, each once: sure things, as that one beats HE, would lift it."""
        p = {}
        for relation in {one for claim in claims for nearer in (False, True)
                         for one in self.ours(claim, nearer)}:
            cells = tuple(map(self.cell, relation.cells))
            with suppress(_Open):
                if all(map(self.trained, cells)):
                    p[cells, relation.sign, relation.margin] = self.compare(relation).p
        settled = sum(false_discovery_control([*p.values()]) <= LEVEL) if p else 0
        self.level = LEVEL * max(settled, 1) / max(len(p), 1)

    def trained(self, cell: Cell | None) -> bool:
        """Whether a cell is of a trained network."""
        return bool(cell) and any(run.trained for run in self.runs.get(cell.experiment, ()))

    def cell(self, name: str | float) -> Cell | None:
        """Experiment and metric behind a name; None for a constant and what is counted."""
        parts = str(name).split("/")
        return Cell(*parts) if len(parts) == 2 else _CELLS.get((self.paper, name))

    def ours(self, claim: Mapping, nearer: bool = False) -> list[Relation]:
        """The comparisons of a claim on ours, each once. nearer: "more AG or IE" becomes "nearer to
        the reference's"."""
        found = {}
        for one in relations(claim["check"], self.paper):
            sides = [self.cell(side) for side in (one.left, one.right)]
            if nearer and one.sign == ">" and all(sides) and sides[0].metric in TO_REFERENCE:
                left, right = (f"{side.experiment}/{TO_REFERENCE[side.metric]}" for side in sides)
                one = Relation(right, ">", left)  # the left is nearer
            elif any(side and side.experiment in self.runs for side in sides):
                one = replace(one, left=_pooled(one.left), right=_pooled(one.right))
            found[one] = None
        return list(found)

    def values(self, name: str | float) -> pd.DataFrame | float:
        """Of a cell, a row an image and a column a seed; or an exact number. _Open without any."""
        if not isinstance(name, str):
            return float(name)
        number, cell = self.numbers.get(name), self.cell(name)
        if number is not None and np.isnan(number.reproduced):
            raise _Open(f"{name} is missing ({number.why})")
        if cell and cell.experiment in self.runs:
            try:
                return measure(cell, self.runs[cell.experiment])
            except ValueError as problem:
                raise _Open(f"{name} cannot be had ({problem})") from None
        if number is not None and pd.isna(number.n_images):
            return float(number.reproduced)
        raise _Open(f"{name} has no run here: python -m lib.train --experiment {cell.experiment}")

    @cache
    def compare(self, relation: Relation) -> _Comparison:
        """A relation on our numbers. Raises _Open where it cannot be had."""
        sides = (relation.left, relation.right)
        values = {side: self.values(side) for side in sides}
        frames = {side: its for side, its in values.items() if isinstance(its, pd.DataFrame)}
        firsts = {side: self.runs[self.cell(side).experiment][0] for side in frames}
        indexes = [frame.index for frame in frames.values()]
        sets = {run.dataset for run in firsts.values()}
        if len(sets) > 1 or any(not index.equals(indexes[0]) for index in indexes):
            raise _Open(" and ".join(frames) + " are of different images")
        trained = [side for side in frames if firsts[side].trained]
        try:
            seeds = shared_seeds(*(self.runs[self.cell(side).experiment] for side in frames))
        except ValueError as why:
            raise _Open(str(why)) from None
        values |= {side: frames[side][seeds] for side in trained}
        left, right = (np.asarray(values[side]).T for side in sides)  # (S, N), (1, N) or a number
        better, gates = sides[int(left.mean() < right.mean())], []
        if better in trained and (cell := self.cell(better)).metric in AGAINST_BASELINES:
            gates = [Relation(f"{cell.experiment}/{cell.metric}", ">", f"{baseline}/{cell.metric}")
                     for baseline in BASELINES.get(EXPERIMENTS[cell.experiment].data, ())]
        shown = {side: f"{np.mean(values[side]):.4g}" for side in relation.cells}
        difference = left - right if frames else np.full(2, left - right)
        scenes = scenes_of(indexes[0]) if frames else None
        return _Comparison(relation, estimate(difference, scenes), shown, gates)

    def outcome(self, relation: Relation) -> tuple[bool | str | None, str]:
        """Whether a comparison is settled for the claim (True), against it, BELOW or open; why."""
        try:
            first = self.compare(relation)
            gates = [self.compare(gate).outcome(self.level) for gate in first.gates]
        except _Open as why:
            return None, str(why)
        outcome, text = first.outcome(self.level)
        failed = sorted((gate for gate in gates if not gate[0]), key=lambda gate: gate[0] is None)
        return (BELOW, failed[0][1]) if failed and outcome is not None else (outcome, text)

    def verdict(self, found: Sequence[Relation]) -> tuple[str, str]:
        """The verdict on our numbers, and the comparisons that decide it."""
        texts: dict[bool | str | None, list[str]] = {}
        for relation in found:
            outcome, text = self.outcome(relation)
            texts.setdefault(outcome, []).append(text)
        trained = [run.record for run in self.behind(found) if run.trained]
        against = "contradicted" if trained and all(map(is_whole, trained)) else "not seen"
        for outcome, verdict, word in ((False, against, "fail"), (BELOW, BELOW, "not above"),
                                       (None, "undecided", "open"), (True, "seen", "hold")):
            if outcome in texts:
                its = list(dict.fromkeys(texts[outcome]))
                return verdict, summary(its, f"{len(texts[outcome])} of {len(found)} {word}")
        raise ValueError("a claim without any comparison")

    def behind(self, found: Sequence[Relation]) -> list[Run]:
        """The runs that the cells of some comparisons are from."""
        cells = filter(None, (self.cell(side) for one in found for side in one.cells))
        names = dict.fromkeys(cell.experiment for cell in cells)
        return [run for name in names for run in self.runs.get(name, ())]

    def by_seed(self, found: Sequence[Relation], seeds: Sequence[Sequence[int]]) -> str:
        """The verdict of each seed that all trained networks have, at the same level; none where
        a comparison is of one value a seed, as of losses, which alone settles nothing."""
        verdicts = []
        for seed in sorted(set.intersection(*map(set, seeds))) if seeds else ():
            runs = {name: [run for run in its if not run.trained or run.record["seed"] == seed]
                    for name, its in self.runs.items()}
            alone = _Judge(self.paper, self.frame, runs, self.level)
            for one in found:
                with suppress(_Open):
                    made = alone.compare(one).difference
                    if made.n_seeds == made.n_scenes == 1:
                        return ""
            verdicts.append(f"{seed}: {alone.verdict(found)[0]}")
        return ", ".join(verdicts)

    def row(self, claim: Mapping) -> dict[str, str]:
        """The row of a claim."""
        row = {**dict.fromkeys(COLUMNS, ""), **claim}
        if "not_testable" in claim:
            row |= dict.fromkeys(("verdict_paper", "verdict_ours"), "not testable")
            return row | {"why": claim["not_testable"]}
        papers, found = relations(claim["check"], self.paper), self.ours(claim)
        verdict, why = self.verdict(found)
        nearer, runs = self.ours(claim, nearer=True), self.behind(found)
        trained = dict.fromkeys(run.record["experiment"] for run in runs if run.trained)
        seeds = [[run.record["seed"] for run in self.runs[name]] for name in trained]
        if found != papers and any("/Img" in side for one in papers for side in one.cells):
            why += " (over all test images)"
        if any(len(its) == 1 for its in seeds):
            why += " (one seed: true of these networks, training again may differ)"
        numbers = [self.numbers.get(side) for one in papers for side in one.cells]
        printed = {name: number.reported for name, number in self.numbers.items()}
        holds = None not in numbers and all(one.holds(printed) for one in papers)
        return row | {
            "verdict_paper": "not testable" if None in numbers else "holds" if holds else "fails",
            "verdict_ours": verdict, "by_seed": self.by_seed(found, seeds), "why": why,
            "seeds": _listed(" ".join(map(str, its)) for its in seeds),
            "steps": _listed(str(run.record["steps"] or "") for run in runs),
            "dataset": _listed([run.dataset for run in runs] or [n.dataset for n in numbers if n]),
            "trained": _listed(run.share for run in runs),
            "to_reference": self.verdict(nearer)[0] if nearer != found else "",
        }


def _pooled(name: str | float) -> str | float:
    """A cell of Table 3, which prints three images, as what it is over all test images."""
    return re.sub(r"/Img\d\.", "/", name) if isinstance(name, str) else name


_CELLS = {
    (table.paper, name): replace(cell, example=None)
    for table in TABLES.values() for (row, column), cell in table.cells.items()
    for name in (f"{table.item}/{row}/{column}", _pooled(f"{table.item}/{row}/{column}"))
}


def _listed(texts: Iterable[str]) -> str:
    """The different ones that are not empty."""
    return ", ".join(dict.fromkeys(text for text in texts if text))
