"""One protocol in every profile, averaged weights, precision, and the baselines of every table."""

import os
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from lib.data.degradation import LITERAL, Factors, degrade, factors, undo
from lib.data.enhancement import EnhancementData, Pairs
from lib.training import averaging, precision, record, status
from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.precision import InPrecision, choose_precision
from lib.training.profiles import PROFILES
from lib.training.recipes.untrained import METHODS
from lib.training.run import run
from made_runs import quiet

CPU = torch.device("cpu")
# channels, numbers of images and steps; the size of translations, of which the paper names none
SIZES = {
    "width_divisor", "n_train", "n_validation", "n_test", "n_pairs", "perceptual_images", "epochs",
    "steps",
}


@pytest.mark.parametrize(
    "part, may", [("enhancement", SIZES), ("translation", SIZES | {"image_size"})]
)
def test_a_profile_changes_channels_images_and_steps_and_nothing_else(part, may):
    scales = [getattr(profile, part) for profile in PROFILES.values()]
    differing = {field.name for field in fields(scales[0])
                 if len({getattr(scale, field.name) for scale in scales}) > 1}
    assert differing <= may


def test_a_profile_changes_nothing_of_an_experiment_but_channels():
    for name, experiment in EXPERIMENTS.items():
        for profile in PROFILES:
            found = resolve(name, profile).experiment
            narrowed = {"network", "discriminator"}
            for field in fields(experiment):
                if field.name not in narrowed:
                    assert getattr(found, field.name) == getattr(experiment, field.name)
            for network in narrowed:
                if whole := getattr(experiment, network):
                    assert replace(getattr(found, network), widths=whole.widths) == whole


# ---- averaged weights


def test_average_follows_and_forgets_its_start():
    generator = torch.nn.Linear(1, 1, bias=False)
    average, weights = averaging.average_of(generator), []
    for step in range(1, 31):
        with torch.no_grad():
            generator.weight.fill_(float(step))
        averaging.follow(average, generator, step)
        weights.append(step)
    by_hand = generator.weight.new_zeros(())
    for step in weights:
        decay = min(0.999, (1 + step) / (10 + step))
        by_hand = decay * by_hand + (1 - decay) * step
    assert average.weight.item() == pytest.approx(by_hand.item(), rel=1e-5)
    start = np.prod([(1 + step) / (10 + step) for step in weights])
    assert start < 1e-6  # what is left of the random start after 30 steps
    assert not average.weight.requires_grad


def test_a_run_stores_and_judges_both_weights(tmp_path, root, monkeypatch):
    write, is_average = record.write_weights, {}

    def noted(path, network):
        is_average[path.name] = not any(w.requires_grad for w in network.parameters())
        write(path, network)

    monkeypatch.setattr(record, "write_weights", noted)
    run("L2-prose", "test", data=root, out=tmp_path, device="cpu", report=quiet)
    known = record.read(tmp_path)
    assert is_average == {"weights.safetensors": True, "last_weights.safetensors": False}
    average, last = ((tmp_path / name).read_bytes() for name in record.STORED_WEIGHTS)
    assert average != last
    assert known["metrics"]["PSNR"] != known["metrics"]["last PSNR"]
    assert {*record.STORED_WEIGHTS} < known["files"].keys()


# ---- precision


def test_bf16_rounds_inside_and_gives_float32():
    torch.manual_seed(0)
    recipe, layer, image = InPrecision(), torch.nn.Conv2d(1, 4, 3), torch.rand(2, 1, 8, 8)
    recipe.device = CPU
    outputs = {}
    for recipe.precision in ("fp32", "bf16"):
        outputs[recipe.precision] = recipe.forward(layer, image)
        assert outputs[recipe.precision].dtype == torch.float32
    difference = (outputs["fp32"] - outputs["bf16"]).abs().max().item()
    assert torch.equal(outputs["fp32"], layer(image)) and 0 < difference < 0.02


def test_auto_is_bf16_only_where_that_is_fast(monkeypatch):
    for (has_amx, has_avx), expected in {
        (True, True): "bf16", (False, True): "bf16", (False, False): "fp32"
    }.items():
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_amx)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_avx)
        assert choose_precision("auto", CPU) == expected
        assert choose_precision("fp32", CPU) == "fp32"
    with pytest.raises(ValueError, match="unknown precision 'fp16'; there are auto, fp32, bf16"):
        choose_precision("fp16", CPU)


def test_a_run_keeps_the_precision_it_began_with(tmp_path, root, monkeypatch):
    def train(**options):
        run("L2-prose", "test", data=root, out=tmp_path, device="cpu", report=lines.append,
            **options)

    lines = []
    monkeypatch.setattr(precision, "is_made_for_bf16", lambda device: True)
    train(time_budget=0)
    assert record.read(tmp_path)["config"]["precision"] == "bf16" and ", bf16: " in lines[0]
    monkeypatch.setattr(precision, "is_made_for_bf16", lambda device: False)  # another processor
    train()
    known = record.read(tmp_path)
    assert known["config"]["precision"] == "bf16" and known["status"] == "complete"
    assert any(line.startswith("resuming at step") for line in lines)
    train()
    assert lines[-1] == "L2-prose seed 0 is complete already"
    config = resolve("L2-prose", "test", precision="fp32")
    assert status.as_begun(config, known) == config
    train(precision="fp32")
    assert "configuration changed: precision bf16 then, fp32 now" in " ".join(lines)


def test_a_precision_that_is_none_is_chosen_anew(tmp_path, root, monkeypatch):
    monkeypatch.setattr(precision, "is_made_for_bf16", lambda device: False)
    (tmp_path / "training").mkdir()
    (tmp_path / "training/precision.txt").write_bytes(b"bf1\xff")  # damaged
    run("L2-prose", "test", data=root, out=tmp_path, device="cpu", report=lambda line: None)
    assert record.read(tmp_path)["config"]["precision"] == "fp32"


# ---- what can be had without a network


def data_of(reference: np.ndarray) -> EnhancementData:
    names = tuple(f"image {k}" for k in range(len(reference)))
    degraded = np.stack([degrade(image, name) for image, name in zip(reference, names)])
    pairs = Pairs(reference, degraded, names)
    return EnhancementData("made", "0" * 64, pairs, pairs, pairs, LITERAL)


@pytest.fixture(scope="module")
def data() -> EnhancementData:
    rng = np.random.default_rng(0)
    smooth = rng.integers(40, 200, (24, 8, 8)).repeat(6, axis=1).repeat(6, axis=2)
    return data_of(smooth.astype(np.uint8))


def error(images: np.ndarray, references: np.ndarray) -> float:
    return float(np.mean((images.astype(float) - references) ** 2))


def test_true_factors_undo_better_than_the_middle_and_both_better_than_nothing(data):
    test = data.test
    errors = [error(METHODS[name](data)(test.degraded), test.reference)
              for name in ("undo_true", "tone_map", "undo_middle", "input")]
    assert errors[0] < min(errors[1:3]) and max(errors[1:3]) < errors[3] / 10


def test_undoing_gives_contrast_and_brightness_back():
    image = np.array([[60, 140], [100, 100]], np.uint8)
    by = Factors(contrast=0.5, noise=0.0, blur=1e-3, brightness=0.5)
    degraded = np.array([[40, 60], [50, 50]], np.uint8)  # 0.5 (100 + 0.5 (x - 100))
    assert np.array_equal(undo(degraded, by), image)
    assert LITERAL.middle() == Factors(0.475, 5.0, 0.4, 0.45)


def test_factors_are_those_that_the_image_was_degraded_by(data):
    for name in data.test.names[:3]:
        found = factors(name)
        low, high = LITERAL.contrast
        assert low <= found.contrast <= high
        assert (found.noise, found.blur, found.brightness) == (5.0, 0.4, 0.45)


def test_tone_map_is_the_regression_of_mean_and_deviation(data):
    outputs = METHODS["tone_map"](data)(data.test.degraded)
    x = np.stack([[1, i.mean(), i.std()] for i in data.train.degraded.astype(float)])
    y = np.stack([[i.mean(), i.std()] for i in data.train.reference.astype(float)])
    expected = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    means = outputs.mean(axis=(1, 2))
    assert means == pytest.approx(expected[:, 0], abs=1.5)  # rounding and clipping
    assert outputs.std(axis=(1, 2)) == pytest.approx(expected[:, 1], rel=0.05)


def test_two_threads_give_the_same_bytes_twice(tmp_path, root):
    """A process of its own each time: PyTorch takes the number of threads once."""
    made = []
    for name in ("first", "second"):
        command = [sys.executable, "-P", "-m", "lib.train", "--experiment", "L3", "--profile", "test",
                   "--threads", "2", "--data", str(root), "--out", str(tmp_path / name)]
        environment = {**os.environ, "OMP_NUM_THREADS": "2"}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        made.append([(tmp_path / name / file).read_bytes() for file in record.TRAINED])
    assert made[0] == made[1]
