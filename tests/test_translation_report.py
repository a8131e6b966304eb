"""From translation runs to numbers and tables."""

import numpy as np
import pandas as pd
import pytest

from lib import train
from lib.paths import results_dir
from lib.networks.weights import PretrainedUnavailable
from lib.results import translation
from lib.results.runs import load_run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Results with one test-profile run of unet_128 and of CUT on synthetic scenes, and the root."""
    tmp_path = tmp_path_factory.mktemp("translation")
    root = tmp_path / "data"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IR_RESULTS", str(tmp_path / "results"))
        for experiment in ("unet_128-FLIR", "CUT-FLIR"):
            train.run(experiment, "test", 0, root, device="cpu", report=lambda line: None)
        yield root


def test_numbers_are_the_means_of_the_test_images(trained):
    experiments = {("CycleGAN+unet_128", "Flir."): "unet_128-FLIR", ("CUT", "Flir."): "CUT-FLIR"}
    numbers = translation.table_numbers("test", experiments, [0])
    assert [(n.row, n.column) for n in numbers] == [
        ("CycleGAN+unet_128", "Flir.PSNR"), ("CycleGAN+unet_128", "Flir.SSIM"),
        ("CUT", "Flir.PSNR"), ("CUT", "Flir.SSIM"),
    ]  # fmt: skip
    images = pd.read_csv(results_dir("test") / "runs/CUT-FLIR/seed0/test_images.csv")
    assert numbers[2].reproduced == pytest.approx(images["PSNR"].mean())
    assert numbers[2].dataset == "synthetic street scenes" and numbers[2].n_images == 4


def test_a_loaded_generator_gives_the_recorded_metrics(trained):
    run = load_run("test", "unet_128-FLIR", 0)
    made, pairs = translation.evaluate_run(run, trained)
    assert made.means() == pytest.approx(run.record["metrics"], rel=1e-4)
    assert [pairs.names[i] for i in pairs.split["test"]] == list(made.names)


def test_outputs_without_training_are_a_floor(trained):
    made = translation.translations({"CUT": load_run("test", "CUT-FLIR", 0)}, "flir", trained)
    grey, mean = made.untrained.values()
    assert grey.shape == mean.shape == made.infrared.shape
    np.testing.assert_allclose(grey, made.visible.mean(axis=-1), atol=0.5)
    assert (mean == mean[0]).all() and len(made.examples) == 3


def test_without_weights_the_learned_measures_are_empty_and_say_why(trained, monkeypatch):
    def unavailable(*_):
        raise PretrainedUnavailable("no weights here")

    monkeypatch.setattr(translation, "vgg16_features", unavailable)
    made = translation.translations({"CUT": load_run("test", "CUT-FLIR", 0)}, "flir", trained)
    frame = translation.judged(made.outputs, made.infrared, "test", "judged", made.dataset)
    assert np.isnan(frame.loc["CUT", "LPIPS"]) and frame.loc["CUT", "why"] == "no weights here"
    assert frame.loc["CUT", "PSNR"] > 0
    assert (results_dir("test") / "tables/judged.csv").is_file()
