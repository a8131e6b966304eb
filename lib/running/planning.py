"""What has to run, and why: decided by the stamps and the state of the runs, without Snakemake."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from statistics import mean

import psutil

from lib import paths
from lib.machine import choose_device, cores
from lib.running.job import Job, Options, Plan, label
from lib.running.workflow import described, jobs, with_needs
from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.precision import choose_precision
from lib.training.profiles import PROFILES
from lib.training.status import to_do

MEMORY = 2e9  # bytes that a job may take, for the number of jobs at a time
URGENCY = ("nothing", "evaluate", "continue", "train")  # of lib.training.status.ToDo


def make_plan(
    options: Options, targets: Sequence[str] = (), force: bool = False, parallel: int | None = None
) -> Plan:
    """What has to run for `targets` (notebooks, experiments; none: all) and what they need.

    force: the targets are done from the first step, whatever is there. parallel: jobs at a time, by
    default as many as there are processors and memory for, and one on a GPU.
    """
    results, made = paths.results_dir(options.profile), jobs(options)
    to_run: dict[str, Job] = {}
    published = Published(options.profile)
    for job in with_needs(targets, made):
        forced = force and (not targets or not set(targets).isdisjoint(job.targets))
        what, why = _to_do(job, options, forced)
        above = [label(name) for name in job.needs if name in to_run]
        if why or above or not job.stamp(results).is_file():
            why = why or _changes(job, above, results)
            seconds = job.last(results).get("seconds", {}).get(what)
            if what == "train" and seconds is None:
                seconds = published.seconds(job.runs[0], options)
            to_run[job.name] = replace(job, what=what, why=why, seconds=seconds, force=forced)
    threads = PROFILES[options.profile].threads or cores()
    by_memory = int(psutil.virtual_memory().available // MEMORY)
    fitting = 1 if options.device == "cuda" else max(1, min(cores() // threads, by_memory))
    return Plan(options, list(to_run.values()), threads, parallel or fitting, published.told)


class Published:
    """How long trainings took that others have published, as a measure for those that were never
    run here. `told` names the processors that were asked about."""

    def __init__(self, profile: str):
        self.profile = profile
        self.devices: set[str] = set()

    @cached_property
    def runs(self) -> dict[str, list[dict]]:
        """Experiment -> the records of its trainings; read where a plan asks, and once."""
        found: dict[str, list[dict]] = {}
        for path in sorted(paths.published_dir(self.profile).glob("runs/*/seed*/run.json")):
            known = json.loads(path.read_text(encoding="utf-8"))
            if known.get("wall_time_s") and not known["config"]["experiment"]["weights_of"]:
                found.setdefault(known["experiment"], []).append(known)
        return found

    @property
    def told(self) -> str:
        return f", as on {' and '.join(sorted(self.devices))}" if self.devices else ""

    def seconds(self, experiment: str, options: Options) -> float | None:
        """Seconds of a training in the precision that it would have here, None where nothing says;
        by the share of steps that a run in the other precision takes longer, where there is one."""
        known = self.runs.get(experiment)
        if not known:
            return None
        wanted = choose_precision(options.precision, choose_device(options.device))
        alike = [run for run in known if run["config"]["precision"] == wanted]
        longer = 1.0 if alike else self._longer(EXPERIMENTS[experiment].recipe, wanted)
        asked = alike or known
        self.devices |= {f"{run['device']} in {run['config']['precision']}" for run in asked}
        return longer * mean(run["wall_time_s"] for run in asked)

    def _longer(self, recipe: str, precision: str) -> float:
        """How many times as long a recipe takes in a precision as in the other, by precision-*."""
        other = {"fp32": "bf16", "bf16": "fp32"}[precision]
        for name in (name for name in self.runs if name.endswith(f"-{precision}")):
            pair = self.runs[name], self.runs.get(name.removesuffix(precision) + other)
            if EXPERIMENTS[name].recipe == recipe and all(pair):
                here, there = (mean(run["wall_time_s"] / run["steps"] for run in its)
                               for its in pair)  # fmt: skip
                return here / there
        return 1.0


def _to_do(job: Job, options: Options, forced: bool) -> tuple[str, str]:
    """What to do (see `Job`) and why, as far as its runs say; no reason: they are whole."""
    network = any(EXPERIMENTS[name].network for name in job.runs)
    if forced or not job.runs:
        what = "train" if network else "evaluate" if job.runs else "run"
        return what, "asked for by --force" if forced else ""
    found = [
        to_do(paths.run_folder(options.profile, name, job.seed),
              resolve(name, options.profile, job.seed, precision=options.precision),
              described(EXPERIMENTS[name].data, options.data))
        for name in job.runs
    ]  # fmt: skip
    todo = max(found, key=lambda one: URGENCY.index(one.what))
    what = "check" if todo.what == "nothing" else todo.what if network else "evaluate"
    return what, todo.why


def _changes(job: Job, above: Sequence[str], results: Path) -> str:
    """Why a job has to run whose runs are whole; `above`: jobs that it needs and that run, too."""
    last = job.last(results)
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
    if labels := list(dict.fromkeys([*above, *map(label, new)])):
        found.append(f"what it reads is new: {first_few(labels)}")
    return "; ".join(found) or "it reads fewer runs than before"


def first_few(names: Sequence[str]) -> str:
    """At most three names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
