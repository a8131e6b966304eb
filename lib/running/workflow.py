"""The order of things: which notebooks there are, and what each needs.

NOTEBOOKS is the table to add to. From it and lib/training/experiments.py follow the jobs (`jobs`), which
the Snakefile turns into rules and lib/running/run_all.py shows and runs. What a job depends on besides
other jobs is a list of short texts, "kind name value", that Snakemake keeps with its outputs: a
job runs again when one of them differs, and the difference is the reason that is printed.
"""

import difflib
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from lib import paths
from lib.data.catalogue import describe
from lib.training.experiments import EXPERIMENTS, config_hash
from lib.training.profiles import PROFILES
from lib.provenance import code_hash, module_closure, notebook_hash


class UsageError(ValueError):
    """What was asked for cannot be had; the message says what can."""


@dataclass(frozen=True)
class Notebook:
    """A notebook that makes tables or figures; `name` is its file's and its target's name."""

    name: str
    title: str
    data: tuple[str, ...] = ()  # data sets it reads, by their keys in lib.data
    experiments: tuple[str, ...] = ()  # training runs it reads; patterns such as "C*" will do
    after: tuple[str, ...] = ()  # notebooks whose results it reads


TABLES = (
    Notebook("00_environment_and_reported", "environment, and what both papers report"),
    Notebook("02_audit", "do the papers agree with themselves?"),
    Notebook("10_2dgan_data", "2D-GAN: enhancement data, Fig. 5", data=("enhancement",)),
    Notebook("12_2dgan_table3", "2D-GAN: Table 3, Figs. 7 to 9",
             experiments=("C5", "FUnIE-GAN", "TIECNN")),
    Notebook("13_2dgan_table4", "2D-GAN: Table 4, Figs. 10 and 11", experiments=("C[1-5]",)),
    Notebook("14_2dgan_table5", "2D-GAN: Table 5", experiments=("C5", "*_attention")),
    Notebook("15_2dgan_table6", "2D-GAN: Table 6",
             experiments=("C5", "L[1-4]", "L[2-4]-prose")),
    Notebook("16_2dgan_table7", "2D-GAN: Table 7, Figs. 6 and 12", data=("sober_drunk",),
             experiments=("C5", "Sober-Drunk*")),
    Notebook("17_2dgan_table2", "2D-GAN: Table 2, complexity"),
    Notebook("18_2dgan_architecture", "2D-GAN: Figs. 1 to 4, attention maps",
             data=("enhancement",), experiments=("C5",)),
    Notebook("20_gn_data", "GN_CycleGAN: visible and infrared pairs", data=("flir", "osu")),
    Notebook("22_gn_table2", "GN_CycleGAN: Table 2, Figs. 4 and 5",
             experiments=("*net_*-OSU", "*net_*-FLIR", "CUT-*", "GN_CycleGAN-OSU",
                          "GN_CycleGAN-FLIR")),
    Notebook("23_gn_table3", "GN_CycleGAN: Table 3, Fig. 8",
             experiments=("unet_128-FLIR", "resnet_9blocks-FLIR", "CBAM_CycleGAN-FLIR",
                          "GN_CycleGAN-FLIR", "*-lsgan-FLIR", "*-log10-FLIR")),
    Notebook("24_gn_stability", "GN_CycleGAN: Figs. 6 and 7, stress test",
             experiments=("unet_128-FLIR", "CBAM_CycleGAN-FLIR", "GN_CycleGAN-FLIR",
                          "*-stress-FLIR")),
    Notebook("25_gn_architecture", "GN_CycleGAN: networks, Figs. 1 to 3"),
)
NOTEBOOKS = (
    *TABLES,
    Notebook("90_summary", "summary of both papers", after=tuple(nb.name for nb in TABLES)),
)
TRAIN = "11_train"  # runs once for each experiment and seed

# Files that belong to a module as its data: who imports the one depends on the other.
DATA_OF_MODULES = {
    "lib/papers/audit.py": "data/audit.yaml",
    "lib/results/claims.py": "data/claims.yaml",
    "lib/report/html.py": "lib/report/page/*",
    "lib/papers/ledger.py": "data/deviations.yaml",
    "lib/papers/reported.py": "data/reported/*.csv",
    "lib/data/imagenet.py": "data/splits/imagenet.csv",
    "lib/data/sober_drunk.py": "data/splits/sober_drunk.csv",
    "lib/data/pairs.py": "data/splits/translation_*.csv",
}


@dataclass(frozen=True)
class Options:
    """What a run is made with; a change in any of these re-runs the jobs that depend on it."""

    profile: str
    seeds: tuple[int, ...]
    device: str  # "cpu" or "cuda"
    data: Path

    def seeds_text(self) -> str:
        return ",".join(map(str, self.seeds))


@dataclass(frozen=True)
class Job:
    """One notebook run once. All paths but the notebook's are relative to the results folder."""

    name: str  # also the Snakemake rule's name
    label: str  # stands before each line it prints
    target: str  # what --only calls it
    notebook: Path
    needs: tuple[str, ...]  # names of jobs
    weights: tuple[str, ...]  # what it writes that others need, besides its stamp
    state: tuple[str, ...]  # what it depends on, "kind name value"
    parameters: tuple[str, ...]  # arguments of lib.running.run_notebook

    @property
    def stamp(self) -> str:
        return f"stamps/{self.name}.json"

    @property
    def executed(self) -> str:
        return f"executed/{self.name}.ipynb"

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.stamp, *self.weights)


@cache
def jobs(options: Options) -> dict[str, Job]:
    """All jobs by name, in the order they are run in: the table's, each after what it needs.

    Experiments that no notebook needs come last; they run only when asked for by name. Raises
    ValueError for a notebook in the table that names an unknown experiment or notebook.
    """
    trainings = {experiment: train_jobs(experiment, options) for experiment in EXPERIMENTS}
    made: dict[str, Job] = {}
    for notebook in NOTEBOOKS:
        for experiment in experiments_of(notebook):
            made |= trainings[experiment]
        made[notebook.name] = notebook_job(notebook, options)
        if missing := [name for name in made[notebook.name].needs if name not in made]:
            raise ValueError(f"{notebook.name} comes after {missing[0]}, which is not above it")
    for training in trainings.values():
        made |= training
    return made


def train_jobs(experiment: str, options: Options) -> dict[str, Job]:
    """The training of one experiment, once for each seed."""
    notebook = paths.NOTEBOOKS / f"{TRAIN}.ipynb"
    recipe = f"lib.training.recipes.{EXPERIMENTS[experiment].recipe}"
    state = (*code_state(notebook, recipe), data_state(EXPERIMENTS[experiment].data, options),
             config_state(experiment, options), f"parameter device {options.device}")
    made = (
        Job(name=f"{TRAIN}_{experiment}_seed{seed}",
            label=f"{TRAIN} {experiment} seed{seed}",
            target=experiment,
            notebook=notebook,
            needs=(),
            weights=(f"runs/{experiment}/seed{seed}/weights.safetensors",),
            state=state,
            parameters=(*common_parameters(options), "-r", "experiment", experiment,
                        "-p", "seed", str(seed)))
        for seed in options.seeds)
    return {job.name: job for job in made}


def notebook_job(notebook: Notebook, options: Options) -> Job:
    """The run of one notebook of the table."""
    path = paths.NOTEBOOKS / f"{notebook.name}.ipynb"
    experiments = experiments_of(notebook)
    needs = (*notebook.after, *(f"{TRAIN}_{name}_seed{seed}"
                                for name in experiments for seed in options.seeds))
    data = {*notebook.data, *(EXPERIMENTS[name].data for name in experiments)}
    seeds = options.seeds_text() if needs else ""  # of no interest where nothing trained is read
    profile = hashlib.sha256(repr(PROFILES[options.profile]).encode()).hexdigest()
    state = (*code_state(path), *(data_state(key, options) for key in sorted(data)),
             *(config_state(name, options) for name in experiments),
             f"configuration profile {profile}", f"parameter device {options.device}",
             *([f"parameter seeds {seeds}"] if seeds else []))
    return Job(name=notebook.name, label=notebook.name, target=notebook.name, notebook=path,
               needs=needs, weights=(), state=state,
               parameters=(*common_parameters(options), *(("-r", "seeds", seeds) if seeds else ())))


def experiments_of(notebook: Notebook) -> tuple[str, ...]:
    """The experiments a notebook's patterns stand for, in the order of lib/training/experiments.py."""
    for pattern in notebook.experiments:
        if not any(fnmatchcase(name, pattern) for name in EXPERIMENTS):
            raise ValueError(f"{notebook.name} needs experiment {pattern}, "
                             "which is not in lib/training/experiments.py")
    return tuple(name for name in EXPERIMENTS
                 if any(fnmatchcase(name, pattern) for pattern in notebook.experiments))


def common_parameters(options: Options) -> tuple[str, ...]:
    return ("-r", "profile", options.profile, "-r", "data", str(options.data),
            "-r", "device", options.device)


def code_state(notebook: Path, *modules: str) -> list[str]:
    """The notebook, the modules it and `modules` import, and files that belong to those."""
    files = {path for target in (notebook, *modules) for path in module_closure(target)}
    names = {path.relative_to(paths.REPO).as_posix() for path in files}
    for module, pattern in DATA_OF_MODULES.items():
        if module in names:
            files |= {path for path in paths.REPO.glob(pattern) if path.is_file()}
    return [f"code notebooks/{notebook.name} {notebook_hash(notebook)}",
            *(f"code {path.relative_to(paths.REPO).as_posix()} {code_hash([path])}"
              for path in sorted(files))]


@cache  # the state of thousands of files takes a while to ask for
def data_state(key: str, options: Options) -> str:
    found = describe(key, options.data)
    return f"data {key} {found.name}: {found.fingerprint}"


def config_state(experiment: str, options: Options) -> str:
    return f"configuration {experiment} {config_hash(experiment, options.profile)}"


def chosen_jobs(targets: Sequence[str], made: dict[str, Job]) -> list[Job]:
    """The jobs of `targets` (notebooks, experiments), or all notebooks where none is given.

    Raises UsageError for an unknown target.
    """
    known = dict.fromkeys(job.target for job in made.values())
    for target in targets:
        if target not in known:
            near = difflib.get_close_matches(target, known, n=1)
            raise UsageError(f"unknown target {target}" + (f", did you mean {near[0]}?" if near
                             else "; ./run_all.sh --list shows all"))
    wanted = targets or [notebook.name for notebook in NOTEBOOKS]
    return [job for job in made.values() if job.target in wanted]


def with_needs(chosen: Iterable[Job], made: dict[str, Job]) -> set[str]:
    """The names of `chosen` and of all jobs that they need."""
    names = {job.name for job in chosen}
    for job in reversed(made.values()):  # each stands after what it needs
        if job.name in names:
            names.update(job.needs)
    return names
