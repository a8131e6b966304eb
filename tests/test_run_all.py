"""run_all.sh and what lies under it, on a miniature of the kit: three notebooks, one experiment."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from lib.running import durations, workflow
from lib.clock import clock
from lib.paths import REPO
from lib.running.run_all import only_one_run

OURS = ("Snakefile", "run_all.sh", "lib/__init__.py", "lib/clock.py", "lib/running/durations.py",
        "lib/files.py", "lib/paths.py", "lib/provenance.py", "lib/running/run_all.py", "lib/running/run_notebook.py",
        "lib/running/workflow.py")
TABLES = '''
TABLES = (
    Notebook("10_plain", "reads nothing"),
    Notebook("20_table", "reads a run", experiments=("E*",)),
)
'''
MODULES = {
    "lib/data/__init__.py": "",
    "lib/data/catalogue.py": """
from dataclasses import dataclass

@dataclass(frozen=True)
class DataSet:
    name: str
    fingerprint: str

def describe(key, root):
    file = root / f"{key}.txt"
    return DataSet("real" if file.exists() else "embedded",
                   file.read_text() if file.exists() else "0")
""",
    "lib/training/experiments.py": """
from dataclasses import dataclass

@dataclass(frozen=True)
class Experiment:
    name: str
    recipe: str
    data: str
    rate: float

EXPERIMENTS = {"E1": Experiment("E1", "simple", "things", 1.0)}

def config_hash(name, profile):
    return f"{EXPERIMENTS[name].rate}{profile}"
""",
    "lib/training/profiles.py": "PROFILES = dict.fromkeys(('smoke', 'laptop', 'paper', 'test'))",
    "lib/training/__init__.py": "",
    "lib/training/simple.py": "import lib.network",
    "lib/network.py": "",
    "lib/figure.py": "",
    "data/README.md": "",
}
PARAMETERS = "profile, seeds, data, device = 'smoke', '0', 'data', 'cpu'"
NOTEBOOKS = {
    "10_plain": ("import sys; print('kernel', sys.executable)",),
    "11_train": (
        "from lib.paths import results_dir\n"
        "folder = results_dir(profile) / 'runs' / experiment / f'seed{seed}'\n"
        "folder.mkdir(parents=True, exist_ok=True)\n"
        "(folder / 'weights.safetensors').write_text('')\n"
        "print('trained on', data)",),
    "20_table": ("import lib.figure",),
    "90_summary": ("print('the end')",),
}


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
    for name in OURS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / name, root / name)
    table = root / "lib/running/workflow.py"
    text, count = re.subn(r"\nTABLES = \(\n.*?\n\)\n", TABLES, table.read_text(), flags=re.DOTALL)
    assert count == 1
    table.write_text(text)
    for name, text in MODULES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name, sources in NOTEBOOKS.items():
        extra = "\nexperiment, seed = '', -1" * (name == "11_train")
        write_notebook(root / f"notebooks/{name}.ipynb", PARAMETERS + extra, *sources)
    (root / "requirements.txt").write_text(f"pytest=={version('pytest')}\n")
    # a kernel of the same name in the user's own folder, as people have: it must not be used
    decoy = root / "home/jupyter/kernels/python3"
    decoy.mkdir(parents=True)
    (decoy / "kernel.json").write_text(json.dumps(
        {"argv": ["false", "{connection_file}"], "display_name": "decoy", "language": "python"}))
    return root


def environment(root: Path, **more) -> dict:
    clean = {key: value for key, value in os.environ.items()
             if not key.startswith(("IR_", "PYTHONPATH", "CONDA_"))}
    return {**clean, "VIRTUAL_ENV": sys.prefix, "JUPYTER_DATA_DIR": str(root / "home/jupyter"),
            **more}


def command(root: Path, *arguments) -> list[str]:
    return [str(root / "run_all.sh"), *map(str, arguments)]


def run_all(root: Path, *arguments, cwd="/", **more) -> subprocess.CompletedProcess:
    return subprocess.run(command(root, *arguments), env=environment(root, **more), cwd=cwd,
                          capture_output=True, text=True, timeout=120)


def planned(root: Path, *arguments) -> dict[str, str]:
    """{job: why} of a dry run."""
    done = run_all(root, "--device", "cpu", "--dry-run", *arguments)
    assert done.returncode == 0, done.stderr
    line = re.compile(r" +\d+  (\S.*?)  +(?:unknown|[\d:]+)  (.*)")
    return dict(match.groups() for match in map(line.fullmatch, done.stdout.splitlines()) if match)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A tree in which nothing has run and no test runs anything."""
    return build(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """A tree, and what the first whole run of it printed."""
    root = build(tmp_path_factory.mktemp("tree"))
    return root, run_all(root, "--device", "cpu")


@pytest.fixture
def tree(first_run):
    """The tree in which everything is up to date; what a test changes is put back."""
    root, _ = first_run
    folders = ("lib", "notebooks", "data")
    before = {path: path.read_text() for folder in folders for path in (root / folder).rglob("*.*")
              if path.is_file() and path.suffix != ".pyc"}
    yield root
    for folder in folders:
        for path in (root / folder).rglob("*.*"):
            if path.is_file() and path.suffix != ".pyc" and path not in before:
                path.unlink()
    for path, text in before.items():
        path.write_text(text)


# ---- options


def test_help_explains_every_option(fresh):
    done = run_all(fresh, "--help")
    assert done.returncode == 0 and not done.stderr
    for option in ("--setup", "--profile", "--data", "--jobs", "--seeds", "--device", "--only",
                   "--force", "--dry-run", "--list"):
        assert re.search(rf"^  {option}\b", done.stdout, re.MULTILINE), option


@pytest.mark.parametrize("arguments, words", [
    (["--frobnicate"], "unknown option --frobnicate"),
    (["--profile"], "--profile needs a value"),
    (["--data", "/no/such/folder"], "there is no folder /no/such/folder"),
    (["--profile", "huge"], "unknown profile huge, there are: smoke, laptop, paper"),
    (["--seeds", "0,x"], "0,x is not a list"),
    (["--seeds", "1,1"], "1,1 is not a list of different seeds"),
    (["--jobs", "0"], "0 is not a whole number above 0"),
    (["--device", "abacus"], "abacus"),
    (["stray"], "stray"),
    (["--device", "cpu", "--only", "20_tabel"], "unknown target 20_tabel, did you mean 20_table?"),
])
def test_wrong_option_gives_one_line_and_exit_code_2(fresh, arguments, words):
    done = run_all(fresh, *arguments)
    assert done.returncode == 2 and words in done.stderr and not done.stdout
    assert len(done.stderr.splitlines()) == 1


def test_cuda_asked_for_but_absent_is_one_line(fresh):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = run_all(fresh, "--device", "cuda")
    assert done.returncode == 2 and "no CUDA GPU" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_data_root_from_the_environment_must_exist(fresh):
    done = run_all(fresh, "--device", "cpu", "--list", IR_DATA="/no/such/folder")
    assert done.returncode == 1 and "/no/such/folder" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_list_shows_all_targets(fresh):
    done = run_all(fresh, "--device", "cpu", "--list")
    assert done.returncode == 0
    for target in ("10_plain", "20_table", "90_summary", "E1"):
        assert f"  {target} " in done.stdout


def test_only_brings_what_the_target_needs(fresh):
    never = "never run"
    assert planned(fresh, "--only", "20_table", "--seeds", "0,3") == {
        "11_train E1 seed0": never, "11_train E1 seed3": never, "20_table": never}
    assert planned(fresh, "--only", "10_plain") == {"10_plain": never}


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


# ---- what runs, and why


def test_first_run_runs_everything_in_order(first_run):
    root, done = first_run
    assert done.returncode == 0, done.stderr
    started = re.findall(r"^\[(\d)/4\] (.*): never run$", done.stdout, re.MULTILINE)
    assert started == [("1", "10_plain"), ("2", "11_train E1 seed0"), ("3", "20_table"),
                       ("4", "90_summary")]
    assert f"[10_plain] kernel {sys.prefix}/bin/python" in done.stdout  # and not the decoy's
    assert f"[11_train E1 seed0] trained on {root}/data" in done.stdout
    assert re.search(r"^\[4/4\] 90_summary: done in \d+:\d\d$", done.stdout, re.MULTILINE)
    assert str(root / "results/smoke") in done.stdout.splitlines()[-1]
    for name in ("10_plain", "11_train_E1_seed0", "20_table", "90_summary"):
        assert (root / f"results/smoke/executed/{name}.ipynb").is_file()


def test_second_run_has_nothing_to_do_whatever_the_times_of_files_say(tree):
    for path in (*(tree / "lib").rglob("*.py"), *(tree / "notebooks").iterdir()):
        path.touch()
    start = time.monotonic()
    done = run_all(tree, "--device", "cpu")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "Nothing to do: everything is up to date."
    assert time.monotonic() - start < 15


def test_changed_module_reruns_what_imports_it(tree):
    (tree / "lib/figure.py").write_text("# changed")
    assert planned(tree) == {"20_table": "code changed: lib/figure.py",
                             "90_summary": "what it reads is new: 20_table"}
    (tree / "lib/figure.py").write_text("")
    (tree / "lib/network.py").write_text("# changed")
    assert planned(tree) == {"11_train E1 seed0": "code changed: lib/network.py",
                             "20_table": "what it reads is new: 11_train E1 seed0",
                             "90_summary": "what it reads is new: 20_table"}


def test_changed_notebook_reruns_it_and_what_comes_after(tree):
    path = tree / "notebooks/10_plain.ipynb"
    content = json.loads(path.read_text())
    content["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "old"}]
    path.write_text(json.dumps(content))
    assert planned(tree) == {}  # stored outputs are not the notebook
    path.write_text(path.read_text().replace("'kernel'", "'the kernel'"))
    assert planned(tree) == {"10_plain": "code changed: notebooks/10_plain.ipynb",
                             "90_summary": "what it reads is new: 10_plain"}


def test_changed_configuration_data_and_seeds_rerun_what_depends_on_them(tree):
    table = tree / "lib/training/experiments.py"
    table.write_text(table.read_text().replace("1.0", "2.0"))
    after = {"20_table": "what it reads is new: 11_train E1 seed0",
             "90_summary": "what it reads is new: 20_table"}
    assert planned(tree) == {"11_train E1 seed0": "configuration changed: E1"} | after
    table.write_text(table.read_text().replace("2.0", "1.0"))

    (tree / "data/things.txt").write_text("1")
    assert planned(tree) == {"11_train E1 seed0": "data changed: things"} | after
    (tree / "data/things.txt").unlink()
    same = tree / "home/elsewhere"
    same.mkdir()
    assert planned(tree, "--data", same) == {}  # the same data in another place

    assert planned(tree, "--seeds", "0,1") == {
        "11_train E1 seed1": "never run", "20_table": "what it reads is new: 11_train E1 seed1",
        "90_summary": "what it reads is new: 20_table"}


def test_deleted_output_and_force_rerun(tree):
    weights = tree / "results/smoke/runs/E1/seed0/weights.safetensors"
    weights.rename(weights.with_suffix(".away"))
    assert planned(tree, "--only", "E1") == {
        "11_train E1 seed0": "runs/E1/seed0/weights.safetensors is missing"}
    weights.with_suffix(".away").rename(weights)
    assert planned(tree, "--only", "20_table", "--force") == {"20_table": "asked for by --force"}


def test_failed_notebook_is_kept_and_the_rest_still_runs(tmp_path):
    root = build(tmp_path)
    write_notebook(root / "notebooks/10_plain.ipynb", PARAMETERS, "1 / 0")
    done = run_all(root, "--device", "cpu", "--only", "10_plain", "E1")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    executed = root / "results/smoke/executed/10_plain.ipynb"
    assert "[10_plain] FAILED: ZeroDivisionError: division by zero" in done.stderr
    assert str(executed) in done.stderr
    assert "ZeroDivisionError" in executed.read_text()
    assert "[2/2] 11_train E1 seed0: done" in done.stdout
    assert "failed: 10_plain; 1 of 2 jobs are not done" in done.stderr
    assert planned(root, "--only", "10_plain", "E1") == {"10_plain": "did not finish last time"}


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)


def processes_of(root: Path) -> list[str]:
    import psutil

    return [" ".join(process.info["cmdline"] or []) for process in
            psutil.process_iter(["cmdline", "environ"])
            if (process.info["environ"] or {}).get("JUPYTER_DATA_DIR") == f"{root}/home/jupyter"]


@pytest.mark.parametrize("how, code", [(signal.SIGINT, 130), (signal.SIGTERM, 130),
                                       (signal.SIGKILL, -signal.SIGKILL)])
def test_stopped_run_leaves_no_process_and_goes_on(tmp_path, how, code):
    root, only = build(tmp_path), ("--device", "cpu", "--only", "10_plain")
    write_notebook(root / "notebooks/10_plain.ipynb", PARAMETERS,
                   f"import pathlib, time\npathlib.Path('{root}/begun').touch()\ntime.sleep(60)")
    process = subprocess.Popen(command(root, *only), env=environment(root), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for((root / "begun").exists)
    process.send_signal(how)
    assert process.wait(timeout=15) == code
    wait_for(lambda: not processes_of(root), seconds=5)
    message = process.communicate()[1]
    assert how == signal.SIGKILL or "stopped; run the same command to continue" in message

    write_notebook(root / "notebooks/10_plain.ipynb", PARAMETERS, *NOTEBOOKS["10_plain"])
    done = run_all(root, *only)
    assert done.returncode == 0 and "10_plain: did not finish last time" in done.stdout


def test_two_runs_do_not_share_results(tree):
    with only_one_run(tree / "results/smoke"):
        done = run_all(tree, "--device", "cpu", "--only", "10_plain", "--force")
    assert done.returncode == 1 and "another run is writing" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# ---- the real table


def test_table_of_notebooks_fits_the_repository():
    options = workflow.Options("test", (0, 1), "cpu", REPO / "data")
    made = workflow.jobs(options)
    assert all(job.notebook.is_file() for job in made.values())
    assert {job.notebook for job in made.values()} == set((REPO / "notebooks").glob("*.ipynb"))
    order = list(made)
    assert all(order.index(need) < order.index(name) for name in made for need in made[name].needs)
    state = " ".join(made["11_train_C5_seed1"].state)
    assert "code lib/networks/" in state and "code lib/losses/" in state
    assert "data enhancement " in state and "configuration C5 " in state
    for module, pattern in workflow.DATA_OF_MODULES.items():
        assert (REPO / module).is_file() and list(REPO.glob(pattern)), module


def test_estimates_come_from_records(tmp_path):
    options = workflow.Options("test", (0, 1), "cpu", REPO / "data")
    made = workflow.jobs(options)
    first, second = made["11_train_C5_seed0"], made["11_train_C5_seed1"]
    assert durations.seconds_of(first, made, tmp_path) is None
    folder = tmp_path / "runs/C5/seed0"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"wall_time_s": 90}')
    assert durations.seconds_of(first, made, tmp_path) == 90
    assert durations.seconds_of(second, made, tmp_path) == 90  # as its kind took
    (tmp_path / "stamps").mkdir()
    (tmp_path / first.stamp).write_text('{"seconds": 110}')
    assert durations.seconds_of(first, made, tmp_path) == 110
    assert clock(3725) == "1:02:05" and clock(9.6) == "0:10"
    assert durations.total([60, None, 60], parallel=2) == (
        "about 1:00, 1 of unknown duration not counted")
