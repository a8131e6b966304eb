"""The engine: exact resume after a kill, time budget, the guard against NaN, the record."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from importlib import import_module
from statistics import median

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lib import train
from lib.benchmarks import step as bench
from lib.training.experiments import EXPERIMENTS, resolve, run_hash
from lib.networks.weights import PretrainedUnavailable, resolve as resolve_weights
from lib.training import engine
from lib.training.batch_norm import estimate_statistics
from lib.training.sampling import batch_indices

CPU = torch.device("cpu")


@pytest.fixture
def empty_root(tmp_path):
    """A data root without data sets: the embedded natural images are taken."""
    root = tmp_path / "data"
    root.mkdir()
    return root


@pytest.fixture
def weights():
    try:
        resolve_weights("vgg16"), resolve_weights("efficientnet_b0")
    except PretrainedUnavailable as problem:
        pytest.skip(str(problem))


def train_command(root, out, *more):
    return [sys.executable, "-m", "lib.train", "--experiment", "C5", "--profile", "test",
            "--data", str(root), "--out", str(out), "--device", "cpu", *more]  # fmt: skip


def environment(**more):
    return {**os.environ, "IR_CHECKPOINT_SECONDS": "0", **more}


def run(command, **more):
    return subprocess.run(command, capture_output=True, text=True, env=environment(**more))


def content(folder):
    names = ("weights.safetensors", "history.csv", "test_images.csv", "samples.png")
    return {name: (folder / name).read_bytes() for name in names}


def test_killed_and_resumed_gives_the_same_bytes(tmp_path, empty_root, weights):
    whole = run(train_command(empty_root, tmp_path / "whole"))
    assert whole.returncode == 0, whole.stderr

    killed, checkpoint = tmp_path / "killed", tmp_path / "killed" / "checkpoint.pt"
    process = subprocess.Popen(
        train_command(empty_root, killed), env=environment(), stdout=subprocess.DEVNULL
    )
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.3))  # at any step after the first checkpoint
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (killed / "run.json").exists()

    resumed = run(train_command(empty_root, killed))
    assert resumed.returncode == 0, resumed.stderr
    assert "resuming at step" in resumed.stdout
    assert content(killed) == content(tmp_path / "whole")


def test_time_budget_stops_cleanly_and_goes_on(tmp_path, empty_root, weights):
    out = tmp_path / "run"
    first = run(train_command(empty_root, out, "--time-budget", "0"))
    assert first.returncode == 0, first.stderr
    record = json.loads((out / "run.json").read_text())
    assert record["status"] == "stopped"
    assert 0 < record["steps"] < record["steps_total"]

    second = run(train_command(empty_root, out))
    assert "resuming at step" in second.stdout
    record = json.loads((out / "run.json").read_text())
    assert record["status"] == "complete"
    third = run(train_command(empty_root, out))
    assert "complete already" in third.stdout


def test_record_says_what_made_it(tmp_path, empty_root, weights):
    out = train.run("C2", "test", 3, empty_root, tmp_path / "run", "cpu", report=lambda line: None)
    record = json.loads((out / "run.json").read_text())
    assert record["dataset"] == "embedded natural images"
    assert record["experiment"] == "C2" and record["seed"] == 3
    assert record["config_hash"] == run_hash(resolve("C2", "test", 3))
    assert record["trained"] == "6.667 of 6.667 epochs"
    assert set(record["pretrained_weights"]) == {"vgg16", "efficientnet_b0"}
    per_image = pd.read_csv(out / "test_images.csv", index_col="image")
    assert len(per_image) == record["n_images"] == 6
    for metric, mean in record["metrics"].items():
        assert per_image[metric].mean() == pytest.approx(mean, rel=1e-5)


def tiny_recipe(root, name="C2", without_perceptual=True):
    config = resolve(name, "test", without_perceptual=without_perceptual)
    train.make_deterministic(0)
    recipe = import_module(f"lib.training.recipes.{config.experiment.recipe}")
    return recipe.make_recipe(config, recipe.load_data(config, root), CPU)


def test_a_changed_identity_starts_afresh(tmp_path, empty_root):
    lines = []
    engine.train(tiny_recipe(empty_root), tmp_path, "one", time_budget=0, report=lines.append)
    engine.train(tiny_recipe(empty_root), tmp_path, "two", time_budget=0, report=lines.append)
    assert sum("starting afresh" in line for line in lines) == 1
    assert not any("resuming" in line for line in lines)


def test_guard_names_step_loss_and_images(tmp_path, empty_root):
    recipe = tiny_recipe(empty_root)
    position = 4
    bad = recipe.indices(position)[0]
    recipe.step_before, seen = recipe.step, []

    def step(number):
        seen.append(number)
        losses = recipe.step_before(number)
        return losses | {"mse": losses["mse"] * float("nan")} if number == position else losses

    recipe.step = step
    with pytest.raises(engine.TrainingDiverged) as raised:
        engine.train(recipe, tmp_path, "x", report=lambda line: None)
    assert f"mse is nan at step {position + 1}" in str(raised.value)
    assert recipe.image_names[bad] in str(raised.value)


def test_generator_learns(tmp_path, empty_root):
    """A few steps bring the mean squared error down on the images that were seen."""
    recipe = tiny_recipe(empty_root)
    result = engine.train(recipe, tmp_path, "x", report=lambda line: None)
    losses = [row["mse"] for row in result.history]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_experiment_takes_a_step(name, empty_root, weights):
    recipe = tiny_recipe(empty_root, name, without_perceptual=False)
    before = [p.detach().clone() for p in recipe.generator.parameters()]
    losses = recipe.step(0)
    assert all(value.isfinite() for value in losses.values())
    assert any((a != b).any() for a, b in zip(before, recipe.generator.parameters()))


def test_a_perceptual_loss_alone_cannot_be_left_out():
    with pytest.raises(ValueError, match="L3-prose has no loss left"):
        resolve("L3-prose", "test", without_perceptual=True)


def test_without_perceptual_is_part_of_the_configuration():
    plain, without = resolve("C5", "smoke"), resolve("C5", "smoke", without_perceptual=True)
    assert run_hash(plain) != run_hash(without)
    assert without.experiment.losses.vgg == without.experiment.losses.efficientnet == 0


def test_fast_and_plain_steps_have_the_same_losses(empty_root, weights):
    result = bench.compare("C5", 32, 2, 3, CPU, empty_root)
    assert result.differences.keys() >= {"critic", "mse", "vgg", "efficientnet", "total"}
    assert result.unequal() == []
    assert median(result.differences.values()) < 1e-6
    assert max(result.differences.values()) < bench.LOOSE_TOLERANCE
    assert 0 < result.convolution_seconds


def test_batches_cover_an_epoch_once_and_differ_between_epochs():
    epochs = [np.concatenate([batch_indices(e * 5 + k, 40, 8, seed=0) for k in range(5)])
              for e in range(2)]  # fmt: skip
    assert all(sorted(epoch) == list(range(40)) for epoch in epochs)
    assert (epochs[0] != epochs[1]).any()
    assert (batch_indices(3, 40, 8, seed=0) == batch_indices(3, 40, 8, seed=0)).all()
    with pytest.raises(ValueError, match="do not fill one batch"):
        batch_indices(0, 7, 8, seed=0)


def test_command_line_errors_are_one_clear_line(tmp_path):
    for more, words in (
        (["--experiment", "C9"], "unknown experiment 'C9'"),
        (["--experiment", "C1", "--profile", "huge"], "unknown profile 'huge'"),
        (["--experiment", "C1", "--data", str(tmp_path / "nowhere")], "is not a folder"),
        (["--experiment", "C1", "--device", "tpu"], "unknown device"),
    ):
        result = run([sys.executable, "-m", "lib.train", *more])
        assert result.returncode == 2
        assert words in result.stderr and len(result.stderr.strip().splitlines()) == 1


def test_unavailable_weights_name_the_way_out(tmp_path, empty_root):
    """No cache, no registry: the run refuses, and says how to go without."""
    offline = {"IR_WEIGHTS": str(tmp_path / "none"), "PIP_NO_INDEX": "1", "PATH": "/nowhere"}
    offline["PIP_FIND_LINKS"] = ""
    offline["https_proxy"] = "http://127.0.0.1:9"
    refused = run(train_command(empty_root, tmp_path / "run"), **offline)
    assert refused.returncode == 2
    assert "--without-perceptual" in refused.stderr
    accepted = run(train_command(empty_root, tmp_path / "run", "--without-perceptual"), **offline)
    assert accepted.returncode == 0, accepted.stderr
    assert "WITHOUT the VGG and EfficientNet losses" in accepted.stdout
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["config"]["without_perceptual"] is True
    assert record["pretrained_weights"] == {}


def test_batch_norm_statistics_are_the_mean_of_the_given_batches():
    norm = nn.BatchNorm2d(1, momentum=0.8).eval()
    estimate_statistics(norm, [torch.full((2, 1, 2, 2), value) for value in (1.0, 5.0)])
    assert norm.running_mean.item() == 3 and norm.running_var.item() == 0
    assert norm.momentum == 0.8 and not norm.training


def test_a_network_without_batch_norm_sees_no_batch():
    estimate_statistics(nn.Conv2d(1, 1, 1), iter(lambda: pytest.fail("a batch was asked for"), 0))
