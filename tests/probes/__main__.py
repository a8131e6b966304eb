"""Try thousands of odd things and print how they ended (see `tests.probes`)."""

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import hypothesis
from hypothesis import HealthCheck, Phase

from . import caches, options, pictures, results, sets, states
from .judging import CLEAR, CONFUSING, HANG, LOST, RIGHT, WRONG, Probe, Verdict, judge

ROOMS = (options, pictures, sets, states, caches, results)
COLUMNS = {"right or clear": (RIGHT, CLEAR), "traceback, confusing, hang": (CONFUSING, HANG),
           "silently wrong": (WRONG,), "lost": (LOST,)}


def draw(strategy, count: int, seed: int) -> list[Probe]:
    """`count` probes of a strategy, no two of one name; fewer, where it has no more."""
    found: dict[str, Probe] = {}

    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=3 * count, database=None, deadline=None, phases=[Phase.generate],
                         suppress_health_check=list(HealthCheck))
    @hypothesis.given(strategy)
    def take(probe: Probe) -> None:
        found.setdefault(probe.name, probe)

    take()
    return list(found.values())[:count]


def probes(cases: int, seed: int = 0) -> Iterator[Probe]:
    """All that are listed, and as many drawn as are left, by the weights of the rooms."""
    listed = [probe for room in ROOMS for probe in room.listed]
    yield from listed
    left = max(0, cases - len(listed))
    whole = sum(room.WEIGHT for room in ROOMS)
    for room in ROOMS:
        if count := round(left * room.WEIGHT / whole):
            yield from draw(room.drawn, count, seed)


def judged(some: Iterable[Probe]) -> Iterator[Verdict]:
    """The verdicts one by one, with caches and results of their own."""
    kept = {name: os.environ.get(name) for name in ("IR_CACHE", "IR_RESULTS", "IR_DATA")}
    with tempfile.TemporaryDirectory(prefix="probes-") as folder:
        try:
            os.environ.update(IR_CACHE=f"{folder}/cache", IR_RESULTS=f"{folder}/results")
            os.environ.pop("IR_DATA", None)
            for probe in some:
                yield judge(probe)
        finally:
            for name, value in kept.items():
                os.environ.pop(name, None)
                os.environ.update({name: value} if value is not None else {})


def table(verdicts: Sequence[Verdict]) -> str:
    """By area how many ended how."""
    areas = list(dict.fromkeys(verdict.probe.area for verdict in verdicts))
    lines = ["| area | tried | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for area in [*areas, "all"]:
        kinds = Counter(one.kind for one in verdicts if area in ("all", one.probe.area))
        cells = [sum(kinds[kind] for kind in its) for its in COLUMNS.values()]
        lines.append(" | ".join(["| " + area, *map(str, [sum(cells), *cells])]) + " |")
    return "\n".join(lines)


def summary(cases: int) -> tuple[int, dict[str, str], str]:
    """How many probes there were, by name what is told of those that ended badly, and the table."""
    verdicts = list(judged(probes(cases)))
    bad = {one.probe.name: str(one) for one in verdicts if one.kind not in (RIGHT, CLEAR)}
    return len(verdicts), bad, table(verdicts)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.probes",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=5000, help="about so many (5000)")
    parser.add_argument("--area", default="", help="only areas whose names hold this")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    given = parser.parse_args(arguments)
    chosen = (probe for probe in probes(given.cases, given.seed) if given.area in probe.area)
    verdicts = []
    for verdict in judged(chosen):
        verdicts.append(verdict)
        if verdict.kind not in (RIGHT, CLEAR):
            print(verdict, flush=True)
    print(table(verdicts))
    return int(any(verdict.kind not in (RIGHT, CLEAR) for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
