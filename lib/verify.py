"""Do the numbers follow from what is stored, and does that come from today's code and data?

    python -m lib.verify results/smoke [--data DIR] [--allow-stale]

Computes every number of numbers.csv again from the metrics of single images: those of the runs
(`test_images.csv`) or, where nothing is trained, those beside the tables (`lib.report.images`).
Ends with 0 where all agree, else with 1 and one line a problem.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import torch

from lib import reported
from lib.metrics import METRICS
from lib.networks.markov_discriminator import MarkovDiscriminator
from lib.networks.two_d_gan import TwoDGAN
from lib.paths import results_dir
from lib.report import complexity, numbers
from lib.report.examples import example_number
from lib.report.faces import image_numbers
from lib.report.images import read_images, read_record
from lib.report.numbers import Number
from lib.report.runs import Run, summarise
from lib.verify_sources import Problem, RunUnreadable, Today, check_source, read_run

FIELDS = (*numbers.VALUES, "seeds", "n_images", "dataset")
SOURCE = re.compile(r"runs/(?P<experiment>[^/]+)/seed(?P<seed>\d+)/run\.json")
TIMES = "Inference time (ms)"  # measured once for a machine: nothing to compute it from


class NotStored(ValueError):
    """What a number should be computed from is not there, or is not what it should be."""


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
    again = {_name(line): line for line in lines}
    filled = [line for line in lines if line["reproduced"] and line["item"] != "prose"]
    rests_on = {_name(line): _rests_on(line) for line in filled}
    measured = [_name(line) for line in filled if line["column"] == TIMES]
    counts, recomputed = _counts(), 0
    for line in filled:
        name = _name(line)
        if name in measured:
            continue
        try:
            number = counts.get(name) or _from_images(profile, line)
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


def _name(line: dict[str, str]) -> str:
    return "/".join(line[key] for key in ("paper", "item", "row", "column"))


def _wrong_frame(lines: list[dict[str, str]]) -> Iterator[Problem]:
    """Numbers of the papers that are not there, or not as printed."""
    printed = {_name(cell): cell["printed"] for cell in reported.load().to_dict("records")}
    there = {_name(line): line["reported"] for line in lines}
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
        parts = {_name(line): line for line in numbers.merge(profile).to_dict("records")}
    except ValueError as problem:
        yield Problem("number", "numbers.csv", str(problem))
        return
    for line in lines:
        part = parts.get(_name(line), line)
        if line["item"] == "prose" or not (line["reproduced"] or part["reproduced"]):
            continue
        for key in (*FIELDS, "source", "why"):
            if line[key] != part[key]:
                table = f"tables/{line['paper']}_{line['item']}.csv"
                yield Problem("number", _name(line), f"{key} {line[key] or 'empty'}, but in "
                                                     f"{table} {part[key] or 'empty'}")  # fmt: skip


def _from_images(profile: str, line: dict[str, str]) -> Number:
    """A number from the stored metrics of its images. Raises NotStored where they are not there."""
    metric = next((part for part in (line["row"].split(".")[-1], line["column"].split(".")[-1])
                   if part in METRICS), None)  # fmt: skip
    if metric is None:
        raise NotStored("neither its row nor its column names a metric")
    runs = _runs(profile, line) if line["source"] else []
    if runs:
        images, dataset = [run.test_images for run in runs], runs[0].record["dataset"]
    else:
        record = read_record(profile, line["paper"], line["item"])
        stored = read_images(profile, line["paper"], line["item"])
        if record is None or line["column"] not in stored:
            raise NotStored("no metrics of single images are stored for it; run its notebook again")
        images, dataset = [stored[line["column"]]], record["dataset"]
    if any(metric not in one for one in images):
        raise NotStored(f"no {metric} is stored for its images")
    if line["n_images"] == "1":
        image = line["why"].removeprefix("image ")
        if image not in images[0].index:
            raise NotStored(f"{image} is none of the images stored for it")
        values = [float(one.loc[image, metric]) for one in images]
        seeds = [run.record["seed"] for run in runs]
        return example_number(line["row"], line["column"], values, seeds, dataset)
    if runs:
        return summarise(runs, metric, line["column"])
    return image_numbers(line["column"], {metric: images[0][metric].to_numpy()}, dataset)[0]


def _runs(profile: str, line: dict[str, str]) -> list[Run]:
    source = SOURCE.fullmatch(line["source"])
    if not source or not re.fullmatch(r"\d+( \d+)*", line["seeds"]):
        raise NotStored(f"source {line['source']} with seeds {line['seeds']!r} names no run")
    seeds = [int(seed) for seed in line["seeds"].split()]
    if seeds[0] != int(source["seed"]):
        raise NotStored(f"its source is seed {source['seed']}, its seeds are {line['seeds']}")
    runs = [read_run(profile, source["experiment"], seed) for seed in seeds]
    fingerprints = {run.record["data_fingerprint"] for run in runs}
    same_images = all(run.test_images.index.equals(runs[0].test_images.index) for run in runs)
    if len(fingerprints) > 1 or not same_images:
        raise NotStored("its seeds were not judged on the same images")
    return runs


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
            yield Problem("number", _name(line), f"{key} is stored as {line[key] or 'empty'}, "
                                                 f"computed again {again[key] or 'empty'}")


def _percentages(again: dict[str, dict[str, str]]) -> dict[str, tuple]:
    """Each percentage of the prose: the two numbers it compares, and its line computed again."""
    found = {}
    prose = reported.load().query("item == 'prose'").to_dict("records")
    for cell in prose:
        paper, name = cell["paper"], _name(cell)
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
