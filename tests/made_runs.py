"""What several test files need: runs as training would leave them, in no time, as their metrics are
made up; files, records and notebooks, read, made and altered."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.data import catalogue
from lib.evaluation.judge import Evaluation
from lib.machine import make_deterministic
from lib.metrics import METRICS
from lib.networks.weights import PretrainedUnavailable, resolve as resolve_weights
from lib.paths import NOTEBOOKS, results_dir, run_folder
from lib.training import record
from lib.training.experiments import RunConfig, resolve
from lib.training.identity import evaluated_by, evaluation_code, settings, trained_by, training_code
from lib.training.recipes import RECIPES
from lib.training.run import load

IMAGES = tuple(f"image {k}" for k in range(6))
PICTURES = np.random.default_rng(0).integers(0, 256, (len(IMAGES), 32, 32), dtype=np.uint8)

# a record of which everything is made up
IDENTITY = dict.fromkeys(record.IDENTITY, "made up")
BLANK = dict.fromkeys(record.FORM, "made up") | {
    "seed": 0, "steps": 0, "n_images": 0, "metrics": {}, "examples": [], "trained_by": IDENTITY,
    "evaluated_by": IDENTITY, "files": {}, "versions": {}, "not_measured": "",
    "config": {"precision": "fp32", "experiment": {"title": "made up"}},
}


def quiet(line: str) -> None:
    """In place of print."""


def need_weights(*names: str) -> None:
    """Skips where pretrained weights are neither in the cache nor to be had, but not where they were
    fetched and are not what they should be."""
    try:
        for name in names:
            resolve_weights(name)
    except PretrainedUnavailable as problem:
        if "wrong checksum" in str(problem):
            raise
        pytest.skip(str(problem))


def cells_of(notebook: str, kind: str = "code") -> list[dict]:
    """The cells of a notebook of the kit, those of code or of text ("markdown")."""
    content = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def put(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Files below a folder, name -> text or bytes."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that has to be in a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def flip(path: Path, position: int = -1) -> None:
    """Change one bit of a file, in the byte at a position."""
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1
    path.write_bytes(content)


def recipe_of(config: RunConfig, root: Path):
    """What a training begins with: the recipe of a configuration, on the images of a data root."""
    make_deterministic(config.seed)
    return RECIPES[config.experiment.recipe](config, load(config, root), torch.device("cpu"))


def alter_record(folder: Path, **fields) -> None:
    """Change fields of a run's record."""
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def make_run(experiment, seed, root, profile="test", **changed):
    """A whole run in the results of its profile; `changed`: fields of its record.

    Of one that judges another's network, `weights` has to be among these.
    """
    config = resolve(experiment, profile, seed)
    dataset = catalogue.describe(config.experiment.data, root)
    folder = run_folder(results_dir(profile), experiment, seed)
    work = folder / "training"
    work.mkdir(parents=True)
    random = np.random.default_rng([seed, *map(ord, experiment)])
    test = Evaluation(IMAGES, PICTURES, PICTURES, PICTURES,
                      {metric: random.uniform(10, 20, len(IMAGES)) for metric in METRICS})
    if config.experiment.network:
        for name in record.STORED_WEIGHTS:
            record.write_weights(work / name, torch.nn.Linear(1, 1))
        (work / "history.csv").write_text("step,mse\n10,2\n20,1\n")
    about = BLANK | {
        "experiment": experiment, "profile": profile, "seed": seed, "status": "complete",
        "trained": "1 of 1 epochs", "steps": 20 if config.experiment.network else 0,
        "dataset": dataset.name, "data_fingerprint": dataset.fingerprint,
        "n_images": len(IMAGES), "metrics": test.means(),
        "trained_by": {} if config.experiment.weights_of else trained_by(config, dataset),
        "evaluated_by": evaluated_by(config, dataset),
        "definitions": {"trained": training_code(config),
                        "evaluated": evaluation_code(config.experiment.data)},
        "config": settings(config), "steps_total": 20, "wall_time_s": 9.0, "peak_memory_mb": 99,
    }
    record.write(work, folder, about | changed, test, [3, 1, 0], {})
    record.install(work, folder)
    shutil.rmtree(work)
    return folder
