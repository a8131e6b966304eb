"""Carry out one job of a plan and stamp it; what it prints stands behind its label.

A job is a process of its own, but no new one: it is forked from a process that has imported PyTorch
already (lib/running/warm.py), as that takes longer than many a training of the profile smoke.
"""

import contextlib
import logging
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from pathlib import Path

from filelock import FileLock, Timeout

from lib.files import telling
from lib.paths import NOTEBOOKS
from lib.printing import clock, say
from lib.running.job import Job, Options, Plan, end, is_under_way, live_while

ASK = 10  # seconds between the questions of a job on a cluster whether its run goes on


class Prefixed:
    """A text stream that passes whole lines on to `stream`, each behind `[label]`."""

    def __init__(self, label: str, stream):
        self.label, self.stream, self.rest = label, stream, ""

    def write(self, text: str) -> None:
        *lines, self.rest = (self.rest + text).replace("\r", "\n").split("\n")
        for line in filter(str.strip, lines):
            self.stream.write(f"[{self.label}] {line.rstrip()}\n")
        self.flush()

    def flush(self) -> None:
        self.stream.flush()

    def close(self) -> None:
        """Pass on what had no end of line."""
        if self.rest:
            self.write("\n")


def make_runs(job: Job, options: Options) -> str:
    """Train, or evaluate, what of the job's runs is not as it has to be; returns why it failed."""
    from lib.networks.weights import PretrainedUnavailable
    from lib.training.engine import TrainingDiverged
    from lib.training.run import run

    try:
        for experiment in job.runs:
            run(experiment, options.profile, job.seed, options.data, device=options.device,
                force=job.force, precision=options.precision)
    except (ValueError, OSError, PretrainedUnavailable, TrainingDiverged) as problem:
        return str(problem) or repr(problem)
    return ""


def execute_notebook(job: Job, options: Options, executed: Path) -> str:
    """Run the job's notebook into `executed`, which stays, with its traceback where it fails;
    returns why it failed. The kernel is this very interpreter, and Jupyter's files are in a folder
    of ours alone: a kernel of the same name in the user's home cannot come between."""
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    # jsonschema's optional checker of international addresses compiles its grammar for a second
    # when it is imported; a notebook's format has none of them
    sys.modules["rfc3987_syntax"] = None
    from ipykernel.kernelspec import write_kernel_spec

    folder = executed.with_name(f".{job.name}")  # of one name: what a kill leaves is used again
    shutil.rmtree(folder, ignore_errors=True)
    tempfile.tempdir = str(folder)  # where the kernel's connection is noted
    (folder / "kernels").mkdir(parents=True)
    write_kernel_spec(folder / "kernels" / "python3", extra_arguments=["--log-level=CRITICAL"])
    os.environ.update(JUPYTER_PATH=str(folder), JUPYTER_RUNTIME_DIR=str(folder / "runtime"),
                      IPYTHONDIR=str(folder / "ipython"), PYDEVD_DISABLE_FILE_VALIDATION="1")
    import papermill  # reads Jupyter's settings from the environment when it is imported
    from traitlets.config import Config

    logging.getLogger("papermill").setLevel(logging.ERROR)
    config = Config()
    config.KernelManager.transport_encryption = "auto"
    # a kernel that has run its last cell has nothing left to do, but needs a second to unload
    # PyTorch and its CUDA libraries one by one
    config.PapermillNotebookClient.shutdown_kernel = "immediate"
    parameters = {"profile": options.profile, "data": options.data, "device": options.device}
    if job.needs:
        parameters["seeds"] = options.seeds and list(options.seeds)
    os.chdir(NOTEBOOKS)
    target = str(executed).replace("{", "{{").replace("}", "}}")  # papermill fills in braces
    try:
        papermill.execute_notebook(
            f"{job.name}.ipynb", target, parameters, kernel_name="python3", cwd=".", config=config,
            progress_bar=False, stdout_file=sys.stdout, stderr_file=sys.stderr,
            autosave_cell_every=30)
    except papermill.PapermillExecutionError as error:
        told = f"{error.ename}: {error.evalue}".strip().splitlines()[0]
        return f"{told} (the executed copy: {executed})"
    except RuntimeError as problem:  # nbclient's, of a kernel
        return f"its kernel was killed, wants memory or is not answered ({problem})"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ""


def usage(notebook: bool) -> dict[str, int]:
    """Peak memory of this job in MiB, and what it wrote to the disk in MiB, in stamps' names. Of a
    notebook both of this process and of its kernel, the largest process that it waited for."""
    used = [resource.getrusage(resource.RUSAGE_SELF)]
    if notebook:  # a training's only child, git, counts with all that is its parent's
        used.append(resource.getrusage(resource.RUSAGE_CHILDREN))
    return {"memory_mb": sum(one.ru_maxrss for one in used) // 2**10,
            "written_mb": sum(one.ru_oublock for one in used) * 512 // 2**20}


def take_gpu(plan: Plan, results: Path) -> FileLock | None:
    """Let this process see one of the plan's GPUs alone: that of the first place that is free, of
    as many as jobs run at a time. It is taken as long as the lock is kept."""
    for place in range(plan.parallel if plan.gpus else 0):
        lock = FileLock(results / f"stamps/.place{place}.lock", blocking=False)
        with contextlib.suppress(Timeout):
            lock.acquire()
            os.environ["CUDA_VISIBLE_DEVICES"] = plan.gpus[place % len(plan.gpus)]
            return lock
    return None


def carry_out(plan_file: Path, name: str, stamp: str) -> None:
    """Do a job, in Snakemake's stead, in a process of its own. Raises RuntimeError where it leaves
    no stamp: its exit code the thread that starts another job may have taken."""
    process = multiprocessing.get_context("forkserver").Process(target=main, args=(plan_file, name))
    process.start()
    process.join()
    if not Path(stamp).is_file():
        raise RuntimeError(f"{name} is not done")


def main(plan_file: Path, name: str) -> None:
    """The process of a job, which ends with Snakemake and with the process it was forked from.
    Ctrl-C and SIGTERM let a training write where it stands first."""
    snakemake, forked_from = multiprocessing.parent_process(), os.getppid()
    live_while(lambda: snakemake.is_alive() and os.getppid() == forked_from)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's is ignored
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    results, plan = plan_file.parent.parent, Plan.read(plan_file)
    number, job = next((k, job) for k, job in enumerate(plan.jobs, 1) if job.name == name)
    begin = f"[{number}/{len(plan.jobs)}] {job.label}:"
    say(f"{begin} {job.why}")
    if plan.cluster:
        if not is_under_way(plan_file, plan.made_by):
            print(f"[{job.label}] FAILED: the lock {results / '.lock'} of run_all.sh is not seen "
                  f"from {socket.gethostname()}: that has ended, or this file system keeps locks "
                  "within a machine (Lustre: mount it with -o flock)", file=sys.stderr)
            return
        live_while(lambda: is_under_way(plan_file, plan.made_by), every=ASK)
    taken = take_gpu(plan, results)  # to the end of this process
    start = time.monotonic()
    out, err = Prefixed(job.label, sys.stdout), Prefixed(job.label, sys.stderr)
    with (contextlib.closing(out), contextlib.closing(err),
          contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)):
        try:
            with telling(results):
                job.begin(results)
                if job.runs:
                    why = make_runs(job, plan.options)
                else:
                    why = execute_notebook(job, plan.options, results / f"executed/{name}.ipynb")
                took = {"seconds": round(time.monotonic() - start, 1)} | usage(not job.runs)
                if not why:
                    job.finish(results, **took)
        except KeyboardInterrupt:
            return
        except OSError as problem:
            why = str(problem) or repr(problem)
        except Exception as problem:
            traceback.print_exc()
            why = repr(problem)
        if why:
            print(f"FAILED: {why}", file=sys.stderr)
            return
    left = f"; time left: {plan.time_left(results)}" if plan.left(results) else ""
    say(f"{begin} done in {clock(took['seconds'])}{left}")
