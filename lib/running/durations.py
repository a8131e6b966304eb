"""How long jobs take, from what earlier runs left in a results folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from lib.clock import clock
from lib.running.workflow import Job


def seconds_of(job: Job, made: dict[str, Job], results: Path) -> float | None:
    """Expected seconds of a job: what it took before, else the mean of its notebook's other jobs.

    None where nothing is recorded in `results`, the folder of one profile.
    """
    kin = [other for other in made.values() if other.notebook == job.notebook]
    for alike in ([job], kin):
        known = [seconds for other in alike
                 if (seconds := recorded_seconds(other, results)) is not None]
        if known:
            return mean(known)
    return None


def recorded_seconds(job: Job, results: Path) -> float | None:
    """The longer of the stamp's time, which after an interruption covers only the last part, and
    the training record's (run.json), which covers only the training but is kept in git."""
    times = [recorded(results / job.stamp, "seconds"),
             *(recorded((results / weights).with_name("run.json"), "wall_time_s")
               for weights in job.weights)]
    return max((seconds for seconds in times if seconds is not None), default=None)


def recorded(path: Path, key: str) -> float | None:
    try:
        return float(json.loads(path.read_text())[key])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def total(times: Sequence[float | None], parallel: int) -> str:
    """The sum of what is known, shared by `parallel` jobs at a time, and how many are unknown."""
    known = [seconds for seconds in times if seconds is not None]
    unknown = len(times) - len(known)
    if not known:
        return "unknown"
    note = f", {unknown} of unknown duration not counted" if unknown else ""
    return f"about {clock(sum(known) / min(parallel, len(times)))}{note}"
