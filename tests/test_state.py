"""State that cannot lie: what is damaged, half done, or of other conditions is told and mended.

Each of the faults here once passed in silence, or lost what was there.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from lib import files
from lib.data import catalogue
from lib.training import engine, record, run as running, status
from lib.training.experiments import resolve
from lib.training.recipes import RECIPES
from lib.training.run import load_generator, run
from made_runs import flip, quiet, recipe_of


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """An empty data root (the embedded images are taken) and a cache."""
    root = tmp_path_factory.mktemp("places")
    (root / "data").mkdir()
    return root


@pytest.fixture
def trained(places, tmp_path, monkeypatch):
    """A complete run of C1, without perceptual losses, in its own folder."""
    monkeypatch.setenv("IR_CACHE", str(places / "cache"))
    return again(places, tmp_path / "run")


def again(places, folder, **options):
    options = {"without_perceptual": True, "device": "cpu", "report": quiet} | options
    return run("C1", "test", 0, places / "data", folder, **options)


def todo(places, folder):
    config = resolve("C1", "test", 0, without_perceptual=True)
    return status.to_do(folder, config, catalogue.describe("enhancement", places / "data"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# ---- weights and records


def test_a_flipped_bit_of_the_weights_is_seen(places, trained):
    assert todo(places, trained) == status.ToDo("nothing")
    flip(trained / record.WEIGHTS, 4321)
    assert todo(places, trained) == status.ToDo("train", "weights.safetensors is damaged")
    with pytest.raises(record.Damaged, match="weights.safetensors is damaged"):
        load_generator(trained)


@pytest.mark.parametrize("name", ["test_images.csv", "samples.png", "history.csv"])
def test_a_damaged_file_beside_whole_weights_is_made_again_without_training(places, trained, name):
    before = contents(trained)
    if name == "history.csv":  # what only training makes is told, and evaluated as far as it goes
        (trained / name).unlink()
        assert todo(places, trained) == status.ToDo("train", "history.csv is missing")
        return
    flip(trained / name, 100)
    assert todo(places, trained) == status.ToDo("evaluate", f"{name} is damaged")
    lines = []
    again(places, trained, report=lines.append)
    assert not [line for line in lines if line.startswith("step ")]
    assert contents(trained)[name] == before[name]
    assert contents(trained)[record.WEIGHTS] == before[record.WEIGHTS]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"experiment": "C1"}'])
def test_an_unreadable_record_is_named_and_made_again(places, trained, text):
    (trained / "run.json").write_text(text)
    found = todo(places, trained)
    assert found.what == "train" and str(trained / "run.json") in found.why
    again(places, trained)
    assert todo(places, trained).what == "nothing"


def test_a_changed_metric_evaluates_and_trains_nothing(places, trained, monkeypatch):
    before = contents(trained)
    monkeypatch.setattr(status, "evaluated_by", lambda config, dataset: {
        "code": "new", "configuration": json.loads(before["run.json"])["evaluated_by"][
            "configuration"], "data": dataset.fingerprint[:16]})
    assert todo(places, trained).what == "evaluate"
    lines = []
    again(places, trained, report=lines.append)
    assert not [line for line in lines if line.startswith("step ")]
    assert contents(trained)[record.WEIGHTS] == before[record.WEIGHTS]


# ---- a run that fails, or is stopped, leaves what was there


def test_a_run_that_fails_leaves_the_one_before(places, trained, monkeypatch):
    before = contents(trained)

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(running, "judge", fail)
    with pytest.raises(OSError, match="no space left"):
        again(places, trained, force=True)
    assert contents(trained) == before


def test_a_run_that_diverges_leaves_the_one_before(places, trained, monkeypatch):
    before = contents(trained)
    step = RECIPES["two_d_gan"].step

    def diverging(self, number):
        losses = step(self, number)
        return {name: loss * float("nan") for name, loss in losses.items()}

    monkeypatch.setattr(RECIPES["two_d_gan"], "step", diverging)
    with pytest.raises(engine.TrainingDiverged):
        again(places, trained, force=True)
    assert contents(trained) == before


def test_a_stopped_run_takes_the_place_of_no_complete_one(places, trained):
    before, lines = contents(trained), []
    again(places, trained, force=True, time_budget=0, report=lines.append)
    assert contents(trained) == before
    assert any("stays until this one is complete" in line for line in lines)
    again(places, trained, force=True)
    after = contents(trained)
    assert after[record.WEIGHTS] == before[record.WEIGHTS]  # the same seed, the same bytes


# ---- checkpoints


def tiny_run(places, folder, report=quiet, **options):
    recipe = recipe_of(resolve("TIECNN", "test", 0), places / "data")
    engine.train(recipe, folder, "one", report=report, **options)
    return {name: tensor.clone() for name, tensor in recipe.generator.state_dict().items()}


@pytest.mark.parametrize("seconds, damage", [
    (0.05, lambda path: flip(path, 0)), (0.05, lambda path: flip(path, 99_999)),
    (0, lambda path: os.truncate(path, 1000)),
])
def test_a_damaged_checkpoint_changes_no_result(places, tmp_path, monkeypatch, seconds, damage):
    """It is set aside with a line; the run goes on from the one before it, or from the start."""
    monkeypatch.setenv("IR_CACHE", str(places / "cache"))
    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", 0)
    whole = tiny_run(places, tmp_path / "whole")
    folder = tmp_path / "stopped"
    tiny_run(places, folder, time_budget=seconds)
    checkpoints = sorted(folder.glob("checkpoint-*.pt"))
    assert 1 <= len(checkpoints) <= 2
    damage(checkpoints[-1])
    lines = []
    resumed = tiny_run(places, folder, report=lines.append)
    assert sum("is damaged and set aside" in line for line in lines) == 1
    assert list(folder.glob("damaged-*"))
    assert all(torch.equal(resumed[k], v) for k, v in whole.items())


# ---- temporary files and locks


def test_what_a_killed_write_left_is_removed_by_the_next(tmp_path):
    code = ("import sys, time\nfrom pathlib import Path\nfrom lib.files import write_atomically\n"
            "def write(path):\n    path.write_text('half')\n    print('half', flush=True)\n"
            "    time.sleep(60)\n"
            f"write_atomically(Path({str(tmp_path)!r}) / 'a.csv', write)\n")
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "half"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list(tmp_path.iterdir())) == 1
    files.write_text(tmp_path / "a.csv", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_living_write_keeps_its_temporary_file(tmp_path):
    """Another process that is writing the same file at this moment is not disturbed."""
    code = ("import sys, time\nfrom pathlib import Path\nfrom lib.files import write_atomically\n"
            "def write(path):\n    path.write_text('slow')\n    print('half', flush=True)\n"
            "    time.sleep(1)\n"
            f"write_atomically(Path({str(tmp_path)!r}) / 'a.csv', write)\n")
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "half"
    files.write_text(tmp_path / "a.csv", "quick")
    assert process.wait() == 0
    assert (tmp_path / "a.csv").read_text() == "slow"


def test_two_processes_at_one_run_are_one_clear_line(places, trained):
    code = ("import sys, time\nfrom pathlib import Path\nfrom lib.files import only_one\n"
            f"with only_one(Path({str(trained)!r}) / '.lock', 'busy'):\n"
            "    print('held', flush=True)\n    time.sleep(60)\n")
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline().strip() == "held"
    with pytest.raises(BlockingIOError, match="another process"):
        again(places, trained)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    time.sleep(0.1)
    again(places, trained)  # the lock ended with its process
