"""CONTRIBUTING.md, done: a method, a data set, a metric and a table are added to a copy of the kit,
in as few places as it says, and run in the profile `test`."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lib.paths import REPO, cache_dir

NETWORK = '''"""One convolution."""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class BlurConfig:
    widths: tuple[int, ...] = (16,)


class Blur(nn.Module):
    def __init__(self, config: BlurConfig = BlurConfig()):
        super().__init__()
        self.convolution = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x)
'''
RECIPE = '''"""Training step of Blur."""

from lib.losses.pixel import mse
from lib.networks.blur import Blur
from lib.training.enhancement import EnhancementRecipe
from lib.training.optimiser import adam


class BlurRecipe(EnhancementRecipe):
    make_generator = Blur

    def __init__(self, config, data, device):
        super().__init__(config, data, device)
        self.generator = self.make_generator(config.experiment.network).to(device)
        self.modules = {"generator": self.generator}
        self.optimisers = {"generator": adam(config.experiment.optimiser, self.generator)}

    def step(self, step):
        _, degraded, reference = self.batch(step)
        loss = mse(self.generator(degraded), reference)
        self.optimisers["generator"].zero_grad()
        loss.backward()
        self.optimisers["generator"].step()
        return {"mse": loss}
'''
LOADER = '''"""Grey squares of my own."""

from functools import partial

import numpy as np
from PIL import Image

from lib.data import splits
from lib.data.degradation import degrade
from lib.data.enhancement import EnhancementData, Pairs
from lib.data.fingerprint import DataSet, of_files


def describe(root):
    folder = root / "squares"
    return DataSet("squares", "my squares", of_files(folder.glob("*.png"), folder), folder)


def load(root, size, limits):
    parts = {}
    for row in splits.read("squares").values():
        parts.setdefault(row["split"], []).append(row["file"])
    pairs = {split: _pairs(root, names[: limits.get(split)], size) for split, names in parts.items()}
    return EnhancementData("my squares", describe(root).fingerprint, **pairs)


def _pairs(root, names, size):
    images = [Image.open(root / "squares" / name).resize((size, size)) for name in names]
    reference = np.stack([np.asarray(image) for image in images])
    degraded = np.stack([degrade(image, name) for image, name in zip(reference, names)])
    return Pairs(reference, degraded, tuple(names))
'''
METRIC = '''"""Michelson contrast."""

import numpy as np


def contrast(images, references):
    """(max - min) / (max + min) of each image (N, H, W)."""
    images = np.asarray(images, float)
    high, low = images.max(axis=(-2, -1)), images.min(axis=(-2, -1))
    return (high - low) / np.maximum(high + low, 1)
'''
TABLE = '''from lib.results.numbers import comparison, record
from lib.results.runs import find_runs, table_numbers
from lib.results.tables import TABLES

table = TABLES["2dgan", "table8"]
runs = find_runs(profile, table.experiments, data=data)
record(profile, "2dgan", "table8", table_numbers(table, runs))
comparison(profile, "2dgan", "table8")'''


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """A copy of the kit, and how to run a command in it."""
    root = tmp_path_factory.mktemp("kit") / "kit"
    for folder in ("lib", "notebooks", "data/reported", "data/splits"):
        shutil.copytree(REPO / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (REPO / "Snakefile", *(REPO / "data").glob("*.yaml")):
        shutil.copy(file, root / file.relative_to(REPO))
    return Kit(root)


class Kit:
    def __init__(self, root):
        self.root, self.data = root, root.parent / "data"
        self.data.mkdir()

    def write(self, name, text):
        (self.root / name).write_text(text)

    def insert(self, name, before, text):
        """Put a row before a line that is there once."""
        content = (self.root / name).read_text()
        assert content.count(before) == 1, (name, before)
        self.write(name, content.replace(before, text + before))

    def run(self, *command):
        environment = {**os.environ, "PYTHONPATH": str(self.root), "IR_CACHE": str(cache_dir()),
                       "IR_RESULTS": str(self.root.parent / "results"), "IR_DATA": str(self.data)}
        found = subprocess.run([sys.executable, "-P", "-m", *command], cwd=self.root, text=True,
                               capture_output=True, env=environment)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    def folder(self, experiment):
        return self.root.parent / "results" / "test" / "runs" / experiment / "seed0"


def train(kit, *names):
    return kit.run("lib.train", "--profile", "test", "--experiment", *names)


@pytest.fixture(scope="module")
def blurred(kit):
    """The kit with a method of its own, trained."""
    kit.write("lib/networks/blur.py", NETWORK)
    kit.write("lib/training/recipes/blur.py", RECIPE)
    kit.insert("lib/training/recipes/__init__.py", "from lib.training.recipes.cut ",
               "from lib.training.recipes.blur import BlurRecipe\n")
    kit.insert("lib/training/recipes/__init__.py", '    "cut": CUTRecipe', '    "blur": BlurRecipe,\n')
    experiments = "lib/training/experiments.py"
    kit.insert(experiments, "from lib.networks.funie_gan", "from lib.networks.blur import BlurConfig\n")
    kit.insert(experiments, '        Experiment("TIECNN"',
               '        Experiment("blur", "2dgan", "one convolution", BlurConfig(), "blur",\n'
               "                   discriminator=None, losses=None),\n")
    train(kit, "blur")
    return kit


def test_a_method_is_added(blurred):
    record = json.loads((blurred.folder("blur") / "run.json").read_text())
    assert record["status"] == "complete" and record["metrics"]["PSNR"] > 0


def test_a_metric_is_added_and_measured_without_training(blurred):
    kit = blurred
    weights = (kit.folder("blur") / "weights.safetensors").read_bytes()
    kit.write("lib/metrics/contrast.py", METRIC)
    kit.insert("lib/metrics/__init__.py", "from lib.metrics.eme ",
               "from lib.metrics.contrast import contrast\n")
    kit.insert("lib/metrics/__init__.py", '    "PSNR": psnr', '    "contrast": contrast,\n')
    told = train(kit, "blur")
    assert "evaluation code changed: metrics" in told and "step " not in told
    assert (kit.folder("blur") / "weights.safetensors").read_bytes() == weights
    images = pd.read_csv(kit.folder("blur") / "test_images.csv")
    assert images["contrast"].between(0, 1).all()


def test_a_data_set_is_added(blurred):
    kit = blurred
    (kit.data / "squares").mkdir()
    random = np.random.default_rng(0)
    names = [f"{k}.png" for k in range(16)]
    for name in names:
        image = random.integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(image).save(kit.data / "squares" / name)
    split = ["train"] * 10 + ["validation"] * 3 + ["test"] * 3
    rows = "\n".join(f"{name},{part}" for name, part in zip(names, split))
    kit.write("data/splits/squares.csv", f"file,split\n{rows}\n")
    kit.write("lib/data/squares.py", LOADER)
    catalogue = (kit.root / "lib/data/catalogue.py").read_text()
    imports = next(line for line in catalogue.splitlines() if line.startswith("from lib.data import"))
    kit.insert("lib/data/catalogue.py", imports, "from lib.data import squares\n")
    kit.insert("lib/data/catalogue.py", '    "msrs": ',
               '    "squares": Source(squares.describe, squares.load),\n')
    kit.insert("lib/training/experiments.py", '        Experiment("TIECNN"',
               '        Experiment("blur-squares", "2dgan", "on squares", BlurConfig(), "blur",\n'
               '                   data="squares", discriminator=None, losses=None),\n')
    train(kit, "blur-squares")
    record = json.loads((kit.folder("blur-squares") / "run.json").read_text())
    assert record["dataset"] == "my squares" and record["n_images"] == 3


def test_a_table_is_added(blurred):
    kit = blurred
    with open(kit.root / "data/reported/2dgan.csv", "a") as stream:
        stream.write("2dgan,table8,PSNR,Blur,20.5,,,Appendix\n")
    tables = "lib/results/tables.py"
    kit.insert(tables, '        Table("gn_cyclegan", "table2", {',
               '        _by_column("table8", {"Blur": "blur"}, ["PSNR"]),\n')
    kit.insert(tables, '    Notebook("20_gn_data"',
               '    Notebook("19_table8", "2D-GAN: Table 8", (("2dgan", "table8"),)),\n')
    parameters = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source":
                  "profile, data, seeds, device = 'smoke', None, None, 'auto'"}
    cells = [parameters, {"cell_type": "code", "metadata": {}, "source": TABLE}]
    cells = [{"execution_count": None, "outputs": [], "id": f"c{k}", **cell}
             for k, cell in enumerate(cells)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    kit.write("notebooks/19_table8.ipynb", json.dumps(notebook))
    kit.run("lib.running.run_all", "--profile", "test", "--only", "19_table8")
    part = pd.read_csv(kit.root.parent / "results/test/tables/2dgan_table8.csv").iloc[0]
    record = json.loads((kit.folder("blur") / "run.json").read_text())
    assert part["source"] == "runs/blur/seed0/run.json" and part["reported"] == 20.5
    assert part["reproduced"] == pytest.approx(record["metrics"]["PSNR"], rel=1e-5)
