"""What has to run, and why: decided by the stamps and the state of the runs, without Snakemake."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from lib import paths
from lib.machine import cores, gpus
from lib.printing import first_few
from lib.running.estimates import Estimates
from lib.running.job import Job, Options, Plan, label
from lib.running.workflow import described, jobs, with_needs
from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.profiles import PROFILES
from lib.training.status import to_do

MEMORY_MB = 2000  # that a job may take where nothing says, for the number of jobs at a time
ON_CLUSTER = 4, 100  # threads of a job of a profile that takes all, and jobs given to it at a time
URGENCY = ("nothing", "evaluate", "continue", "train")  # of lib.training.status.ToDo


def make_plan(options: Options, targets: Sequence[str] = (), force: bool = False,
              parallel: int | None = None, cluster: str = "") -> Plan:
    """What has to run for `targets` (notebooks, experiments; none: all) and what they need.

    force: the targets are done from the first step, whatever is there. parallel: jobs at a time, by
    default as many as there are processors and memory for, and one on each GPU. cluster: where they
    run instead. Raises ValueError where one of them takes data that are broken.
    """
    results, made = paths.results_dir(options.profile), jobs(options)
    to_run: dict[str, Job] = {}
    threads = PROFILES[options.profile].threads or (ON_CLUSTER[0] if cluster else cores())
    estimates = Estimates(options, threads)
    for job in with_needs(targets, made):
        if job.broken:
            raise ValueError(job.broken)
        forced = force and (not targets or not set(targets).isdisjoint(job.targets))
        what, why = _to_do(job, options, results, forced)
        last = job.last(results)
        then = last.get("read", {})
        above = [label(name) for name in job.needs if name in to_run] or [
            label(name) for name, finished in job.sources(results).items()
            if then.get(name, finished) != finished]  # made again without it
        if why or above or not job.stamp(results).is_file():
            why = why or _changes(job, above, last, results)
            seconds, memory = last.get("seconds", {}).get(what), None
            if what == "train":
                memory = estimates.memory_mb(job.runs[0])
                seconds = seconds or estimates.seconds(job.runs[0])
            to_run[job.name] = replace(job, what=what, why=why, seconds=seconds, memory_mb=memory,
                                       force=forced)
    least = max([MEMORY_MB, *(job.memory_mb or 0 for job in to_run.values())])
    by_memory = int(psutil.virtual_memory().available / 1e6 // least)
    here = gpus() if options.device == "cuda" and not cluster else []
    fitting = ON_CLUSTER[1] if cluster else len(here) or max(1, min(cores() // threads, by_memory))
    return Plan(options, list(to_run.values()), threads, parallel or fitting, here, cluster)


def _to_do(job: Job, options: Options, results: Path, forced: bool) -> tuple[str, str]:
    """What to do (see `Job`) and why, as far as its runs say; no reason: they are whole."""
    network = any(EXPERIMENTS[name].network for name in job.runs)
    if forced or not job.runs:
        what = "train" if network else "evaluate" if job.runs else "run"
        return what, "asked for by --force" if forced else ""
    found = [
        to_do(paths.run_folder(results, name, job.seed),
              resolve(name, options.profile, job.seed, precision=options.precision),
              described(EXPERIMENTS[name].data, options.data)[0])
        for name in job.runs
    ]
    todo = max(found, key=lambda one: URGENCY.index(one.what))
    what = "check" if todo.what == "nothing" else todo.what if network else "evaluate"
    return what, todo.why


def _changes(job: Job, above: Sequence[str], last: dict, results: Path) -> str:
    """Why a job has to run whose runs are whole; `above`: jobs that it needs and that are new;
    `last`: what its newest stamp holds."""
    if job.begun(results).is_file():
        return "did not finish last time"
    if not last:
        return "not made by run_all.sh" if job.runs else "never run"
    then, found = last["parts"], []
    for part in sorted(then.keys() | job.parts.keys()):
        if then.get(part) != job.parts.get(part):
            code = last["definitions"].items() ^ job.definitions.items() if part == "code" else ()
            names = sorted({name.removeprefix("lib.") for name, _ in code})
            found.append(f"{part} changed{names and f': {first_few(names)}' or ''}")
    new = [name for name, identity in job.needs.items() if last["needs"].get(name) != identity]
    if read := list(dict.fromkeys([*above, *map(label, new)])):
        found.append(f"what it reads is new: {first_few(read)}")
    return "; ".join(found) or "it reads fewer runs than before"
