"""run_all.sh and what lies under it: on a miniature of the kit, then with a real training."""

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from lib.files import only_one
from lib.paths import REPO
from lib.printing import clock
from lib.results.tables import NOTEBOOKS as REAL_NOTEBOOKS
from lib.running import run_job, workflow
from lib.running.estimates import Estimates
from lib.running.job import Job, Options, Plan, is_under_way, resources
from lib.running.planning import make_plan
from lib.training import cost
from lib.training.cost import Cost
from lib.training.experiments import EXPERIMENTS
from made_runs import edit, put

OURS = ("Snakefile", "profiles/default/config.yaml", "run_all.sh",
        "lib/files.py", "lib/paths.py", "lib/printing.py", "lib/provenance.py")
MODULES = {
    "lib/machine.py": """
from types import SimpleNamespace

def choose_device(name):
    if name == "cuda":
        raise ValueError("PyTorch finds no CUDA GPU here")
    return SimpleNamespace(type="cpu")

def cores():
    return 2

def gpus():
    return []
""",
    "lib/data/catalogue.py": """
from lib.data.fingerprint import DataSet

def describe(key, root):
    file = root / f"{key}.txt"
    return DataSet(file.read_text() if file.exists() else "0")
""",
    "lib/data/fingerprint.py": """
from dataclasses import dataclass

@dataclass(frozen=True)
class DataSet:
    fingerprint: str
""",
    "lib/networks/weights.py": "class PretrainedUnavailable(RuntimeError): pass",
    "lib/training/engine.py": "class TrainingDiverged(RuntimeError): pass",
    "lib/training/profiles.py": """
from dataclasses import dataclass

@dataclass(frozen=True)
class Profile:
    steps: int = 1
    threads: int = 1

PROFILES = {name: Profile() for name in ("smoke", "laptop", "paper")}
""",
    "lib/training/experiments.py": """
from dataclasses import dataclass
from types import SimpleNamespace

@dataclass(frozen=True)
class Experiment:
    name: str
    title: str = "a network"
    recipe: str = "a recipe"
    data: str = "things"
    network: str | None = "net"
    weights_of: str = ""
    rate: float = 1.0

    @property
    def trained(self):
        return bool(self.network or self.weights_of)

EXPERIMENTS = {e.name: e for e in (
    Experiment("E1"), Experiment("E1-elsewhere", network=None, weights_of="E1"),
    Experiment("raw", network=None), Experiment("flat", network=None))}

def resolve(name, profile, seed=0, precision="auto"):
    return SimpleNamespace(experiment=EXPERIMENTS[name], profile=profile, seed=seed)
""",
    "lib/training/cost.py": "Cost = object\ndef of_step(*_): return None",
    "lib/training/precision.py": "def choose_precision(name, device): return 'fp32'",
    "lib/training/identity.py": """
MACHINERY = ("lib.files", "lib.paths", "lib.printing", "lib.machine", "lib.provenance")

def trained_by(config, dataset):
    return {"code": "1", "configuration": f"{config.experiment.rate}{config.profile}{config.seed}",
            "data": dataset.fingerprint}

def evaluated_by(config, dataset):
    return {"code": "metric 1"}
""",
    "lib/training/status.py": """
import json
from dataclasses import dataclass
from lib.training.identity import evaluated_by, trained_by

@dataclass(frozen=True)
class ToDo:
    what: str
    why: str = ""

def to_do(folder, config, dataset):
    if not (folder / "run.json").is_file():
        return ToDo("train", "never run")
    known = json.loads((folder / "run.json").read_text())
    for part, now in trained_by(config, dataset).items():
        if known["trained"][part] != now:
            return ToDo("train", f"training {part} changed")
    if not (folder / "weights").is_file():
        return ToDo("train", "weights is missing")
    return ToDo("nothing") if known["evaluated"] == evaluated_by(config, dataset) else ToDo(
        "evaluate", "evaluation code changed")
""",
    "lib/training/run.py": """
import json, os
from pathlib import Path
from lib import paths
from lib.data.catalogue import describe
from lib.training.experiments import resolve
from lib.training.identity import evaluated_by, trained_by
from lib.training.status import ToDo, to_do

def run(experiment, profile, seed, data, device, force, precision, report=print):
    config, dataset = resolve(experiment, profile, seed), describe("things", Path(data))
    folder = paths.run_folder(paths.results_dir(profile), experiment, seed)
    todo = ToDo("train") if force else to_do(folder, config, dataset)
    report(f"{todo.what} on {data}")
    if Path(data, "broken.txt").exists():
        raise ValueError("things are broken")
    folder.mkdir(parents=True, exist_ok=True)
    if todo.what == "train":
        (folder / "weights").write_text("weights")
    if todo.what != "nothing":
        (folder / "run.json").write_text(json.dumps(
            {"trained": trained_by(config, dataset), "evaluated": evaluated_by(config, dataset)}))
""",
    "lib/results/tables.py": """
from dataclasses import dataclass

@dataclass(frozen=True)
class Notebook:
    name: str
    title: str = "a table"
    experiments: tuple = ()
    data: tuple = ()
    after: tuple = ()
    on_request: bool = False

    def reads(self):
        return self.experiments

NOTEBOOKS = (
    Notebook("10_plain", data=("others",)),
    Notebook("20_table", experiments=("E1", "raw", "flat")),
    Notebook("90_summary", experiments=("E1-elsewhere",), after=("10_plain", "20_table")),
)
""",
    "lib/running/warm.py": "",
    "lib/figure.py": "WIDTH = 1",
    "data/README.md": "",
}
PARAMETERS = "profile, seeds, data, device = 'smoke', [0], 'data', 'cpu'"
NOTEBOOKS = {
    "10_plain": ("import os, sys; print('kernel', sys.executable, os.environ['OMP_NUM_THREADS'])",),
    "20_table": ("from lib import figure\nprint(figure.WIDTH, 'seeds', seeds)",),
    "90_summary": ("print('the end')",),
}
ALL = ["10_plain", "E1 seed0", "untrained_things", "20_table", "E1-elsewhere seed0", "90_summary"]


def write_notebook(path, *sources):
    cells = [{"cell_type": "code", "id": f"cell{k}", "execution_count": None, "outputs": [],
              "metadata": {"tags": ["parameters"] * (k == 0)}, "source": source}
             for k, source in enumerate(sources)]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(
        {"cells": cells, "metadata": {"kernelspec": {"name": "python3", "display_name": "any",
                                                     "language": "python"}},
         "nbformat": 4, "nbformat_minor": 5}))


def build(root: Path) -> Path:
    running = [str(path.relative_to(REPO)) for path in (REPO / "lib/running").glob("*.py")]
    for name in (*OURS, *running):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / name, root / name)
    put(root, MODULES)
    for folder in (root / "lib", *(root / "lib").iterdir()):
        if folder.is_dir():
            (folder / "__init__.py").touch()
    for name, sources in NOTEBOOKS.items():
        write_notebook(root / f"notebooks/{name}.ipynb", PARAMETERS, *sources)
    (root / "requirements.txt").write_text(f"pytest=={version('pytest')}\n")
    # a kernel of the same name in the user's own folder, as people have: it must not be used
    decoy = root / "home/jupyter/kernels/python3"
    decoy.mkdir(parents=True)
    (decoy / "kernel.json").write_text(json.dumps(
        {"argv": ["false", "{connection_file}"], "display_name": "decoy", "language": "python"}))
    return root


def environment(root: Path, **more) -> dict:
    clean = {key: value for key, value in os.environ.items()
             if not key.startswith(("IR_", "PYTHONPATH", "CONDA_", "OMP_"))}
    return {**clean, "VIRTUAL_ENV": sys.prefix, "JUPYTER_DATA_DIR": str(root / "home/jupyter"),
            "IR_CACHE": str(root / "cache"), **more}


def command(root: Path, *arguments) -> list[str]:
    return [str(root / "run_all.sh"), *map(str, arguments)]


def run_all(root: Path, *arguments, cwd="/", **more) -> subprocess.CompletedProcess:
    return subprocess.run(command(root, *arguments), env=environment(root, **more), cwd=cwd,
                          capture_output=True, text=True, timeout=120)


def planned(root: Path, *arguments, with_what=False) -> dict[str, str]:
    """{job: why} of a dry run."""
    done = run_all(root, "--dry-run", *arguments)
    assert done.returncode == 0, done.stderr
    line = re.compile(r" +\d+  (\S.*?)  +(\w+)  +(?:unknown|[\d:]+)  (.*)")
    found = [match.groups() for match in map(line.fullmatch, done.stdout.splitlines()) if match]
    return {job: f"{what}: {why}" if with_what else why for job, what, why in found}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A tree in which nothing has run and no test runs anything."""
    return build(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """A tree, and what the first whole run of it printed."""
    root = build(tmp_path_factory.mktemp("tree"))
    return root, run_all(root)


@pytest.fixture
def tree(first_run):
    """The tree in which everything is up to date; what a test changes is put back."""
    root, _ = first_run
    folders = ("lib", "notebooks", "data", "results")
    copies = root.with_name("before")
    for folder in folders:
        shutil.copytree(root / folder, copies / folder)
    yield root
    for folder in folders:
        shutil.rmtree(root / folder)
        (copies / folder).rename(root / folder)
    shutil.rmtree(copies)


# ---- options


def test_help_explains_every_option(fresh):
    done = run_all(fresh, "--help")
    assert done.returncode == 0 and not done.stderr
    for option in ("--setup", "--profile", "--data", "--jobs", "--seeds", "--device",
                   "--precision", "--cluster", "--only",
                   "--force", "--dry-run", "--list", "--publish",
                   "--take-published"):
        assert re.search(rf"^  {option}\b", done.stdout, re.MULTILINE), option


@pytest.mark.parametrize("arguments, words", [
    (["--frobnicate"], "unknown option --frobnicate"),
    (["--profile"], "--profile needs a value"),
    (["--data", "/no/such/folder"], "there is no folder /no/such/folder"),
    (["--profile", "huge"], "invalid choice: 'huge' (choose from 'smoke', 'laptop'"),
    (["--seeds", "0,x"], "'0,x' is not a list"),
    (["--seeds", "0,00"], "'0,00' is not a list of different seeds"),
    (["--jobs", "0"], "'0' is not a whole number from 1"),
    (["--device", "abacus"], "abacus"),
    (["--device", "cuda"], "no CUDA GPU"),
    (["--cluster", "sulrm"], "there is no profiles/sulrm/config.yaml that names an executor"),
    (["--cluster", "default"], "there is no profiles/default/config.yaml that names an executor"),
    (["stray"], "stray"),
    (["--publish", "--dry-run"], "--dry-run: not allowed with argument --publish"),
    (["--only", "20_tabel"], "unknown target '20_tabel', did you mean 20_table?"),
])
def test_wrong_option_gives_one_line_and_exit_code_2(fresh, arguments, words):
    done = run_all(fresh, *arguments)
    assert done.returncode == 2 and words in done.stderr and not done.stdout
    assert len(done.stderr.splitlines()) == 1


def test_data_root_from_the_environment_must_exist(fresh):
    done = run_all(fresh, "--list", IR_DATA="/no/such/folder")
    assert done.returncode == 1 and "/no/such/folder" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_list_shows_all_targets(fresh):
    done = run_all(fresh, "--list")
    assert done.returncode == 0
    for target in ("10_plain", "20_table", "90_summary", "E1", "raw", "flat", "E1-elsewhere"):
        assert f"  {target} " in done.stdout


def test_only_brings_what_the_target_needs(fresh):
    never = "never run"
    assert planned(fresh, "--only", "20_table", "--seeds", "0,3") == {
        "E1 seed0": never, "E1 seed3": never, "untrained_things": never, "20_table": never}
    assert planned(fresh, "--only", "10_plain") == {"10_plain": never}
    assert list(planned(fresh, "--only", "flat")) == ["untrained_things"]
    assert list(planned(fresh, "--only", "E1-elsewhere")) == ["E1 seed0", "E1-elsewhere seed0"]


@pytest.mark.parametrize("rubbish", ["0", "-3", "many", "1,x"])
def test_rubbish_in_omp_num_threads_is_ignored(fresh, rubbish):
    done = run_all(fresh, "--dry-run", OMP_NUM_THREADS=rubbish)
    assert done.returncode == 0 and "6 jobs to run, 2 at a time" in done.stdout


def test_hostile_path_is_only_a_path(tmp_path):
    root = build(tmp_path / "it's {x} $HOME; a = b #c")
    done = run_all(root, "--only", "20_table")
    assert done.returncode == 0, done.stderr
    assert f"[E1 seed0] train on {root}/data" in done.stdout and "[20_table] 1 seeds" in done.stdout
    assert planned(root, "--only", "20_table") == {}


def test_neither_cdpath_nor_a_link_misleads(fresh, tmp_path):
    (tmp_path / "elsewhere/lib").mkdir(parents=True)
    link = tmp_path / "link/run"
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(fresh / "run_all.sh", link.parent))
    for script, where in ((link, "/"), ("./run_all.sh", fresh)):
        done = subprocess.run(
            [script, "--list"], env=environment(fresh, CDPATH=tmp_path / "elsewhere"), cwd=where,
            capture_output=True, text=True)
        assert done.returncode == 0 and "20_table" in done.stdout, done.stderr


# ---- the environment


def test_setup_prints_only_the_interpreter_on_stdout(fresh):
    done = run_all(fresh, "--setup")
    assert done.returncode == 0 and done.stdout == f"{sys.prefix}/bin/python\n"


def test_pins_of_other_platforms_do_not_count(tmp_path):
    root = build(tmp_path)
    with open(root / "requirements.txt", "a") as pins:
        pins.write("# a comment\n\nno-such-package==1 ; sys_platform == 'nowhere'\n")
    assert run_all(root, "--setup").stdout == f"{sys.prefix}/bin/python\n"


def fake_programs(folder: Path, **scripts) -> str:
    """A PATH on which `scripts` come first."""
    folder.mkdir()
    for name, text in scripts.items():
        path = folder / name.replace("_", ".")
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize("pin, problem", [
    ("pytest==0.0.1", f"pytest is {version('pytest')}, not ==0.0.1"),
    ("no-such-package==1", "no-such-package is missing"),
])
def test_active_environment_without_the_pins_is_not_used_and_a_full_disk_is_told(
        tmp_path, pin, problem):
    root = build(tmp_path / "tree")
    (root / "requirements.txt").write_text(f"{pin}\n")
    path = fake_programs(tmp_path / "bin",
                         df="echo 'Filesystem 1024-blocks Used Available'; echo 'x 9 9 1048576'")
    done = run_all(root, "--setup", PATH=path)
    assert done.returncode == 1 and not done.stdout
    assert problem in done.stderr.splitlines()[0]
    assert "only 1 GB of disk are free" in done.stderr.splitlines()[1]


def test_missing_python_and_missing_network_are_told(tmp_path):
    root = build(tmp_path / "tree")
    (root / "requirements.txt").write_text("no-such-package==1\n")
    enough = "echo; echo 'x 9 9 104857600'"
    path = fake_programs(tmp_path / "none", python3_11="exit 1", python3="exit 1", df=enough)
    done = run_all(root, "--setup", PATH=path)
    assert done.returncode == 1 and "Python 3.11 was not found" in done.stderr

    base = shutil.which("python3.11")
    if not base:
        pytest.skip("no python3.11 to make an environment with")
    path = fake_programs(tmp_path / "some", python3_11=f'exec {base} "$@"', df=enough)
    done = run_all(root, "--setup", PATH=path, PIP_NO_INDEX="1")
    assert done.returncode == 1 and not done.stdout
    assert "is there a network?" in done.stderr.splitlines()[-1]
    made = root / ".venv/bin"
    for name in ("python", "python3", "python3.11"):  # of a Python that is gone
        (made / name).unlink()
        (made / name).symlink_to("/gone/python3.11")
    for _ in range(2):
        again = run_all(root, "--setup", PATH=path, PIP_NO_INDEX="1")
        assert "is there a network?" in again.stderr.splitlines()[-1]
        shutil.rmtree(next(made.parent.glob("lib/*/site-packages/pip")))  # stopped before it had it


# ---- what runs, and why


def test_first_run_runs_everything(first_run):
    root, done = first_run
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    started = re.findall(r"^\[(\d)/6\] (.*): never run$", done.stdout, re.MULTILINE)
    assert sorted(started) == [(str(k), name) for k, name in enumerate(ALL, 1)]
    finished = re.findall(r"^\[\d/6\] (.*): done in \d+:\d\d", done.stdout, re.MULTILINE)
    assert sorted(finished) == sorted(ALL)
    for first, then in (("E1 seed0", "20_table"), ("untrained_things", "20_table"),
                        ("20_table", "90_summary"), ("E1 seed0", "E1-elsewhere seed0")):
        assert finished.index(first) < [name for _, name in started].index(then) + len(ALL)
        assert done.stdout.index(f"{first}: done in") < done.stdout.index(f"{then}: never run")
    assert f"[10_plain] kernel {sys.prefix}/bin/python 1" in done.stdout  # and not the decoy's
    assert f"[E1 seed0] train on {root}/data" in done.stdout
    assert "[20_table] 1 seeds None" in done.stdout
    assert re.search(r"done in 0:\d\d; time left: about 0:\d\d", done.stdout)
    assert done.stdout.splitlines()[-1] == f"All done. In {root}/results/smoke: runs, executed"
    for name in NOTEBOOKS:
        assert (root / f"results/smoke/executed/{name}.ipynb").is_file()
    left = {path.name for path in (root / "results/smoke/executed").iterdir()}
    assert left == {f"{name}.ipynb" for name in NOTEBOOKS}


def test_second_run_has_nothing_to_do_whatever_the_times_of_files_say(tree):
    for path in (*(tree / "lib").rglob("*.py"), *(tree / "notebooks").iterdir(),
                 *(tree / "results").rglob("*.json")):
        path.touch()
    shutil.rmtree(tree / "results/smoke/.snakemake")
    # without Snakemake at all
    trap = tree / "lib/snakemake.py"
    trap.write_text("raise SystemExit('imported')")
    done = run_all(tree, PYTHONPATH=str(trap.parent))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "Nothing to do: everything is up to date."


def test_changed_code_reruns_what_runs_on_it(tree):
    edit(tree / "lib/figure.py", "1", "1  # a comment")
    assert planned(tree) == {}
    edit(tree / "lib/figure.py", "1  # a comment", "2")
    assert planned(tree) == {"20_table": "code changed: figure.WIDTH",
                             "90_summary": "what it reads is new: 20_table"}
    edit(tree / "lib/figure.py", "2", "1")
    edit(tree / "lib/training/identity.py", '"1"', '"2"')
    new = "what it reads is new: "
    assert planned(tree, with_what=True) == {
        "E1 seed0": "train: training code changed",
        "untrained_things": "evaluate: training code changed",
        "20_table": f"run: {new}E1 seed0, untrained_things",
        "90_summary": f"run: {new}E1-elsewhere seed0, 20_table",
        "E1-elsewhere seed0": "evaluate: training code changed",
    }


def test_changed_metric_evaluates_and_does_not_train(tree):
    edit(tree / "lib/training/identity.py", "metric 1", "metric 2")
    assert planned(tree, "--only", "E1", with_what=True) == {
        "E1 seed0": "evaluate: evaluation code changed"}
    done = run_all(tree, "--only", "E1")
    assert "[E1 seed0] evaluate on" in done.stdout and done.returncode == 0
    assert planned(tree, "--only", "E1") == {}


def test_changed_notebook_reruns_it_and_what_comes_after(tree):
    path = tree / "notebooks/10_plain.ipynb"
    content = json.loads(path.read_text())
    content["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "old"}]
    path.write_text(json.dumps(content))
    assert planned(tree) == {}  # stored outputs are not the notebook
    edit(path, "'kernel'", "'the kernel'")
    assert planned(tree) == {"10_plain": "text changed",
                             "90_summary": "what it reads is new: 10_plain"}


def test_notebook_on_request_is_shown_by_the_summary_once_it_has_run(tree):
    tables = tree / "lib/results/tables.py"
    edit(tables, "NOTEBOOKS = (", 'NOTEBOOKS = (Notebook("05_search", on_request=True),')
    write_notebook(tree / "notebooks/05_search.ipynb", PARAMETERS)
    assert planned(tree) == {}
    assert run_all(tree, "--only", "05_search").returncode == 0
    assert planned(tree) == {"90_summary": "notebook 05_search changed"}
    assert run_all(tree).returncode == 0
    assert planned(tree) == {}


def test_changed_configuration_data_and_seeds_rerun_what_depends_on_them(tree):
    table = tree / "lib/training/experiments.py"
    edit(table, "1.0", "2.0")
    assert planned(tree)["E1 seed0"] == "training configuration changed"
    edit(table, "2.0", "1.0")

    (tree / "data/things.txt").write_text("1")
    assert planned(tree)["E1 seed0"] == "training data changed"
    (tree / "data/things.txt").unlink()
    (tree / "data/others.txt").write_text("1")
    assert planned(tree) == {"10_plain": "data others changed",
                             "90_summary": "what it reads is new: 10_plain"}
    (tree / "data/others.txt").unlink()
    same = tree / "home/elsewhere"
    same.mkdir()
    assert planned(tree, "--data", same) == {}  # the same data in another place

    assert planned(tree, "--seeds", "0,1", "--only", "90_summary") == {
        "E1 seed1": "never run", "20_table": "what it reads is new: E1 seed1",
        "E1-elsewhere seed1": "never run",
        "90_summary": "what it reads is new: E1-elsewhere seed1, 20_table"}


def test_seeds_that_are_finished_are_shown_if_none_are_asked_for(tree):
    assert run_all(tree, "--only", "E1", "--seeds", "0,1").returncode == 0
    new = {"20_table": "what it reads is new: E1 seed1", "E1-elsewhere seed1": "never run",
           "90_summary": "what it reads is new: E1-elsewhere seed1, 20_table"}
    assert planned(tree) == new
    assert planned(tree, "--seeds", "0") == {}  # alone, as it was
    edit(tree / "lib/training/experiments.py", "1.0", "2.0")  # no finished one is of today
    assert not any("seed1" in job for job in planned(tree))
    edit(tree / "lib/training/experiments.py", "2.0", "1.0")
    done = run_all(tree)
    assert done.returncode == 0 and "[20_table] 1 seeds None" in done.stdout
    assert planned(tree) == planned(tree, "--seeds", "0,1") == {}
    assert planned(tree, "--seeds", "0")["20_table"] == "it reads fewer runs than before"


def test_other_data_is_not_up_to_date_for_want_of_snakemakes_records(tree):
    """Defect 6: without .snakemake, all was up to date for any data."""
    other = tree / "home/other"
    other.mkdir()
    (other / "things.txt").write_text("1")
    shutil.rmtree(tree / "results/smoke/.snakemake")
    assert planned(tree, "--only", "E1", "--data", other) == {"E1 seed0": "training data changed"}
    done = run_all(tree, "--only", "E1", "--data", other)
    assert done.returncode == 0 and "[1/1] E1 seed0: training data changed" in done.stdout
    assert planned(tree, "--only", "E1", "--data", other) == {}
    assert planned(tree, "--only", "E1") == {"E1 seed0": "training data changed"}
    assert len(list((tree / "results/smoke/stamps").glob("E1_seed0.*.json"))) == 1


def test_damaged_run_is_made_again_and_what_reads_it(tree):
    (tree / "results/smoke/runs/E1/seed0/weights").unlink()
    new = "what it reads is new: "
    assert planned(tree) == {
        "E1 seed0": "weights is missing", "20_table": f"{new}E1 seed0",
        "90_summary": f"{new}E1-elsewhere seed0, 20_table", "E1-elsewhere seed0": f"{new}E1 seed0"}
    assert run_all(tree).returncode == 0
    assert planned(tree) == {}


def test_run_made_by_hand_is_not_made_again(tree):
    for stamp in (tree / "results/smoke/stamps").glob("E1_seed0.*"):
        stamp.unlink()
    assert planned(tree, "--only", "E1", with_what=True) == {
        "E1 seed0": "check: not made by run_all.sh"}
    assert "[E1 seed0] nothing on" in run_all(tree, "--only", "E1").stdout


def test_force_runs_again_what_was_chosen_from_the_first_step(tree):
    why = "asked for by --force"
    assert planned(tree, "--only", "20_table", "--force") == {"20_table": why}
    assert planned(tree, "--force") == dict.fromkeys(ALL, why)
    done = run_all(tree, "--only", "E1", "--force")
    assert f"[1/1] E1 seed0: {why}" in done.stdout and "[E1 seed0] train on" in done.stdout
    read = "what it reads is new: E1 seed0"  # of the same identity, but made again
    assert planned(tree, "--only", "E1", "20_table") == {"20_table": read}
    run_all(tree, "--only", "20_table")
    assert planned(tree, "--only", "E1", "20_table") == {}


def test_failed_rerun_deletes_no_results(tree):
    """Defect 2: Snakemake removed outputs first, so the weights were gone."""
    runs = tree / "results/smoke/runs"
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    (tree / "data/broken.txt").touch()
    (tree / "data/things.txt").write_text("1")
    done = run_all(tree, "--only", "E1", "--force")
    assert done.returncode == 1 and "[E1 seed0] FAILED: things are broken" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert planned(tree, "--only", "E1") == {"E1 seed0": "training data changed"}
    (tree / "data/things.txt").unlink()  # back to the data of before: nothing was lost
    assert planned(tree, "--only", "E1", with_what=True) == {
        "E1 seed0": "check: did not finish last time"}


def test_failed_notebook_is_kept_and_the_rest_still_runs(tmp_path):
    root = build(tmp_path)
    begun = root / "results/smoke/stamps/10_plain.begun"
    clock_back = f"import os\nos.utime({str(begun)!r}, (0, 0))"  # so that it seems an older run's
    write_notebook(root / "notebooks/10_plain.ipynb", PARAMETERS, clock_back, "1 / 0")
    done = run_all(root, "--only", "90_summary", "E1")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    executed = root / "results/smoke/executed/10_plain.ipynb"
    assert "[10_plain] FAILED: ZeroDivisionError: division by zero" in done.stderr
    assert str(executed) in done.stderr
    assert "ZeroDivisionError" in executed.read_text()
    assert "20_table: done" in done.stdout
    assert "failed: 10_plain; 2 of 6 jobs are not done" in done.stderr
    assert planned(root, "--only", "90_summary") == {
        "10_plain": "did not finish last time", "90_summary": "never run"}


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)


def processes_of(root: Path, word: str = "") -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "environ", "status"]):
        mine = (process.info["environ"] or {}).get("JUPYTER_DATA_DIR") == f"{root}/home/jupyter"
        if mine and word in " ".join(process.info["cmdline"] or []):
            found.append(process)
    return found


SLEEPS = "import pathlib, time\npathlib.Path('{root}/begun').touch()\ntime.sleep(60)"


@pytest.mark.parametrize("whom, how, code", [
    ("run_all", signal.SIGINT, 130), ("run_all", signal.SIGTERM, 130),
    ("run_all", signal.SIGKILL, -signal.SIGKILL), ("snakemake", signal.SIGKILL, 1),
    ("original", signal.SIGKILL, 1), ("job", signal.SIGKILL, 1), ("kernel", signal.SIGKILL, 1),
])
def test_stopped_run_leaves_no_process_and_goes_on(tmp_path, whom, how, code):
    root, only = build(tmp_path), ("--only", "10_plain")
    write_notebook(root / "notebooks/10_plain.ipynb", PARAMETERS, SLEEPS.format(root=root))
    process = subprocess.Popen(command(root, *only), env=environment(root), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for((root / "begun").exists)
    kernel = processes_of(root, "ipykernel_launcher")[-1]
    tree = dict(zip(("job", "original", "snakemake"), kernel.parents())) | {"kernel": kernel}
    tree.get(whom, process).send_signal(how)
    assert process.wait(timeout=15) == code
    wait_for(lambda: not processes_of(root), seconds=1.5)
    message = process.communicate()[1]
    if code == 130:
        assert message == "stopped; run the same command to continue\n"
    elif code == 1:
        assert "failed: 10_plain; 1 of 1 jobs are not done" in message

    write_notebook(root / "notebooks/10_plain.ipynb", PARAMETERS, *NOTEBOOKS["10_plain"])
    done = run_all(root, *only)
    assert done.returncode == 0 and "10_plain: did not finish last time" in done.stdout


def test_two_runs_do_not_share_results(tree):
    results = tree / "results/smoke"
    with only_one(results / ".lock", ""):
        done = run_all(tree, "--only", "10_plain", "--force")
    assert done.returncode == 1 and "another run is writing" in done.stderr
    with only_one(results / "runs/E1/seed0/.lock", ""):
        done = run_all(tree, "--only", "10_plain", "--force")
    assert done.returncode == 1 and "a training is writing to" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_snakemake_by_hand(tmp_path):
    root = build(tmp_path)
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "2"]
    config = ["--config", "profile=laptop", "seeds=0,1"]
    by_hand = {"cwd": root, "capture_output": True, "text": True,
               "env": environment(root, PYTHONPATH=str(root))}
    done = subprocess.run([*snakemake, "20_table", *config], **by_hand)
    assert done.returncode == 0, done.stderr
    assert "[20_table] 1 seeds [0, 1]" in done.stdout and "[5/8] 20_table: done" in done.stdout
    assert list(planned(root, "--profile", "laptop", "--seeds", "0,1")) == [
        "10_plain", "E1-elsewhere seed0", "E1-elsewhere seed1", "90_summary"]
    assert subprocess.run([*snakemake, *config], **by_hand).returncode == 0
    assert planned(root, "--profile", "laptop", "--seeds", "0,1") == {}


# ---- the real table and a real training


@pytest.fixture
def options(tmp_path):
    return Options("test", (0, 1), "cpu", str(tmp_path))  # without data: the embedded defaults


def test_jobs_fit_the_repository(options):
    made = workflow.jobs(options)
    order = list(made)
    assert all(order.index(need) < order.index(name) for name in made for need in made[name].needs)
    assert {path.stem for path in (REPO / "notebooks").glob("*.ipynb")} == {
        notebook.name for notebook in REAL_NOTEBOOKS}
    for name, experiment in EXPERIMENTS.items():
        jobs_of = [job for job in made.values() if name in job.runs]
        assert len(jobs_of) == (2 if experiment.trained else 1)
    for notebook in REAL_NOTEBOOKS:
        read = {name for need in made[notebook.name].needs for name in made[need].runs}
        assert read >= set(notebook.reads())
    for module, pattern in workflow.FILES.items():
        files = {f"file {path.relative_to(REPO)}" for path in REPO.glob(pattern)}
        takes = {name for name, job in made.items() if files <= job.parts.keys()}
        assert files and takes and not takes >= {one.name for one in REAL_NOTEBOOKS}, module


def test_half_a_data_set_stands_in_the_way_of_those_alone_that_take_it(options):
    half = Path(options.data) / "roadscene/crop_LR_visible"
    half.mkdir(parents=True)
    (half / "FLIR_00006.jpg").touch()
    assert [job.name for job in make_plan(options, ["TIECNN"]).jobs] == ["TIECNN_seed0", "TIECNN_seed1"]
    for target in ("GN_CycleGAN-FLIR", "FLIR-infrared-input", ()):
        with pytest.raises(ValueError, match="cropinfrared is missing or holds no images"):
            make_plan(options, [target] if target else ())


def test_identity_covers_device_seed_and_what_is_read(options):
    one = Job("20_table", {"code": "1"}, {"C5_seed0": "a"})
    for other in (Job("20_table", {"code": "2"}, {"C5_seed0": "a"}),
                  Job("20_table", {"code": "1"}, {"C5_seed0": "b"}),
                  Job("20_table", {"code": "1"}, {})):
        assert other.identity != one.identity
    made = workflow.jobs(options)
    assert made["C5_seed0"].identity != made["C5_seed1"].identity
    others = workflow.jobs(Options("test", (0, 1), "cuda", options.data))
    assert not {job.identity for job in made.values()} & {job.identity for job in others.values()}


def test_time_left_is_from_earlier_runs_and_from_this_one(tmp_path):
    jobs = [Job("a", {}, what="train", seconds=60), Job("b", {}, what="train"),
            Job("c", {}, what="run")]
    plan = Plan(Options("test", (0,), "cpu", ""), jobs, threads=1, parallel=2)
    assert plan.time_left(tmp_path) == "about 1:00, 1 of unknown duration not counted"
    jobs[0].begin(tmp_path)
    jobs[0].finish(tmp_path, seconds=30)
    assert plan.time_left(tmp_path) == "about 0:15, 1 of unknown duration not counted"
    assert plan.time_left() == "about 1:00, 1 of unknown duration not counted"
    assert [clock(s) for s in (3725, 750, 69.6, 9.6)] == ["1:02:05", "12:30", "1:10", "0:10"]


def test_a_job_asks_a_cluster_for_what_its_like_took():
    options = Options("paper", (0,), "cuda", "")
    plan = Plan(options, [], threads=4, parallel=2, cluster="slurm")
    known = Job("a", {}, what="train", seconds=3600, memory_mb=2000)
    assert resources(known, plan) == {"gpu": 1, "mem_mb": 4000, "runtime": 130}
    assert resources(Job("b", {}), replace(plan, options=replace(options, device="cpu"))) == {}


def test_a_job_elsewhere_knows_its_run_by_its_lock_and_plan(tmp_path):
    file = tmp_path / "stamps/plan.json"
    Plan(Options("test", (0,), "cpu", ""), [], 1, 1, cluster="slurm", made_by=7).write(file)
    assert not is_under_way(file, 7)  # nobody holds the lock, or it is not seen from here
    with only_one(tmp_path / ".lock", ""):
        assert is_under_way(file, 7)
        assert not is_under_way(file, 8)  # another run has begun since
    assert not is_under_way(file, 7)


def test_a_job_on_a_cluster_does_nothing_where_the_lock_is_not_seen(tmp_path, capsys, monkeypatch):
    file, job = tmp_path / "stamps/plan.json", Job("10_plain", {}, what="run", why="never run")
    Plan(Options("test", (0,), "cpu", ""), [job], 1, 1, cluster="slurm").write(file)
    process = multiprocessing.get_context("fork").Process(target=run_job.main, args=(file, job.name))
    process.start()
    process.join()
    assert not job.begun(tmp_path).exists() and job.last(tmp_path) == {}


def test_jobs_at_the_same_time_have_a_gpu_each(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    plan = Plan(Options("test", (0,), "cuda", ""), [], 1, parallel=3, gpus=["2", "5"])
    (tmp_path / "stamps").mkdir()
    kept, seen = [], []
    for _ in range(3):
        kept.append(run_job.take_gpu(plan, tmp_path))
        seen.append(os.environ["CUDA_VISIBLE_DEVICES"])
    assert seen == ["2", "5", "2"]
    kept[1].release()
    assert run_job.take_gpu(plan, tmp_path) and os.environ["CUDA_VISIBLE_DEVICES"] == "5"
    assert run_job.take_gpu(replace(plan, gpus=[]), tmp_path) is None


def test_a_training_takes_as_long_as_its_steps_and_a_fifth_on_top(monkeypatch):
    rows = [Cost(name, "laptop", "a chip", "cpu", precision, seconds, 50.0, 900, 30.0)
            for name, precision, seconds in (("C5", "bf16", 0.5), ("C5", "fp32", 1.0),
                                             ("TIECNN", "bf16", 0.1))]
    monkeypatch.setattr(cost, "measured", lambda: tuple(rows))

    def estimates(precision, threads=1):
        return Estimates(Options("laptop", (0,), "cpu", "", precision), threads)

    bf16 = estimates("bf16")
    assert bf16.seconds("C5") == 4000 * 0.5 * 1.2 and bf16.memory_mb("C5") == 900 + 2000
    assert bf16.seconds("CUT-OSU") is bf16.memory_mb("CUT-OSU") is None
    assert estimates("fp32").seconds("C5") == pytest.approx(4000 * 1.0 * 1.2)
    assert estimates("fp32", threads=2).seconds("C5") == pytest.approx(4000 * 1.0 * 1.2 / 2)
    assert bf16.seconds("TIECNN") == pytest.approx(4000 * 0.1 * 1.2)
    jobs = [Job(f"C5_seed{seed}", {}, runs=["C5"], what="train", memory_mb=2000) for seed in (0, 1)]
    assert "two_d_gan" in bf16.table([replace(jobs[0], memory_mb=None)])
    table = bf16.table([*jobs, Job("CUT-OSU_seed0", {}, runs=["CUT-OSU"], what="train")])
    assert "nothing of their kind was measured: CUT-OSU" in table
    assert re.search(r"two_d_gan +2 +8000 +2\.7 +1\.3 +0\.4 +2\.0 +0\.1\n", table), table
    assert "a chip (cpu)" in table and "no step was measured on a GPU" in table
    table = bf16.table([*jobs, Job("TIECNN_seed0", {}, runs=["TIECNN"], what="train")])
    assert re.search(r"tiecnn +1 +4000 +unknown +0\.1 ", table), table  # nobody measured its fp32
    assert re.search(r"all +3 +12000 +unknown +1\.5 ", table), table


def test_a_step_that_was_never_measured_is_reckoned_by_the_operations_of_its_generator(monkeypatch):
    row = Cost("resnet_9blocks-OSU", "paper", "a chip", "cpu", "fp32", 9.0, 100.0, 900, 30.0)
    monkeypatch.setattr(cost, "measured", lambda: (row,))
    assert cost.of_step("resnet_9blocks-FLIR", "paper", "cpu", "fp32") == row
    fewer = cost.of_step("resnet_6blocks-FLIR", "paper", "cpu", "fp32")
    # 35.06 and 49.55 thousand million multiply-accumulates
    assert fewer.seconds == pytest.approx(9.0 * 35.06 / 49.55, rel=1e-3)
    assert fewer.like == "resnet_9blocks-OSU"
    assert cost.of_step("C5", "paper", "cpu", "fp32") is None
    assert cost.of_step("resnet_9blocks-OSU", "paper", "cuda", "fp32") is None


def test_plan_is_read_as_it_was_written_and_makes_its_jobs_undone(tmp_path):
    job = Job("C5_seed0", {"code": "1"}, {"C4_seed0": "a"}, ["C5"], 0, {"lib.x": "b"}, "train", "x")
    plan = Plan(Options("test", [0], "cpu", ""), [job], threads=1, parallel=2)
    job.begin(tmp_path)
    job.finish(tmp_path, seconds=30)
    assert plan.left(tmp_path) == []
    plan.write(tmp_path / "stamps/plan.json")
    assert plan.left(tmp_path) == plan.jobs and job.last(tmp_path)["seconds"] == {job.what: 30}
    assert Plan.read(tmp_path / "stamps/plan.json") == plan


def test_process_that_jobs_are_forked_from_has_started_nothing():
    """Neither threads, which a fork does not have, nor CUDA; and no random number is drawn."""
    code = """
import psutil, torch
before = torch.get_rng_state()
import lib.running.warm
print(psutil.Process().num_threads(), torch.cuda.is_initialized())
print(torch.equal(torch.get_rng_state(), before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPO,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.stdout == "1 False\nTrue\n", done.stderr


def test_real_training_is_stopped_resumed_and_not_disturbed(tmp_path):
    """Ctrl-C writes a checkpoint, lib.train is refused meanwhile, kill -9 leaves no process."""
    root, results = tmp_path / "root", tmp_path / "results"
    (root / "data").mkdir(parents=True)
    cache = os.environ.get("IR_CACHE", str(REPO / ".cache"))
    more = {"IR_RESULTS": str(results), "IR_CACHE": cache, "IR_DATA": str(root / "data"),
            "IR_CHECKPOINT_SECONDS": "3600"}  # so that none is there but for Ctrl-C
    run_folder = results / "laptop/runs/TIECNN/seed0"

    def start(*arguments):
        log = open(tmp_path / "log", "w+")
        process = subprocess.Popen(
            command(REPO, "--profile", "laptop", "--only", "TIECNN", "--device", "cpu", *arguments),
            env=environment(root, **more), stdout=log, stderr=subprocess.STDOUT)
        wait_for(lambda: "] step " in (tmp_path / "log").read_text(), seconds=240)
        return process

    process = start("--jobs", "1")
    assert "1 threads" in (tmp_path / "log").read_text()  # whatever --jobs says
    by_hand = subprocess.run(
        [sys.executable, "-m", "lib.train", "--experiment", "HE", "--profile", "laptop"],
        env=environment(root, **more), cwd=REPO, capture_output=True, text=True)
    assert by_hand.returncode == 2 and "run_all.sh is writing to" in by_hand.stderr
    assert not (run_folder.parent.parent / "HE/seed0/run.json").exists()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    wait_for(lambda: not processes_of(root), seconds=1.5)
    assert "stopped; run the same command to continue" in (tmp_path / "log").read_text()
    assert len(list(run_folder.glob("training/checkpoint-*.pt"))) == 1

    process = start()
    text = (tmp_path / "log").read_text()
    assert "TIECNN seed0: did not finish last time" in text and "resuming at step" in text
    snakemake = psutil.Process(process.pid).children()[0]
    [job] = [job for original in snakemake.children() for job in original.children()]
    job.kill()
    assert process.wait(timeout=30) == 1
    wait_for(lambda: not processes_of(root), seconds=1.5)
    assert "failed: TIECNN seed0; 1 of 1 jobs are not done" in (tmp_path / "log").read_text()
