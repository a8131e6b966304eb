"""Run what is not up to date, in order, and say why and how long it takes.

    python -m lib.running.run_all [--profile P] [--only TARGET ...] ...      (./run_all.sh --help)

What there is to do stands in lib/running/workflow.py. Snakemake decides what has to run and runs it; here
its decisions are put into plain words.
"""

import argparse
import ast
import fcntl
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lib import paths
from lib.clock import clock
from lib.running.durations import seconds_of, total
from lib.training.experiments import EXPERIMENTS
from lib.training.profiles import PROFILES
from lib.running.workflow import NOTEBOOKS, Job, Options, UsageError, chosen_jobs, jobs, with_needs

MIN_FREE = 0.5e9  # bytes of free disk below which no run is started


@dataclass(frozen=True)
class Request:
    """What one call of run_all.sh asks for."""

    options: Options
    targets: tuple[str, ...] = ()  # notebooks and experiments; none: all notebooks
    force: bool = False
    parallel: int = 1  # jobs at a time

    @property
    def made(self) -> dict[str, Job]:
        return jobs(self.options)

    @property
    def chosen(self) -> list[Job]:
        return chosen_jobs(self.targets, self.made)

    @property
    def results(self) -> Path:
        return paths.results_dir(self.options.profile)

    def seconds_of(self, job: Job) -> float | None:
        return seconds_of(job, self.made, self.results)


@dataclass(frozen=True)
class Step:
    """A job that has to run, why, and how many seconds it is expected to take."""

    job: Job
    why: str
    seconds: float | None


# ------------------------------------------------------------------ what has to run, and why


@contextmanager
def snakemake_dag(request: Request):
    """Snakemake's view of a request, saying nothing: yields its (DAG API, workflow).

    What makes a job run again is what `Job.state` holds, a missing or incomplete output, or a job
    it needs that runs. Two runs are kept apart by `only_one_run`, not by Snakemake's own lock,
    which a killed run would leave behind.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.settings.enums import Quietness, RerunTrigger
    from snakemake.settings.types import (ConfigSettings, DAGSettings, OutputSettings,
                                          ResourceSettings)

    options, threads = request.options, threads_per_job(request.parallel)
    config = {"profile": options.profile, "seeds": options.seeds_text(),
              "device": options.device, "data": str(options.data), "threads": threads}
    output = OutputSettings(quiet={Quietness.ALL}, enable_file_logging=False)
    with SnakemakeApi(output) as api:
        workflow = api.workflow(
            ResourceSettings(cores=request.parallel * threads), ConfigSettings(config=config),
            snakefile=paths.REPO / "Snakefile", workdir=request.results)
        dag = workflow.dag(DAGSettings(
            targets=with_needs(request.chosen, request.made),  # so a deleted output is noticed
            forcerun={job.name for job in request.chosen} if request.force else set(),
            force_incomplete=True,
            rerun_triggers={RerunTrigger.MTIME, RerunTrigger.INPUT, RerunTrigger.PARAMS}))
        yield dag, workflow._workflow


def threads_per_job(parallel: int) -> int:
    """$OMP_NUM_THREADS, else an equal share of the processors this process may use."""
    if given := os.environ.get("OMP_NUM_THREADS"):
        return int(given.split(",")[0])
    cores = (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
             else os.cpu_count() or 1)
    return max(1, cores // parallel)


def plan(request: Request) -> list[Step]:
    """The jobs that have to run, in the order they are run in, and why each has to."""
    with snakemake_dag(request) as (dag_api, workflow):
        dag_api.execute_workflow(executor="dryrun")
        reasons = {job.rule.name: workflow.dag.reason(job) for job in workflow.dag.jobs}
    return [Step(job, plain_reason(job, reasons[name], request), request.seconds_of(job))
            for name, job in request.made.items()
            if name in reasons and any(reasons[name].get_names())]


def plain_reason(job: Job, reason, request: Request) -> str:
    """Snakemake's reason for running a job, in words a newcomer knows."""
    made, results = request.made, request.results
    if request.force and job in request.chosen:
        return "asked for by --force"
    if change := reason.params_changed:
        return changed(*([ast.literal_eval(text) for text in side]
                         for side in (change.only_old, change.only_new)))
    if not (results / job.stamp).exists() or reason.forced:
        return "did not finish last time" if (results / job.executed).exists() else "never run"
    if missing := [path for path in job.weights if not (results / path).exists()]:
        return f"{missing[0]} is missing"
    remade = {str(path) for path in reason.updated_input | reason.updated_input_run}
    above = [made[name].label for name in job.needs if remade & set(made[name].outputs)]
    if above:
        return f"what it reads is new: {first_few(above)}"
    return "what it reads is no longer the same set of runs"


def changed(old: Iterable[str], new: Iterable[str]) -> str:
    """What differs between two sets of "kind name value" texts, without the values."""
    kinds: dict[str, set[str]] = {}
    for state in (*old, *new):
        kind, name, _ = state.split(" ", 2)
        kinds.setdefault(kind, set()).add(name)
    return "; ".join(f"{kind} changed: {first_few(sorted(names))}"
                     for kind, names in sorted(kinds.items()))


def first_few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


# ------------------------------------------------------------------ running it


class Progress(logging.Handler):
    """Makes one line of each start and end of a job from Snakemake's events."""

    def __init__(self, steps: Sequence[Step], request: Request):
        super().__init__()
        self.steps, self.request = steps, request
        self.left = {step.job.name: step for step in steps}  # not done; failed ones stay
        self.failed: list[Job] = []
        self.started = 0
        # by Snakemake's number of the job: the step, what its lines begin with, its start
        self.running: dict[int, tuple[Step, str, float]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        from snakemake_interface_logger_plugins.common import LogEvent

        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO and record.rule_name in self.left:
            step = self.left[record.rule_name]
            self.started += 1
            begin = f"[{self.started}/{len(self.steps)}] {step.job.label}:"
            self.running[record.jobid] = (step, begin, time.monotonic())
            say(f"{begin} {step.why}")
        elif event == LogEvent.JOB_FINISHED and record.job_id in self.running:
            step, begin, start = self.running.pop(record.job_id)
            del self.left[step.job.name]
            say(f"{begin} done in {clock(time.monotonic() - start)}{self.time_left()}")
        elif event == LogEvent.JOB_ERROR and record.jobid in self.running:
            self.failed.append(self.running.pop(record.jobid)[0].job)

    def time_left(self) -> str:
        """From earlier runs, and for jobs without one from what this run has done so far."""
        times = [step.seconds or self.request.seconds_of(step.job)
                 for step in self.left.values() if step.job not in self.failed]
        return f"; time left: {total(times, self.request.parallel)}" if any(times) else ""


def execute(request: Request, progress: Progress) -> None:
    """Run what is asked for, with Snakemake; jobs that fail are in `progress.failed` afterwards.

    What does not need a failed job still runs. Snakemake runs in a thread, so that Ctrl-C and
    SIGTERM come to us: they stop the notebooks that run, wait until Snakemake has tidied up, and
    are passed on as KeyboardInterrupt. Any other error of Snakemake's own is raised here.
    """
    import psutil
    from snakemake.exceptions import WorkflowError
    from snakemake.logging import logger
    from snakemake.scheduling.greedy import SchedulerSettings
    from snakemake.settings.types import ExecutionSettings, SchedulingSettings

    running, errors = [], []

    def work() -> None:
        try:
            with snakemake_dag(request) as (dag_api, workflow):
                running.append(workflow)
                logger.addHandler(progress)
                dag_api.execute_workflow(
                    execution_settings=ExecutionSettings(lock=False, keep_going=True),
                    scheduling_settings=SchedulingSettings(scheduler="greedy"),
                    scheduler_settings=SchedulerSettings())
        except BaseException as error:
            errors.append(error)

    stopped = threading.Event()  # an exception in `join` would make it forget the thread
    handlers = {number: signal.signal(number, lambda *_: stopped.set())
                for number in (signal.SIGINT, signal.SIGTERM)}
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
        if stopped.is_set():
            for scheduler in [workflow.scheduler for workflow in running if workflow.scheduler]:
                scheduler.exit_gracefully()  # start nothing more
            for child in psutil.Process().children():
                child.terminate()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    if stopped.is_set():
        raise KeyboardInterrupt
    if errors and not (progress.failed and isinstance(errors[0], WorkflowError)):
        raise errors[0]


@contextmanager
def only_one_run(results: Path) -> Iterator[None]:
    """Keep a second run out of the same results; the lock ends with this process, however."""
    (results / "stamps").mkdir(exist_ok=True)
    with open(results / "stamps" / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"another run is writing to {results}; wait for it or stop it") from None
        yield


# ------------------------------------------------------------------ the command line


class Parser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(2, f"run_all.sh: {message} (./run_all.sh --help explains the options)\n")


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options that run_all.sh documents; anything else ends with one line and exit code 2."""
    parser = Parser(prog="run_all.sh", allow_abbrev=False, add_help=False)
    parser.add_argument("--profile", default="smoke", type=known_profile)
    parser.add_argument("--data")  # run_all.sh has seen that it is a folder
    parser.add_argument("--jobs", default=1, type=positive)
    parser.add_argument("--seeds", default=(0,), type=seed_list)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="TARGET")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args(arguments)


def known_profile(text: str) -> str:
    if text not in PROFILES:
        names = ", ".join(name for name in PROFILES if name != "test")
        raise argparse.ArgumentTypeError(f"unknown profile {text}, there are: {names}")
    return text


def positive(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def seed_list(text: str) -> tuple[int, ...]:
    seeds = text.split(",")
    if not all(seed.isdecimal() for seed in seeds) or len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"{text} is not a list of different seeds such as 0,1,2")
    return tuple(map(int, seeds))


def chosen_device(wanted: str) -> str:
    """"cpu" or "cuda"; raises UsageError where CUDA is asked for and absent."""
    if wanted == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise UsageError("--device cuda: PyTorch finds no CUDA GPU here; use --device cpu or auto")
    return "cpu"


def say(line: str) -> None:
    print(line, flush=True)


def show_list(request: Request) -> None:
    """Print what --only can be given, with the time each took before."""
    of_target = {job.target: job for job in reversed(request.made.values())}  # of the first seed

    def show(target: str, about: str) -> None:
        say(f"  {target:32}  {clock(request.seconds_of(of_target[target])):>8}  {about}")

    say(f"{'notebooks':35} time")
    for notebook in NOTEBOOKS:
        show(notebook.name, notebook.title)
    say("training runs, one per seed")
    for name, experiment in EXPERIMENTS.items():
        show(name, f"on {experiment.data}")


def run(given: argparse.Namespace) -> int:
    """Carry out a parsed command line; returns the exit code."""
    options = Options(given.profile, given.seeds, chosen_device(given.device),
                      paths.data_root(given.data))
    request = Request(options, tuple(given.only), given.force, given.jobs)
    results = request.results
    # notebooks run elsewhere: what was relative to this folder must not stay so
    os.environ.update(IR_RESULTS=str(results.parent), IR_CACHE=str(paths.cache_dir()),
                      PYTHONPATH=os.pathsep.join(
                          filter(None, [str(paths.REPO), os.environ.get("PYTHONPATH")])))
    if given.list:
        show_list(request)
        return 0
    chosen = request.chosen  # raises here, before anything is printed, where a target is unknown
    if shutil.disk_usage(results).free < MIN_FREE:
        raise OSError(f"less than {MIN_FREE / 1e9:.1f} GB of disk are free at {results}")

    say(f"profile {options.profile}, seeds {options.seeds_text()}, device {options.device}, "
        f"data {options.data}")
    steps = plan(request)
    if not steps:
        say("Nothing to do: everything is up to date.")
        return 0
    say(f"{len(steps)} {'job' if len(steps) == 1 else 'jobs'} to run, expected time: "
        f"{total([step.seconds for step in steps], given.jobs)}")
    if given.dry_run:
        for number, step in enumerate(steps, 1):
            say(f"  {number:3}  {step.job.label:34}  {clock(step.seconds):>8}  {step.why}")
        return 0
    progress = Progress(steps, request)
    with only_one_run(results):
        if given.force:  # train from the first step, not from where a stopped run was
            for weights in (path for job in chosen for path in job.weights):
                (results / weights).with_name("checkpoint.pt").unlink(missing_ok=True)
        execute(request, progress)
    if progress.failed:
        print(f"failed: {', '.join(job.label for job in progress.failed)}; {len(progress.left)} of "
              f"{len(steps)} jobs are not done, the same command goes on from here",
              file=sys.stderr)
        return 1
    say(f"All done. Tables, figures and numbers.csv are in {results}, executed notebooks in its "
        "folder executed.")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        return run(parse_arguments(arguments))
    except KeyboardInterrupt:
        print("stopped; run the same command to continue", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"run_all.sh: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1


if __name__ == "__main__":
    sys.exit(main())
