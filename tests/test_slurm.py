"""Jobs on a real SLURM of one node, whose daemons run in a temporary folder; only with IR_SLURM=1."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from test_run_all import PARAMETERS, SLEEPS, build, command, environment, wait_for, write_notebook

from lib.paths import REPO

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")
if os.environ.get("IR_SLURM") != "1":
    pytest.skip("IR_SLURM=1 is not set: no SLURM is started", allow_module_level=True)
if os.geteuid() or any(not shutil.which(name) for name in PROGRAMS):
    pytest.skip("needs root, and slurmctld, slurmd, slurm-client and munge", allow_module_level=True)

CONF = """
ClusterName=kit
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
JobCompType=jobcomp/filetxt
JobCompLoc={root}/completed.txt
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory}
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
SUBMITTED = re.compile(r"submitted with SLURM jobid (\d+)")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The folder of a SLURM without accounting, and the environment in which it is found."""
    root = tmp_path_factory.mktemp("slurm")
    for folder in (*root.parents[:2], root):  # munged asks for it
        folder.chmod(0o755)
    for name in ("state", "spool", "bin"):
        (root / name).mkdir()
    (root / "munge.key").write_bytes(os.urandom(128))
    (root / "munge.key").chmod(0o400)
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], two.getsockname()[1]
    conf = root / "slurm.conf"
    conf.write_text(CONF.format(root=root, host=socket.gethostname(), ports=ports,
                                cpus=os.cpu_count(),
                                memory=psutil.virtual_memory().total // 2**21))
    # the plugin's job step drops SLURM_CONF, which only a SLURM outside /etc needs
    srun = root / "bin/srun"
    srun.write_text(f"#!/bin/sh\nSLURM_CONF={conf} exec {shutil.which('srun')} \"$@\"\n")
    srun.chmod(0o755)
    found = {"SLURM_CONF": str(conf), "PATH": f"{root}/bin:{os.environ['PATH']}"}
    daemons = []
    for start in (
        ["munged", "--foreground", "--force", *(f"--{name}={root}/munge.{name.split('-')[0]}" for name in
         ("key-file", "socket", "pid-file", "log-file", "seed-file"))],
        ["slurmctld", "-D", "-i"], ["slurmd", "-D"],
    ):
        log = open(root / f"{start[0]}.out", "wb")
        daemons.append(subprocess.Popen(start, env=os.environ | found, stdout=log, stderr=log))
        time.sleep(1)
    wait_for(lambda: "idle" in slurm(found, "sinfo", "--noheader"), seconds=60)
    yield root, found
    slurm(found, "scancel", "--user=root")
    for daemon in reversed(daemons):
        daemon.terminate()
        daemon.wait(timeout=30)


def slurm(found: dict, *arguments: str) -> str:
    done = subprocess.run(arguments, env=os.environ | found, capture_output=True, text=True)
    return done.stdout


def kit(*arguments, results: Path, **more) -> str:
    """What ./run_all.sh of the repository printed."""
    profile = os.environ.get("IR_SLURM_PROFILE", "test")
    started = [str(REPO / "run_all.sh"), "--profile", profile, "--device", "cpu", *arguments]
    with_results = os.environ | {"IR_RESULTS": str(results), "VIRTUAL_ENV": sys.prefix} | more
    done = subprocess.run(started, env=with_results, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_results_are_those_of_a_run_without_slurm(cluster, tmp_path, capsys):
    """IR_SLURM_ONLY names other targets than these few, "all" the whole matrix; IR_SLURM_PROFILE
    another profile."""
    root, found = cluster
    targets = os.environ.get("IR_SLURM_ONLY", "TIECNN HE 02_audit").split()
    only = [] if targets == ["all"] else ["--only", *targets]
    here, there = tmp_path / "here", tmp_path / "there"
    shown = kit("--cluster", "slurm", *only, results=there, **found)
    kit(*only, results=here)
    numbers = SUBMITTED.findall(shown)
    completed = re.findall(r"^JobId=(\d+) .*JobState=COMPLETED", (root / "completed.txt").read_text(), re.M)
    with capsys.disabled():
        print(f"\nSLURM jobs submitted: {', '.join(numbers)}")
    assert numbers and set(numbers) <= set(completed)
    assert f"{len(numbers)} jobs to run" in shown and "All done" in shown
    compared = 0
    for file in sorted(here.rglob("*")):
        name = file.relative_to(here)
        if file.suffix in (".safetensors", ".csv"):
            assert (there / name).read_bytes() == file.read_bytes(), name
            compared += 1
    assert compared
    assert "Nothing to do" in kit("--cluster", "slurm", *only, results=there, **found)


@pytest.mark.parametrize("how, code", [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_jobs_end_with_the_run_that_submitted_them(cluster, tmp_path, how, code):
    """Ctrl-C takes them back; after kill -9 they miss its lock. The next run goes on."""
    _, found = cluster
    root = build(tmp_path)
    shutil.copytree(REPO / "profiles/slurm", root / "profiles/slurm")
    write_notebook(root / "notebooks/10_plain.ipynb", PARAMETERS, SLEEPS.format(root=root))
    given = "--only", "10_plain", "--cluster", "slurm", "--device", "cpu"
    process = subprocess.Popen(command(root, *given), env=environment(root, **found), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for((root / "begun").exists, seconds=120)
    process.send_signal(how)
    assert process.wait(timeout=90) == code
    wait_for(lambda: not slurm(found, "squeue", "--noheader"), seconds=90)
    write_notebook(root / "notebooks/10_plain.ipynb", PARAMETERS, "print(1)")
    done = subprocess.run(command(root, *given), env=environment(root, **found), text=True,
                          capture_output=True)
    assert done.returncode == 0 and "10_plain: done" in done.stdout, done.stderr
