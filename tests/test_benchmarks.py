"""Training steps against plain versions of them: equal losses; wrong options in one line."""

from dataclasses import replace
from statistics import median

import pytest
import torch

from lib.benchmarks import cost, growth, own_images
from lib.benchmarks import step as bench
from lib.networks.weights import PretrainedUnavailable
from lib.training.cost import generator_flop, measured
from lib.training.experiments import resolve as resolved

CPU = torch.device("cpu")


def test_two_d_gan_has_the_losses_of_a_plain_step(tmp_path, monkeypatch, perceptual):
    monkeypatch.setenv("IR_DATA", str(tmp_path))
    seconds, differences = bench.compare("C5", 32, 2, 2, 1, ["fp32", "bf16"], CPU)
    assert differences.keys() >= {"critic", "mse", "vgg", "efficientnet", "total"}
    assert median(differences.values()) < 1e-6
    assert max(differences.values()) < bench.TOLERANCE
    assert min(seconds.values()) > 0 and list(seconds) == ["fp32", "bf16", "plain"]


def test_a_translation_is_timed_without_a_plain_version(tmp_path, monkeypatch):
    monkeypatch.setenv("IR_DATA", str(tmp_path))
    seconds, differences = bench.compare("GN_CycleGAN-FLIR", 32, 1, 16, 1, ["fp32"], CPU)
    assert list(seconds) == ["fp32"] and differences == {}


def test_a_loss_that_differs_is_named_and_fails(monkeypatch, capsys):
    differences = {"mse": 1e-2, "vgg": float("nan"), "critic": 1e-7}
    result = {"fp32": 2.0, "plain": 3.0}, differences
    monkeypatch.setattr(bench, "compare", lambda *_: result)
    assert bench.main([]) == 1
    shown = capsys.readouterr()
    assert "plain  3.000  fp32 takes 0.67 times" in shown.out and "not the same loss: mse, vgg" in shown.err


@pytest.mark.parametrize("options, words", [
    ("--experiment C9", "unknown experiment 'C9'"),
    ("--size 40", "multiples of 16"),
    ("--device tpu", "unknown device 'tpu'"),
    ("--device cuda", "no CUDA GPU"),
    ("--precision fp8", "unknown precision 'fp8'"),
    ("--experiment HE", "HE trains no network"),
    ("--experiment CUT-FLIR", "CUT-FLIR trains in batches of 1"),
])
def test_wrong_options_are_answered_in_one_line(
    options, words, tmp_path, monkeypatch, capsys, request
):
    if options == "--size 40":
        request.getfixturevalue("perceptual")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("IR_DATA", str(tmp_path))
    assert bench.main(options.split()) == 2
    error = capsys.readouterr().err
    assert words in error and len(error.strip().splitlines()) == 1


def test_weights_that_are_missing_are_no_fault_of_the_size(monkeypatch, capsys):
    def without(*_):
        raise PretrainedUnavailable("no source has them")

    monkeypatch.setattr(bench, "compare", without)
    assert bench.main([]) == 2 and capsys.readouterr().err == "error: no source has them\n"


def test_growth_takes_no_options_in_silence(monkeypatch, capsys):
    monkeypatch.setattr(growth, "of_sizes", lambda *_: pytest.fail("measured"))
    for option, code in (("--help", 0), ("--data=x", 2)):
        with pytest.raises(SystemExit) as ended:
            growth.main([option])
        assert ended.value.code == code


def test_the_cost_of_a_step_is_measured(tmp_path, monkeypatch):
    """Operations are those of a forward and a backward pass; what was measured is not missing."""
    monkeypatch.setenv("IR_DATA", str(tmp_path))
    config = replace(resolved("TIECNN", "test"), precision="fp32")
    row = cost.measure(config, "cpu", rounds=1)
    batch, once = config.scale.batch_size, generator_flop(config) / 1e9
    assert 2 * batch * once < row.gflop < 4 * batch * once
    assert row.seconds > 0 and row.memory_mb > 100 and row.disk_mb > 0
    monkeypatch.setattr(cost, "measured", lambda: [row])
    wanted = cost.missing("test", CPU, ["fp32", "bf16"], ["TIECNN", "C5", "L5"])
    assert list(wanted) == [("TIECNN", "bf16"), ("C5", "fp32"), ("C5", "bf16")]  # L5 is C5


@pytest.mark.parametrize("name", ["HE", "search-2dgan-kit"])
def test_the_cost_of_what_has_no_step_of_its_own_is_refused(name, capsys):
    with pytest.raises(SystemExit):
        cost.main(["--only", name])
    assert f"invalid choice: '{name}'" in capsys.readouterr().err


def test_cost_is_measured_by_size(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IR_DATA", str(tmp_path))
    assert min(growth.of_sizes("TIECNN", sizes=(32, 64), rounds=1)) > 0
    growth.show("a step", "pixels", (128, 256), [0.1, 0.4])
    told = "a step: 0.1 s at 128, 0.4 s at 256 pixels; as the pixels to the 2.00\n"
    assert capsys.readouterr().out == told


def test_methods_for_own_images_are_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(own_images, "KINDS", ("enhancement_wide",))
    found = own_images.quality(tmp_path, 1, own_images.FOLDER)
    assert list(found.index) == [f"embedded natural images, {how} (1)"
                                 for how in ("as in training", *own_images.UNLIKE)]
    psnr = found.loc["embedded natural images, as in training (1)", "psnr"]
    assert psnr["2dgan"] > psnr["input"] and psnr.notna().all() and "clahe" in psnr


def test_each_published_timing_is_of_an_experiment_that_is_there():
    rows = measured()
    assert {(row.profile, row.precision) for row in rows} >= {
        (profile, precision) for profile in ("laptop", "paper") for precision in ("fp32", "bf16")}
    for row in rows:
        assert resolved(row.experiment, row.profile).experiment.network and row.seconds > 0
