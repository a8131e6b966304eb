"""Run what is not up to date, in order, and say why and how long it takes (./run_all.sh --help).

lib/running/workflow.py says what there is to do, lib/running/planning.py what of it has to run;
Snakemake runs that, from the plan that is handed to it.
"""

import contextlib
import difflib
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from argparse import ArgumentError, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path

import psutil
import yaml

from lib import paths
from lib.files import only_one, telling
from lib.printing import clock, say, whole
from lib.running.job import Job, Options, Plan
from lib.training.profiles import PROFILES

MIN_FREE = 0.5e9  # bytes of free disk below which no run is started
LOOK = 2  # seconds between two looks at how much memory is in use
GRACE = 60  # seconds that stopped trainings have for writing where they stand


def parse_arguments(arguments: Sequence[str] | None) -> Namespace:
    """The options that run_all.sh documents. Raises ArgumentError for anything else."""
    parser = ArgumentParser(allow_abbrev=False, add_help=False, exit_on_error=False)
    parser.add_argument("--profile", default="smoke", choices=[*PROFILES])
    parser.add_argument("--data")  # run_all.sh has seen that it is a folder
    parser.add_argument("--jobs", type=whole(1, 999))
    parser.add_argument("--seeds", type=_seeds)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--cluster", type=_cluster, metavar="NAME")
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="TARGET")
    parser.add_argument("--force", action="store_true")
    instead = parser.add_mutually_exclusive_group()  # of running
    for switch in ("--dry-run", "--list", "--publish", "--take-published"):
        instead.add_argument(switch, action="store_true")
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise ArgumentError(None, f"unknown option {unknown[0]}")
    return given


def _seeds(text: str) -> tuple[int, ...]:
    seeds = [int(seed) if seed.isdecimal() and len(seed) < 19 else -1 for seed in text.split(",")]
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ArgumentTypeError(f"{text!r} is not a list of different seeds such as 0,1,2")
    return tuple(sorted(seeds))


def _cluster(text: str) -> str:
    file = paths.REPO / "profiles" / text / "config.yaml"
    known = [path.parent.name for path in sorted(paths.REPO.glob("profiles/*/config.yaml"))]
    if text not in known or "executor" not in (settings := yaml.safe_load(file.read_text())):
        raise ArgumentTypeError(f"there is no profiles/{text}/config.yaml that names an executor")
    if not importlib.util.find_spec(f"snakemake_executor_plugin_{settings['executor']}"):
        raise ArgumentTypeError(f"Snakemake has no executor {settings['executor']} here; install "
                                "it with pip install --no-deps -r requirements-slurm.txt")
    return text


def execute(plan: Plan, results: Path) -> list[Job]:
    """Carry out a plan with Snakemake; returns the jobs that failed. Raises KeyboardInterrupt after
    Ctrl-C and SIGTERM, once all that ran has ended; OSError where Snakemake itself failed."""
    plan.write(results / "stamps" / "plan.json")
    if plan.cluster:  # it tells the numbers of the jobs there, and how they fail
        where = ["--workflow-profile", str(paths.REPO / "profiles" / plan.cluster),
                 "--jobs", str(plan.parallel), "--quiet", "host", "progress", "reason", "rules"]
    else:
        where = ["--workflow-profile", "none", "--executor", "local",
                 "--cores", str(plan.parallel * plan.threads), "--quiet", "all"]
    command = [
        sys.executable, "-P", "-m", "snakemake", "--snakefile", str(paths.REPO / "Snakefile"),
        "--nolock", "--scheduler", "greedy", "--keep-going", "--rerun-triggers", "mtime",
        "--drop-metadata", "--ignore-incomplete", "--force-use-threads", "--profile", "none",
        "--config", f"profile={plan.options.profile}", f"parent={os.getpid()}", *where,
    ]
    before = {job.name: _begun_at(job, results) for job in plan.jobs}  # by runs before this one
    stops: list[float] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stops.append(time.monotonic()))
    # in a session of its own: Ctrl-C comes to us alone and is passed on in order
    process = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)
    told, done, peak, looked = set(), set(), 0, 0.0
    while process.poll() is None:
        if plan.cluster:  # where jobs print what they do elsewhere
            _tell_done(plan, results, done)
        elif time.monotonic() - looked > LOOK:
            peak, looked = max(peak, _memory(psutil.Process())), time.monotonic()
        if len(stops) > 1 or (stops and time.monotonic() - stops[0] > GRACE):
            process.kill()
        elif stops and not plan.cluster:
            _tell_to_end(psutil.Process(process.pid), told)
        elif stops and not told:  # it takes its jobs back
            told.add(process.pid)
            process.send_signal(signal.SIGINT)
        time.sleep(1 if plan.cluster else 0.1)
    if plan.cluster:
        _tell_done(plan, results, done)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its jobs, where it was killed itself
    if stops:
        raise KeyboardInterrupt
    if not plan.cluster:
        say(f"At most {peak / 1e9:.1f} GB of memory were in use at a time")
    left = plan.left(results)
    failed = [job for job in left if _begun_at(job, results) != before[job.name]]
    if left and not failed:
        raise OSError(f"Snakemake failed; to see why: {shlex.join(command)}")
    return failed


def _begun_at(job: Job, results: Path) -> int | None:
    """When a job that is not done was begun, None where it was not: to be compared with itself, as
    the clock may be set back at any time."""
    begun = job.begun(results)
    return begun.stat().st_mtime_ns if begun.is_file() else None


def _memory(process: psutil.Process) -> int:
    """Bytes that a process and all that it started have in memory; what they share counts once."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            total += getattr(one.memory_full_info(), "pss", 0)  # which Linux alone tells
    return total


def _tell_done(plan: Plan, results: Path, told: set[str]) -> None:
    """Say which jobs are done that were not yet; `told`: their names."""
    for number, job in enumerate(plan.jobs, 1):
        if job.name not in told and job.stamp(results).is_file():
            told.add(job.name)
            left = f"; time left: {plan.time_left(results)}" if len(told) < len(plan.jobs) else ""
            say(f"[{number}/{len(plan.jobs)}] {job.label}: done{left}")


def _tell_to_end(snakemake: psutil.Process, told: set[int]) -> None:
    """Let Snakemake start nothing more, and its jobs end; `told`: processes that know already. Jobs
    are the children of the one that Snakemake has them forked from; theirs are left to them."""
    with contextlib.suppress(psutil.Error):
        jobs = [job for child in snakemake.children() for job in child.children()]
        for process in [snakemake, *jobs]:
            if process.pid not in told:
                told.add(process.pid)
                process.terminate()


def run(given: Namespace) -> int:
    """Carry out a parsed command line; returns the exit code."""
    results = paths.results_dir(given.profile)
    if given.publish or given.take_published:
        from lib.results.publish import publish, take_published

        # trainings by hand may go on beside it: their records are written last
        with only_one(results / ".lock", f"another run is writing to {results}; wait for it"):
            say(publish(given.profile) if given.publish else take_published(given.profile))
        return 0
    data = paths.data_root(given.data)
    for folder in (results, paths.cache_dir()):
        if shutil.disk_usage(folder).free < MIN_FREE:
            raise OSError(f"less than {MIN_FREE / 1e9:.1f} GB of disk are free at {folder}")
    from lib.machine import choose_device
    from lib.running.estimates import Estimates
    from lib.running.planning import make_plan
    from lib.running.workflow import jobs, titles

    try:  # for another machine, or to be told only, a GPU need not be here
        elsewhere = given.device != "auto" and (given.cluster or given.dry_run)
        device = given.device if elsewhere else choose_device(given.device).type
    except ValueError as problem:
        raise ArgumentError(None, f"--device {given.device}: {problem}") from None
    if given.cluster and given.device == "auto":
        raise ArgumentError(None, "--cluster needs --device cpu or cuda: "
                                  "its GPUs are not seen here")
    options = Options(given.profile, given.seeds, device, str(data), given.precision)
    # jobs run elsewhere: what was relative to this folder must not stay so
    os.environ.update(IR_RESULTS=str(results.parent), IR_CACHE=str(paths.cache_dir()),
                      PYTHONPATH=f"{paths.REPO}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    known = {target: job for job in jobs(options).values() for target in job.targets}
    if given.list:
        for target, title in titles().items():
            seconds = known[target].last(results).get("seconds", {})
            say(f"  {target:32}  {clock(max(seconds.values(), default=None)):>8}  {title}")
        return 0
    if unknown := [target for target in given.only if target not in known]:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f", did you mean {near[0]}?" if near else "; ./run_all.sh --list shows all"
        raise ArgumentError(None, f"unknown target {unknown[0]!r}{hint}")
    seeds = ",".join(map(str, options.seeds or ["0 and others that are finished"]))
    say(f"profile {options.profile}, seeds {seeds}, device {options.device}, data {options.data}")
    plan = make_plan(options, given.only, given.force, given.jobs, given.cluster or "")
    if not plan.jobs:
        say("Nothing to do: everything is up to date.")
        return 0
    at_a_time = f"{'at most ' if plan.cluster else ''}{plan.parallel} at a time"
    say(f"{len(plan.jobs)} {'job' if len(plan.jobs) == 1 else 'jobs'} to run, "
        f"{at_a_time}, expected time: {plan.time_left()}")
    if given.dry_run:
        for number, job in enumerate(plan.jobs, 1):
            say(f"  {number:3}  {job.label:32}  {job.what:8}  {clock(job.seconds):>8}  {job.why}")
        say(Estimates(options, plan.threads).table(plan.jobs))
        return 0
    advice = "wait for it or stop it"
    busy = f"another run is writing to {results}; {advice}"
    with telling(results), only_one(results / ".lock", busy):
        for lock in results.glob("runs/*/*/.lock"):  # of trainings by hand
            with only_one(lock, f"a training is writing to {lock.parent}; {advice}"):
                pass
        os.environ["IR_RUN_ALL"] = str(results)  # tells our own trainings from others
        failed = execute(plan, results)
    if failed:
        print(f"failed: {', '.join(job.label for job in failed)}; {len(plan.left(results))} of "
              f"{len(plan.jobs)} jobs are not done, the same command goes on from here",
              file=sys.stderr)
        return 1
    there = [name for name in ("numbers.csv", "tables", "figures", "report", "runs", "executed")
             if (results / name).exists()]
    say(f"All done. In {results}: {', '.join(there)}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        return run(parse_arguments(arguments))
    except KeyboardInterrupt:
        print("stopped; run the same command to continue", file=sys.stderr)
        return 130
    except ArgumentError as error:
        print(f"run_all.sh: {error} (./run_all.sh --help explains the options)", file=sys.stderr)
        return 2
    except (ValueError, OSError) as error:
        print(f"run_all.sh: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
