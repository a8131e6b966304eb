"""A job, the stamp that says it is done, and the plan of one run.

A stamp, `stamps/<job>.<identity>.json`, says that what the job makes is there, made from what its
identity stands for. From its start until it is done a job has none, but `stamps/<job>.begun`.
Every job's process imports this module, so it imports nothing heavy.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

import psutil

from lib.files import only_one, write_text
from lib.printing import clock
from lib.provenance import digest


@dataclass(frozen=True)
class Options:
    """What a run is made with; `seeds` None stands for 0 and all others that are finished, `data`
    is the data root, `device` "cpu" or "cuda", `precision` "fp32", "bf16" or "auto"."""

    profile: str
    seeds: tuple[int, ...] | None
    device: str
    data: str
    precision: str = "auto"


@dataclass(frozen=True)
class Job:
    """One piece of work: a training, the evaluation of untrained methods, or a notebook.

    parts: kind -> digest or value of what its result depends on. needs: name of a job that it reads
    -> that one's identity. runs: the experiments whose runs with `seed` it makes; none: it is a
    notebook. definitions: the code of a notebook, to name what of it changed. broken: what is wrong
    with the data that it takes, so that it cannot be done.

    In a plan also: what there is to do ("train", "continue", "evaluate", "check" of runs that
    something else made, "run" a notebook), why, how many seconds that took before (None: not
    known), how many MB of memory it needs, and whether it is done by force, from the first step.
    """

    name: str
    parts: dict[str, str]
    needs: dict[str, str] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    seed: int = 0
    definitions: dict[str, str] = field(default_factory=dict)
    broken: str = ""
    what: str = ""
    why: str = ""
    seconds: float | None = None
    memory_mb: int | None = None
    force: bool = False

    @property
    def label(self) -> str:
        """What it is called in print."""
        return label(self.name)

    @property
    def targets(self) -> list[str]:
        """What --only calls it."""
        return self.runs or [self.name]

    @property
    def identity(self) -> str:
        return digest([self.parts, self.needs])

    def stamp(self, results: Path) -> Path:
        return results / stamp_of(self.name, self.identity)

    def begun(self, results: Path) -> Path:
        """The file that keeps its stamp of before from its start until it is done."""
        return results / "stamps" / f"{self.name}.begun"

    def last(self, results: Path) -> dict:
        """What its newest stamp holds, of whatever identity; empty where there is none."""
        newest = sorted(results.glob(stamp_of(self.name, "*")), reverse=True,
                        key=lambda path: path.stat().st_mtime)
        for path in [*newest, self.begun(results)]:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                found = json.loads(path.read_text(encoding="utf-8"))
                if found.keys() >= {"parts", "needs", "definitions", "seconds"}:
                    return found
        return {}

    def sources(self, results: Path) -> dict[str, str]:
        """Name of a job that it needs and that is done -> when that was finished."""
        found = {}
        for name, identity in self.needs.items():
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                stamp = results / stamp_of(name, identity)
                found[name] = json.loads(stamp.read_text(encoding="utf-8"))["finished"]
        return found

    def begin(self, results: Path) -> None:
        """From now on it is not done, whatever it was before."""
        write_text(self.begun(results), json.dumps(self.last(results)))
        for stamp in results.glob(stamp_of(self.name, "*")):
            stamp.unlink()

    def finish(self, results: Path, **took: float) -> None:
        """It is done, and what there was to do took so much: `seconds`, and what `usage` gives."""
        last = self.last(results)
        took = {name: last.get(name, {}) | {self.what: much} for name, much in took.items()}
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        stamp = asdict(self) | took | {"finished": now, "read": self.sources(results)}
        write_text(self.stamp(results), json.dumps(stamp) + "\n")
        self.begun(results).unlink()


def stamp_of(name: str, identity: str) -> str:
    """Where the stamp of a job is, relative to the results of the profile."""
    return f"stamps/{name}.{identity}.json"


def label(name: str) -> str:
    """What a job of this name is called in print."""
    return name.replace("_seed", " seed")


@dataclass(frozen=True)
class Plan:
    """What is to run, in order: `parallel` jobs at a time, each with so many threads. `gpus`: those
    of this machine that jobs use, a GPU each. `cluster`: the folder of profiles/ that says where
    jobs go instead. `made_by`: the process that made the plan."""

    options: Options
    jobs: list[Job]
    threads: int
    parallel: int
    gpus: list[str] = field(default_factory=list)
    cluster: str = ""
    made_by: int = field(default_factory=os.getpid)

    def write(self, path: Path) -> None:
        """Write the plan for its jobs, and see to it that none of them counts as done."""
        results = path.parent.parent
        for job in self.jobs:
            if job.stamp(results).is_file():
                job.begin(results)
        for stamp in path.parent.glob("*.json"):
            if stamp.stat().st_mtime > time.time():  # the clock was set back; Snakemake takes no
                os.utime(stamp)  # output that is older than what the job reads
        write_text(path, json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "Plan":
        plan = json.loads(path.read_text(encoding="utf-8"))
        jobs = [Job(**job) for job in plan["jobs"]]
        return cls(**plan | {"options": Options(**plan["options"]), "jobs": jobs})

    def left(self, results: Path) -> list[Job]:
        """The jobs that are not done."""
        return [job for job in self.jobs if not job.stamp(results).is_file()]

    def time_left(self, results: Path | None = None) -> str:
        """How long the jobs take that are not done, None: all, as far as is known: one that was
        never done counts as the mean of those with the same to do, this run's included."""
        left, of_kind = self.left(results) if results else self.jobs, {}
        for job in self.jobs:
            done = {} if job in left else job.last(results).get("seconds", {})
            if seconds := done.get(job.what, job.seconds):
                of_kind.setdefault(job.what, []).append(seconds)
        times = [job.seconds or mean(of_kind.get(job.what, [0])) for job in left]
        if not any(times):
            return "unknown"
        unknown = times.count(0)
        note = f", {unknown} of unknown duration not counted" if unknown else ""
        return f"about {clock(sum(times) / min(self.parallel, len(times)))}{note}"


def resources(job: Job, plan: Plan) -> dict[str, int]:
    """What a cluster is asked for, with something to spare: MB, minutes, GPUs; what is not known
    is left to the profile of the cluster."""
    asked = {"gpu": 1} if plan.options.device == "cuda" else {}
    if job.memory_mb:
        asked["mem_mb"] = 1000 + job.memory_mb * 3 // 2
    if job.seconds:
        asked["runtime"] = 10 + round(job.seconds / 30)  # twice as long
    return asked


def is_under_way(plan_file: Path, made_by: int) -> bool:
    """Whether the run_all.sh that made a plan still holds the lock on its results. Asked from
    another machine that is the proof, too, that locks reach from one to the other."""
    with contextlib.suppress(BlockingIOError), only_one(plan_file.parent.parent / ".lock", ""):
        return False
    return Plan.read(plan_file).made_by == made_by


def live_while(condition: Callable[[], bool], every: float = 0.3) -> None:
    """See to it that this process, and all that it started, ends once a condition does not hold;
    it is asked after so many seconds each time."""

    def watch() -> None:
        while condition():
            time.sleep(every)
        end()

    threading.Thread(target=watch, daemon=True).start()


def end(*_) -> None:
    """End this process at once, and all that it started; a signal's handler, too."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    os._exit(130)
