"""Do the numbers follow from what is stored, and does that come from today's code and data?

    python -m lib.verify results/smoke [--data DIR] [--allow-stale]

Computes every number of numbers.csv again from the metrics of single images: those of the runs
(`test_images.csv`) or, where nothing is trained, those beside the tables (`lib.results.images`).
Ends with 0 where all agree, else with 1 and one line a problem.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import torch

from lib.papers import reported
from lib.networks.markov_discriminator import MarkovDiscriminator
from lib.networks.two_d_gan import TwoDGAN
from lib.paths import results_dir
from lib.results import complexity, numbers
from lib.results.examples import example_number
from lib.results.faces import image_numbers
from lib.results.numbers import Number
from lib.results.runs import summarise
from lib.results.stored import SOURCE, Measured, NotStored, Stored, name_of
from lib.results.sources import Problem, RunUnreadable, Today, check_source

FIELDS = (*numbers.VALUES, "seeds", "n_images", "dataset")
TIMES = "Inference time (ms)"  # measured once for a machine: nothing to compute it from


@dataclass(frozen=True)
class Verdict:
    """What was found. `rests_on` maps each number (`2dgan/table4/AG/C5`) to what it comes from."""

    problems: list[Problem]
    recomputed: int
    measured_once: list[str]
    unchecked_data: list[str]  # data sets that are not under the data root
    rests_on: dict[str, tuple[str, ...]]

    def stale(self) -> dict[str, list[str]]:
        """Each number that rests on something stale, with the reasons."""
        reasons = {}
        for problem in self.problems:
            if problem.kind == "stale":
                reasons.setdefault(problem.where, []).append(problem.what)
        found = {number: [what for where in rests for what in reasons.get(where, [])]
                 for number, rests in self.rests_on.items()}  # fmt: skip
        return {number: why for number, why in found.items() if why}


def verify(profile: str, data: Path | None = None) -> Verdict:
    """Check numbers.csv of a profile and all it rests on.

    Data are compared with those under `data`; where it is None, with those under $IR_DATA, else
    with those under data/ as far as they are there.
    """
    lines = _read_numbers(profile)
    if isinstance(lines, Problem):
        return Verdict([lines], 0, [], [], {})
    problems = [*_wrong_frame(lines), *_unlike_parts(profile, lines)]
    again = {name_of(line): line for line in lines}
    filled = [line for line in lines if line["reproduced"] and line["item"] != "prose"]
    rests_on = {name_of(line): _rests_on(line) for line in filled}
    measured = [name_of(line) for line in filled if line["column"] == TIMES]
    counts, stored, recomputed = _counts(), Stored(profile), 0
    for line in filled:
        name = name_of(line)
        if name in measured:
            continue
        try:
            number = counts.get(name) or _again(line, stored.measured(line))
        except NotStored as problem:
            problems.append(Problem("number", name, str(problem)))
        except RunUnreadable:
            pass  # one problem of the run, not one of each number
        else:
            again[name] = line | {key: numbers.as_text(number)[key] for key in FIELDS}
            problems += _differences(line, again[name])
            recomputed += 1
    for name, (cells, line) in _percentages(again).items():
        rests = [where for cell in cells for where in rests_on.get(cell, ())]
        rests_on[name] = tuple(dict.fromkeys(rests))
        problems += _differences(again[name], line)
        recomputed += bool(line["reproduced"])

    today = Today(data)
    for where in dict.fromkeys(where for rests in rests_on.values() for where in rests):
        problems += check_source(profile, where, today)
    return Verdict(problems, recomputed, measured, sorted(today.absent), rests_on)


def _read_numbers(profile: str) -> list[dict[str, str]] | Problem:
    path = results_dir(profile) / "numbers.csv"
    if not path.is_file():
        return Problem("number", "numbers.csv", "is not there; run notebooks/90_summary.ipynb")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    if list(frame.columns) != numbers.COLUMNS:
        return Problem("number", "numbers.csv", f"its columns are not {', '.join(numbers.COLUMNS)}")
    return frame.to_dict("records")


def _wrong_frame(lines: list[dict[str, str]]) -> Iterator[Problem]:
    """Numbers of the papers that are not there, or not as printed."""
    printed = {name_of(cell): cell["printed"] for cell in reported.load().to_dict("records")}
    there = {name_of(line): line["reported"] for line in lines}
    if len(there) != len(lines):
        yield Problem("number", "numbers.csv", "a number stands in it twice")
    for name in sorted(printed.keys() ^ there.keys()):
        what = "is missing" if name in printed else "is no number of the papers"
        yield Problem("number", name, what)
    for name in there:
        if printed.get(name, there[name]) != there[name]:
            yield Problem("number", name, f"reported: the paper prints {printed[name]}, "
                                          f"not {there[name]}")  # fmt: skip


def _unlike_parts(profile: str, lines: list[dict[str, str]]) -> Iterator[Problem]:
    """Numbers that differ from the tables they were merged from."""
    try:
        parts = {name_of(line): line for line in numbers.merge(profile).to_dict("records")}
    except ValueError as problem:
        yield Problem("number", "numbers.csv", str(problem))
        return
    for line in lines:
        part = parts.get(name_of(line), line)
        if line["item"] == "prose" or not (line["reproduced"] or part["reproduced"]):
            continue
        for key in (*FIELDS, "source", "why"):
            if line[key] != part[key]:
                table = f"tables/{line['paper']}_{line['item']}.csv"
                yield Problem("number", name_of(line), f"{key} {line[key] or 'empty'}, but in "
                                                       f"{table} {part[key] or 'empty'}")  # fmt: skip


def _again(line: dict[str, str], measured: Measured) -> Number:
    """A number from the stored metrics of its images."""
    if line["n_images"] == "1":
        values = [float(value) for value in measured.values.iloc[0]]
        seeds = [run.record["seed"] for run in measured.runs]
        return example_number(line["row"], line["column"], values, seeds, measured.dataset)
    if measured.runs:
        return summarise(measured.runs, measured.metric, line["column"])
    values = {measured.metric: measured.values.iloc[:, 0].to_numpy()}
    return image_numbers(line["column"], values, measured.dataset)[0]


@cache
def _counts() -> dict[str, Number]:
    """2D-GAN's Table 2 but for times: counted anew, on networks without memory of their own."""
    with torch.device("meta"):
        networks = {"Generator": TwoDGAN(), "Discriminator": MarkovDiscriminator()}
    counts = complexity.count_table(networks)
    found = [number for name in networks for number in complexity.count_numbers(counts, name)]
    return {f"2dgan/table2/{number.row}/{number.column}": number for number in found}


def _differences(line: dict[str, str], again: dict[str, str]) -> Iterator[Problem]:
    for key in FIELDS:
        if line[key] != again[key]:
            yield Problem("number", name_of(line), f"{key} is stored as {line[key] or 'empty'}, "
                                                   f"computed again {again[key] or 'empty'}")


def _percentages(again: dict[str, dict[str, str]]) -> dict[str, tuple]:
    """Each percentage of the prose: the two numbers it compares, and its line computed again."""
    found = {}
    prose = reported.load().query("item == 'prose'").to_dict("records")
    for cell in prose:
        paper, name = cell["paper"], name_of(cell)
        cells = [f"{paper}/{cell['new']}", f"{paper}/{cell['old']}"]
        if all(key in again for key in (name, *cells)):
            table = {(paper, cell[side]): again[f"{paper}/{cell[side]}"] for side in ("new", "old")}
            value = numbers.percentage(cell["new"], cell["old"], table, paper)
            found[name] = cells, again[name] | dict.fromkeys(FIELDS, "") | value
    return found


def _rests_on(line: dict[str, str]) -> tuple[str, ...]:
    source = SOURCE.fullmatch(line["source"])
    if source:
        return tuple(f"runs/{source['experiment']}/seed{seed}" for seed in line["seeds"].split())
    if line["item"] == "table2" and line["paper"] == "2dgan":
        return ()
    return (f"tables/{line['paper']}_{line['item']}_images",)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lib.verify", description=__doc__.splitlines()[0]
    )
    parser.add_argument("results", type=Path, help="results of a profile, e.g. results/smoke")
    parser.add_argument("--data", type=Path, help="data root; default $IR_DATA, else data/")
    parser.add_argument("--allow-stale", action="store_true",
                        help="print what is stale, but do not fail for it")
    options = parser.parse_args(arguments)
    folder = options.results.resolve()
    if not folder.is_dir():
        parser.error(f"there are no results in {options.results}")
    os.environ["IR_RESULTS"] = str(folder.parent)
    try:
        verdict = verify(folder.name, options.data)
    except (ValueError, FileNotFoundError) as problem:
        parser.error(str(problem))
    for problem in verdict.problems:
        print(problem)
    _print_summary(verdict)
    return int(any(problem.kind != "stale" or not options.allow_stale
                   for problem in verdict.problems))  # fmt: skip


def _print_summary(verdict: Verdict) -> None:
    print(f"{verdict.recomputed} numbers computed again from what is stored")
    if verdict.measured_once:
        print(f"measured once, nothing to compute from: {', '.join(verdict.measured_once)}")
    if verdict.unchecked_data:
        print(f"not under the data root, so not compared: {', '.join(verdict.unchecked_data)}")
    broken = sum(problem.kind != "stale" for problem in verdict.problems)
    print(f"{broken} problems, {len(verdict.stale())} stale numbers")


if __name__ == "__main__":
    sys.exit(main())
