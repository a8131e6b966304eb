"""What jobs there are, and what each depends on: the experiments, the notebooks that read them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

from lib import paths
from lib.data import catalogue
from lib.data.fingerprint import DataSet
from lib.files import sha256
from lib.provenance import digest, notebook_definitions, of_definitions
from lib.results.tables import NOTEBOOKS, Notebook
from lib.running.job import Job, Options
from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.identity import MACHINERY, evaluated_by, trained_by
from lib.training.profiles import PROFILES
from lib.training.status import to_do

# what these say is in the identities of the runs that a notebook reads
ENDS = (*MACHINERY, "lib.training.identity", "lib.training.status", "lib.training.run")
FILES = {  # module, or definition of one -> files of the repository that it reads
    "lib.own_images.shipped": "data/weights/*",
    "lib.papers.audit": "data/audit.yaml",
    "lib.papers.ledger": "data/deviations.yaml",
    "lib.papers.reported": "data/reported/*.csv",
    "lib.results.claims": "data/claims.yaml",
    "lib.results.compare.beside_full_width": "results/published/paper/runs/*/seed*/run.json",
    "lib.report.html": "lib/report/page/*",
}


@cache
def jobs(options: Options) -> dict[str, Job]:
    """All jobs by name, each after those that it needs, in the order of NOTEBOOKS. Raises
    ValueError for a notebook that comes after one that is not above it."""
    runs = _run_jobs(options)
    by_name = {job.name: job for made_by in runs.values() for job in made_by}
    made: dict[str, Job] = {}
    for notebook in NOTEBOOKS:
        read = [job for name in notebook.reads() for job in runs[name]]
        made |= {name: by_name[name] for job in read for name in (*job.needs, job.name)}
        if missing := set(notebook.after) - made.keys():
            raise ValueError(f"{notebook.name} comes after {min(missing)}, which is not above it")
        read += [made[name] for name in notebook.after]
        made[notebook.name] = _notebook_job(notebook, read, options)
    return made | by_name


def _run_jobs(options: Options) -> dict[str, list[Job]]:
    """Experiment -> the jobs that make its runs: of a trained one a job for each seed; untrained
    methods on the same data share one, as they are sooner done than started."""
    made: dict[str, list[Job]] = {}
    for name in sorted(EXPERIMENTS, key=lambda name: bool(EXPERIMENTS[name].weights_of)):
        experiment = EXPERIMENTS[name]
        if experiment.weights_of:
            made[name] = [_run_job(f"{name}_seed{lent.seed}", [name], lent.seed, options, lent)
                          for lent in made[experiment.weights_of]]
        elif experiment.trained:
            made[name] = [_run_job(f"{name}_seed{seed}", [name], seed, options)
                          for seed in _seeds(name, options)]
        elif name not in made:
            group = [other for other, of in EXPERIMENTS.items()
                     if not of.trained and of.data == experiment.data]
            job = _run_job(f"untrained_{experiment.data}", group, 0, options)
            made |= dict.fromkeys(group, [job])
    return made


def _seeds(name: str, options: Options) -> Sequence[int]:
    """The seeds that were asked for; if none were, 0 and all others whose training is finished."""
    if options.seeds is not None:
        return options.seeds
    dataset, _ = described(EXPERIMENTS[name].data, options.data)
    results = paths.results_dir(options.profile)
    finished = [
        seed for seed in paths.seeds_recorded(results, name)
        if to_do(paths.run_folder(results, name, seed),
                 resolve(name, options.profile, seed, precision=options.precision),
                 dataset).what in ("nothing", "evaluate")
    ]
    return sorted({0, *finished})


def _run_job(name: str, experiments: list[str], seed: int, options: Options,
             needed: Job | None = None) -> Job:
    """A job of experiments on one data set."""
    parts: dict[str, list[str]] = {}
    dataset, broken = described(EXPERIMENTS[experiments[0]].data, options.data)
    for experiment in experiments:
        config = resolve(experiment, options.profile, seed, precision=options.precision)
        found = {"evaluation": evaluated_by(config, dataset)}
        if not needed:  # else its network is that one's
            found["training"] = trained_by(config, dataset)
        for kind, identity in found.items():
            for part, value in identity.items():
                parts.setdefault(f"{kind} {part}", []).append(value)
    together = {part: digest(values) for part, values in parts.items()}
    needs = {needed.name: needed.identity} if needed else {}
    return Job(name, together | {"device": options.device}, needs, runs=experiments, seed=seed,
               broken=broken)


def _notebook_job(notebook: Notebook, read: Iterable[Job], options: Options) -> Job:
    path = paths.NOTEBOOKS / f"{notebook.name}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = notebook_definitions(path, ENDS)
    definitions = {name: of for name, of in found.items() if name.startswith("lib.")}
    files = [file for module, pattern in FILES.items() for file in sorted(paths.REPO.glob(pattern))
             if any(f"{name}.".startswith(f"{module}.") for name in definitions)]
    needs = {job.name: job.identity for job in read}
    data = {key: described(key, options.data) for key in notebook.data}
    executed = paths.results_dir(options.profile) / "executed"
    shown = [path for other in NOTEBOOKS if notebook.after and other.on_request
             and (path := executed / f"{other.name}.ipynb").is_file()]  # the report has its figures
    parts = {
        "code": of_definitions(definitions),
        "text": digest(["".join(cell["source"]) for cell in cells]),
        "settings of the profile": digest(asdict(PROFILES[options.profile])),
        "device": options.device,
        **{f"data {key}": dataset.fingerprint[:16] for key, (dataset, _) in data.items()},
        **{f"file {file.relative_to(paths.REPO)}": sha256(file)[:16] for file in files},
        **{f"notebook {path.stem}": sha256(path)[:16] for path in shown},
    }
    broken = next((problem for _, problem in data.values() if problem), "")
    return Job(notebook.name, parts, needs, definitions=definitions, broken=broken)


@cache  # asking for the state of thousands of files takes a while
def described(key: str, root: str) -> tuple[DataSet, str]:
    """The data set of a key under a data root; for one that is broken an empty one, and what is
    wrong: that is for the plans that need it to tell."""
    try:
        return catalogue.describe(key, Path(root)), ""
    except ValueError as problem:
        return DataSet(key, "", "", None), str(problem)


def titles() -> dict[str, str]:
    """What --only can be given, and what a reader is told of it."""
    found = {notebook.name: notebook.title for notebook in NOTEBOOKS}
    return found | {name: f"{one.title}, on {one.data}" for name, one in EXPERIMENTS.items()}


def with_needs(targets: Sequence[str], made: dict[str, Job]) -> list[Job]:
    """The jobs of `targets`, and all jobs that they need, in order; where there are none, of all
    notebooks but those that run on request."""
    targets = set(targets or (notebook.name for notebook in NOTEBOOKS if not notebook.on_request))
    names = {job.name for job in made.values() if targets & set(job.targets)}
    for job in reversed(made.values()):  # each stands after what it needs
        if job.name in names:
            names.update(job.needs)
    return [job for name, job in made.items() if name in names]
