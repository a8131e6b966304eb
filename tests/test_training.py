"""Runs: exact resume after a kill, time budget, the guard against NaN, the record, the command."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from copy import deepcopy
from dataclasses import replace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock
from torch import nn

from lib import train
from lib.data import catalogue
from lib.data.tensors import to_unit
from lib.evaluation.inference import as_method
from lib.metrics import METRICS
from lib.networks.weights import PretrainedUnavailable
from lib.paths import results_dir, run_folder
from lib.training import engine, record, run as running
from lib.training.experiments import EXPERIMENTS, Adam, resolve
from lib.training.identity import evaluated_by, trained_by
from lib.training.sampling import batch_indices
from lib.training.status import ToDo, to_do
from made_runs import alter_record, quiet, recipe_of

CPU = torch.device("cpu")


def unlike(names):
    """The first of those experiments that differ in numbers alone, as loss weights are; and of each
    data set one."""
    kept, seen = [], set()
    for name in names:
        one = EXPERIMENTS[name]
        losses = {key: value if isinstance(value, str) else bool(value)
                  for key, value in vars(one.losses).items()} if one.losses else {}
        kind = one.recipe, one.network, one.discriminator, str(losses), one.precision
        if not {kind, one.data} <= seen:
            kept.append(name)
        seen |= {kind, one.data}
    return kept


TRAINED = unlike(name for name, one in EXPERIMENTS.items() if one.network)
UNTRAINED = [name for name, one in EXPERIMENTS.items() if not one.trained]


def run(name, root, out, **options):
    return running.run(name, "test", 0, root, out, "cpu", **{"report": quiet} | options)


def train_command(root, out, *more):
    return [sys.executable, "-m", "lib.train", "--experiment", "C5", "--profile", "test",
            "--data", str(root), "--out", str(out), "--device", "cpu", *more]


def environment():
    return {**os.environ, "IR_CHECKPOINT_SECONDS": "0"}


def content(folder):
    """What a run has made, but for its record, which holds times."""
    return {path.name: path.read_bytes() for path in folder.iterdir()
            if path.is_file() and path.name not in ("run.json", ".lock")}


def tiny_recipe(root):
    return recipe_of(resolve("C2", "test", without_perceptual=True), root)


# ---- a whole run


@pytest.fixture(scope="module")
def whole(tmp_path_factory, root, perceptual):
    """C5 trained without a break, in a process of its own."""
    folder = tmp_path_factory.mktemp("runs") / "C5" / "seed0"
    made = subprocess.run(train_command(root, folder), capture_output=True, text=True,
                          env=environment())
    assert made.returncode == 0, made.stderr
    return folder


def test_record_says_what_made_it(whole, root):
    known = record.read(whole)
    config = resolve("C5", "test", 0, precision=known["config"]["precision"])
    dataset = catalogue.describe("enhancement", root)
    assert known["dataset"] == "embedded natural images"
    assert (known["experiment"], known["profile"], known["seed"]) == ("C5", "test", 0)
    assert known["trained_by"] == trained_by(config, dataset)
    assert known["evaluated_by"] == evaluated_by(config, dataset)
    assert known["trained"] == "3.333 of 3.333 epochs"
    assert known["steps"] == known["steps_total"] == 10 and known["status"] == "complete"
    assert set(known["pretrained_weights"]) == {"vgg16", "efficientnet_b0"}
    assert known["config"]["experiment"]["losses"]["mse"] == 700
    images = pd.read_csv(whole / "test_images.csv", index_col="image")
    assert len(images) == known["n_images"] == 6
    assert set(images) == set(known["metrics"]) == {*METRICS, "LPIPS", *(f"last {m}" for m in METRICS)}
    for metric, mean in known["metrics"].items():
        assert images[metric].mean() == pytest.approx(mean, rel=1e-5)
    assert set(content(whole)) == set(known["files"]) == {
        *record.TRAINED, "test_images.csv", "samples.png", "attention.npz",
    }
    assert not (whole / "training").exists()


def test_history_has_every_loss_and_the_validation(whole):
    history = pd.read_csv(whole / "history.csv", index_col="step")
    assert list(history.index) == list(range(1, 11))
    losses = history[["critic", "penalty", "adversarial", "mse", "vgg", "efficientnet", "total"]]
    assert np.isfinite(losses).all(axis=None)
    validated = history["validation_PSNR"].dropna()
    assert validated.index[-1] == 10 and len(validated) == 1  # ten times a run of 100 rows


def test_killed_and_resumed_gives_the_same_bytes(whole, root, tmp_path):
    killed = tmp_path / "killed"
    process = subprocess.Popen(train_command(root, killed), env=environment(),
                               stdout=subprocess.DEVNULL)
    while not list(killed.glob("training/checkpoint-*.pt")) and process.poll() is None:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.3))  # at any step after the first checkpoint
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (killed / "run.json").exists()
    lines = []
    run("C5", root, killed, report=lines.append)
    assert any("did not finish last time" in line for line in lines)
    assert any("resuming at step" in line for line in lines)
    assert content(killed) == content(whole)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.fixture(scope="module")
def tiecnn(root, tmp_path_factory):
    """What TIECNN leaves where nothing stops it."""
    return content(run("TIECNN", root, tmp_path_factory.mktemp("runs") / "TIECNN"))


@pytest.mark.parametrize("moment", range(5))
def test_a_kill_while_files_are_put_in_place_loses_nothing(
    root, tiecnn, tmp_path, monkeypatch, moment
):
    """Whether the new record is there or not decides, and the next run mends the rest."""
    config = resolve("TIECNN", "test", 0)
    dataset = catalogue.describe("enhancement", root)
    moved, replaced = [], os.replace

    def killed(source, target):
        if source.parent.name == "training" and not source.name.startswith("."):
            if len(moved) == moment:
                raise Killed
            moved.append(source)
        replaced(source, target)

    folder = tmp_path / "killed"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(os, "replace", killed)
        run("TIECNN", root, folder)
    assert to_do(folder, config, dataset) == ToDo("train", "did not finish last time")
    run("TIECNN", root, folder)
    assert content(folder) == tiecnn
    assert to_do(folder, config, dataset).what == "nothing"


def test_time_budget_stops_cleanly_and_goes_on(root, tmp_path, capsys):
    options = {"without_perceptual": True, "report": print}
    run("C1", root, tmp_path, time_budget=0, **options)
    stopped = record.read(tmp_path)
    assert stopped["status"] == "stopped" and 0 < stopped["steps"] < stopped["steps_total"]
    assert stopped["trained"] == "0.3333 of 3.333 epochs" and stopped["metrics"]
    run("C1", root, tmp_path, **options)
    assert "stopped after 0.3333 of 3.333 epochs" in capsys.readouterr().out
    assert record.read(tmp_path)["status"] == "complete"
    run("C1", root, tmp_path, **options)
    assert capsys.readouterr().out == "C1 seed 0 is complete already\n"


def test_what_a_killed_training_left_is_not_evaluated_in_its_place(root, tmp_path):
    """Weights of another training lie beside a complete run of which only metrics are wanting."""
    run("TIECNN", root, tmp_path)
    before, config = content(tmp_path), resolve("TIECNN", "test", 0)
    record.write_weights(tmp_path / "training" / record.WEIGHTS, running.make_generator(config))
    (tmp_path / "test_images.csv").unlink()
    run("TIECNN", root, tmp_path)
    assert content(tmp_path) == before


def test_a_loaded_generator_gives_the_recorded_images(whole, root):
    config = resolve("C5", "test", 0)
    data = running.load(config, root)
    method = as_method(running.load_generator(whole), data, 128, CPU)
    known, images = record.read(whole), method(data.test.degraded)
    stored = pd.read_csv(whole / "test_images.csv", index_col="image")
    assert list(stored.index) == list(data.test.names)
    for metric, measure in METRICS.items():
        np.testing.assert_allclose(measure(images, data.test.reference), stored[metric], rtol=1e-5)
    chosen = [data.test.names.index(name) for name in known["examples"]]
    samples = record.read_samples(whole, len(chosen))
    np.testing.assert_array_equal(samples["output"], images[chosen])


# ---- runs that train nothing


@pytest.mark.parametrize("name", UNTRAINED)
def test_each_untrained_method_gives_a_run(name, root, tmp_path):
    config = resolve(name, "test", 0)
    known = record.read(run(name, root, tmp_path))
    assert (known["status"], known["steps"], known["trained"]) == (
        "complete", 0, "nothing to train")
    assert set(METRICS) <= set(known["metrics"])
    assert set(known["files"]) == {"test_images.csv", "samples.png"}
    dataset = catalogue.describe(config.experiment.data, root)
    assert to_do(tmp_path, config, dataset) == ToDo("nothing")
    assert known["trained_by"] == trained_by(replace(config, seed=7), dataset)  # any seed's is it


@pytest.fixture
def borrowing(whole, root, tmp_path):
    """C5 judged on recorded faces, beside a copy of C5's own run; with what there is to do."""
    shutil.copytree(whole, tmp_path / "C5" / "seed0")
    folder = tmp_path / "C5-on-recorded-faces" / "seed0"
    config = resolve("C5-on-recorded-faces", "test", 0)
    dataset = catalogue.describe("sober_drunk_recorded", root)
    run("C5-on-recorded-faces", root, folder)
    return folder, lambda **options: to_do(folder, config, dataset, **options)


def test_a_network_is_judged_on_other_images(borrowing, whole, root):
    folder, todo = borrowing
    known, lent = record.read(folder), record.read(whole)
    config = resolve("C5-on-recorded-faces", "test", 0)
    dataset = catalogue.describe(config.experiment.data, root)
    assert todo() == todo(with_weights=False) == ToDo("nothing")
    assert known["weights"] == lent["files"][record.WEIGHTS]
    assert record.WEIGHTS not in known["files"] and not (folder / record.WEIGHTS).exists()
    assert known["trained"] == lent["trained"] and known["trained_by"] == lent["trained_by"]
    assert known["dataset"] == dataset.name != lent["dataset"]
    test = running.load(config, root).test
    method = as_method(running.load_generator(whole), running.load(config, root), 128, CPU)
    measured = METRICS["PSNR"](method(test.degraded), test.reference).mean()
    assert known["metrics"]["PSNR"] == pytest.approx(measured, rel=1e-6)


@pytest.mark.parametrize("with_weights", [True, False])
def test_a_network_trained_again_makes_what_was_judged_by_it_old(borrowing, with_weights):
    folder, todo = borrowing
    lent = folder.parents[1] / "C5" / "seed0"
    alter_record(lent, files=record.read(lent)["files"] | {record.WEIGHTS: "f" * 64})
    assert todo(with_weights=with_weights) == ToDo("train", "the network of C5 is new")


def test_a_network_that_is_not_there_is_asked_for_with_the_command(tmp_path):
    (images := tmp_path / "my images").mkdir()
    command = "lib.train --experiment C5 C5-on-recorded-faces --profile test --seed 0 --data '/"
    with pytest.raises(ValueError, match=f"needs the network of C5 seed 0 .never run.*{command}"):
        run("C5-on-recorded-faces", images, tmp_path / "C5-on-recorded-faces" / "seed0")


# ---- the engine


def test_a_changed_identity_starts_afresh(root, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", 0)
    lines = []
    engine.train(tiny_recipe(root), tmp_path, "one", report=quiet)
    engine.train(tiny_recipe(root), tmp_path, "two", time_budget=0, report=lines.append)
    assert sum("starting afresh" in line for line in lines) == 1
    assert not any("resuming" in line for line in lines)
    # what another identity left, further on though it is, does not push the new one out
    assert [path.name[:19] for path in tmp_path.glob("*.pt")] == ["checkpoint-00000001"]
    engine.train(tiny_recipe(root), tmp_path, "two", time_budget=0, report=lines.append)
    assert lines[-1].startswith("resuming at step 1 of 10")


def test_guard_names_step_loss_and_images(root, tmp_path):
    recipe, position = tiny_recipe(root), 4
    before, bad = recipe.step, recipe.indices(position)[0]

    def step(number):
        losses = before(number)
        return losses | {"mse": losses["mse"] * float("nan")} if number == position else losses

    recipe.step = step
    with pytest.raises(engine.TrainingDiverged) as raised:
        engine.train(recipe, tmp_path, "x", report=quiet)
    assert f"mse is nan at step {position + 1}" in str(raised.value)
    assert recipe.image_names[bad] in str(raised.value)


def test_generator_learns(root, tmp_path):
    """A few steps bring the mean squared error down on the images that were seen."""
    recipe = tiny_recipe(root)
    recipe.steps = 40
    losses = [row["mse"] for row in engine.train(recipe, tmp_path, "x", report=quiet).history]
    assert np.mean(losses[-9:]) < 0.9 * np.mean(losses[:9])  # three epochs each


@pytest.mark.parametrize("name", ["L1", "L2-mean-score"])
def test_a_step_of_an_adversarial_loss_alone(name, root):
    """The GAN of Eq. 1, and Eq. 4 with the penalty of the mean score; the critic comes first."""
    recipe = recipe_of(resolve(name, "test"), root)
    _, degraded, real = recipe.batch(0)
    generator, critic = map(deepcopy, recipe.modules.values())
    fake, mix = generator(degraded).detach(), torch.rand(len(real), 1, 1, 1)
    with mock.patch("torch.rand", return_value=mix):
        losses = recipe.step(0)
    of_fake, of_real, after = critic(fake), critic(real), recipe.critic(fake)
    if name == "L1":
        of_fake, of_real, after = (scores.sigmoid() for scores in (of_fake, of_real, after))
        expected = {"critic": -of_real.log().mean() - (1 - of_fake).log().mean(),
                    "adversarial": -after.log().mean()}
    else:
        between = (mix * real + (1 - mix) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).mean((1, 2, 3)).sum(), between)
        expected = {"critic": of_fake.mean() - of_real.mean(), "adversarial": -after.mean(),
                    "penalty": (slope.flatten(1).norm(dim=1) - 1).square().mean()}
    expected["total"] = expected["adversarial"]
    assert losses.keys() == expected.keys()
    for key, loss in losses.items():
        torch.testing.assert_close(loss.detach(), expected[key].detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TRAINED)
def test_each_experiment_takes_a_step_and_gives_images(name, root, perceptual):
    config = resolve(name, "test")
    recipe, data = recipe_of(config, root), running.load(config, root)
    before = [p.detach().clone() for p in recipe.generator.parameters()]
    for [group] in (optimiser.param_groups for optimiser in recipe.optimisers.values()):
        assert Adam(group["lr"], *group["betas"]) == config.experiment.optimiser
    losses = recipe.step(0)
    assert all(value.isfinite() for value in losses.values())
    moved = [(a != b).any() for a, b in zip(before, recipe.generator.parameters())]
    # TIECNN's last layer starts at 0, and only that one moves at first
    assert sum(moved) > (0 if "TIECNN" in name else len(moved) / 2)
    recipe.prepare(recipe.generator)
    images = data.test.degraded if hasattr(data, "test") else data.visible[data.split["test"]]
    outputs = as_method(recipe.generator, data, config.scale.image_size, CPU)(images)
    assert outputs.shape == (len(images), 128, 128) and outputs.dtype == np.uint8
    assert set(recipe.backbones(config)) <= {"vgg16", "efficientnet_b0"}


# ---- configurations


def test_each_column_of_table_6_has_one_loss_more_and_of_the_prose_one_alone():
    every = ["adversarial", "mse", "vgg", "efficientnet"]
    ticks = {name: [loss for loss in every if getattr(EXPERIMENTS[name].losses, loss)]
             for name in ("L1", "L2", "L3", "L4", "L5", "L2-prose", "L3-prose", "L4-prose")}
    assert list(ticks.values()) == [
        every[:1], every[:1], every[:2], every[:3], every, ["mse"], ["vgg"], ["efficientnet"]]
    forms = [EXPERIMENTS[name].losses.adversarial_form for name in ("L1", "L2")]
    assert forms == ["gan", "wgan_gp"] and EXPERIMENTS["L5"].losses == EXPERIMENTS["C5"].losses


def test_a_perceptual_loss_alone_cannot_be_left_out():
    with pytest.raises(ValueError, match="L3-prose has no loss left"):
        resolve("L3-prose", "test", without_perceptual=True)


def test_without_perceptual_is_part_of_the_configuration(root):
    dataset = catalogue.describe("enhancement", root)
    plain, without = resolve("C5", "smoke"), resolve("C5", "smoke", without_perceptual=True)
    plain_by, without_by = trained_by(plain, dataset), trained_by(without, dataset)
    assert plain_by["configuration"] != without_by["configuration"]
    assert plain_by["code"] == without_by["code"]
    assert without.experiment.losses.vgg == without.experiment.losses.efficientnet == 0


def test_batches_cover_an_epoch_once_and_differ_between_epochs():
    epochs = [np.concatenate([batch_indices(e * 5 + k, 40, 8, seed=0) for k in range(5)])
              for e in range(2)]
    assert all(sorted(epoch) == list(range(40)) for epoch in epochs)
    assert (epochs[0] != epochs[1]).any()
    assert (batch_indices(3, 40, 8, seed=0) == batch_indices(3, 40, 8, seed=0)).all()
    with pytest.raises(ValueError, match="do not fill one batch"):
        batch_indices(0, 7, 8, seed=0)


@pytest.mark.parametrize("n_images", [0, 16])
def test_batch_norm_has_the_mean_of_the_first_images_or_keeps_its_own(root, n_images):
    recipe = tiny_recipe(root)
    recipe.config = replace(recipe.config, experiment=replace(
        recipe.config.experiment, batch_norm_images=n_images))
    norm = nn.BatchNorm2d(1, momentum=0.8)
    norm(torch.full((8, 1, 2, 2), 0.5))
    recipe.prepare(norm.eval())
    seen = to_unit(recipe.degraded[:n_images]).mean().item() if n_images else 0.8 * 0.5
    assert norm.running_mean.item() == pytest.approx(seen, abs=1e-5)
    assert norm.momentum == 0.8 and not norm.training


def test_a_run_cut_within_a_row_of_its_history_has_the_same_row(root, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "HISTORY_ROWS", 1)
    monkeypatch.setattr(engine, "VALIDATIONS", 1)
    close_row, kept = engine.Position.close_row, []

    def watched(position, recipe, metrics):
        kept.extend(loss for losses in position.pending for loss in losses.values())
        close_row(position, recipe, metrics)

    monkeypatch.setattr(engine.Position, "close_row", watched)
    [row] = engine.train(tiny_recipe(root), tmp_path / "whole", "x", report=quiet).history
    for budget in (0, None):
        cut = engine.train(tiny_recipe(root), tmp_path / "cut", "x", time_budget=budget, report=quiet)
    assert cut.history == [row]
    # what waits holds no graph, or memory would grow with each step
    assert not any(isinstance(loss, torch.Tensor) and loss.requires_grad for loss in kept)


# ---- the command


@pytest.mark.parametrize("more, words", [
    (["--experiment", "C9"], "unknown experiment 'C9'"),
    (["--experiment", "C1", "--profile", "huge"], "unknown profile 'huge'"),
    (["--experiment", "C1", "--data", "nowhere"], "is not a folder"),
    (["--experiment", "C1", "--data", "no\nwhere"], r"no\nwhere' is not a folder"),
    (["--experiment", "C1", "--device", "tpu"], "unknown device"),
    (["--experiment", "L3-prose", "--without-perceptual"], "has no loss left"),
])
def test_command_line_errors_are_one_clear_line(more, words, capsys):
    assert train.main(more) == 2
    told = capsys.readouterr().err
    assert words in told and len(told.strip().splitlines()) == 1


@pytest.mark.parametrize("problem, code, words", [
    (engine.TrainingDiverged("mse is nan at step 3"), 1, "training diverged: mse is nan at step 3"),
    (BlockingIOError("another process is at it"), 2, "error: another process is at it"),
    (PretrainedUnavailable("no source has them"), 2, "error: no source has them"),
    (KeyboardInterrupt(), 130, "stopped; the same command goes on from here"),
])
def test_what_stops_a_run_is_told_in_one_line(monkeypatch, capsys, problem, code, words):
    def fail(*_, **__):
        raise problem

    monkeypatch.setattr(train, "run", fail)
    assert train.main(["--experiment", "C1"]) == code
    assert capsys.readouterr().err == f"{words}\n"


def test_several_experiments_are_run_one_after_the_other(root, results, capsys):
    options = ["--profile", "test", "--seed", "0", "--data", str(root), "--device", "cpu"]
    assert train.main(["--experiment", "Input", "HE", *options]) == 0
    assert sorted(path.parent.parent.name for path in results.glob("runs/*/*/run.json")) == [
        "HE", "Input"]
    with pytest.raises(SystemExit, match="2"):
        train.main(["--experiment", "Input", "HE", "--out", "somewhere"])
    assert "give one --experiment" in capsys.readouterr().err


def test_unavailable_weights_name_the_way_out(root, tmp_path, monkeypatch, capsys):
    """No cache, no registry: the run refuses, and says how to go without."""
    offline = {"IR_WEIGHTS": str(tmp_path / "none"), "PIP_NO_INDEX": "1", "PATH": "/nowhere",
               "PIP_FIND_LINKS": "", "https_proxy": "http://127.0.0.1:9",
               "TORCH_HOME": str(tmp_path / "none")}
    for name, value in offline.items():
        monkeypatch.setenv(name, value)
    command = train_command(root, tmp_path / "run")[3:]
    assert train.main(command) == 2
    assert "--without-perceptual" in capsys.readouterr().err
    assert train.main([*command, "--without-perceptual"]) == 0
    assert "WITHOUT the VGG and EfficientNet losses" in capsys.readouterr().out
    known = record.read(tmp_path / "run")
    assert known["config"]["without_perceptual"] is True
    assert known["pretrained_weights"] == {}


def test_a_run_keeps_out_of_results_that_run_all_is_writing_to(root, results, monkeypatch):
    folder = run_folder(results_dir("test"), "Input", 0)
    with FileLock(results_dir("test") / ".lock"):
        with pytest.raises(BlockingIOError, match="run_all.sh is writing to"):
            run("Input", root, folder)
        monkeypatch.setenv("IR_RUN_ALL", str(results_dir("test")))  # it started this run itself
        run("Input", root, folder)
    assert record.is_complete(folder)
