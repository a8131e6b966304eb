"""The playground without a browser: a control that is set draws another picture, the right one."""

import io

import cv2
import nbformat
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from lib.lessons import playground, stored, toy
from lib.metrics import psnr
from lib.networks.two_d_gan import TwoDGAN, TwoDGANConfig
from lib.own_images import enhance, files
from lib.results import publish
from lib.results.runs import Run


def pixels(panel):
    return np.asarray(Image.open(io.BytesIO(panel.picture.value)))


def changes(panel, name, value):
    """Set a control; whether the picture is another one then."""
    before = panel.picture.value
    panel.controls[name].value = value
    return panel.picture.value != before


@pytest.fixture
def photograph():
    rows, columns = np.mgrid[:64, :64]
    return (rows * 2 + columns * 2).astype(np.uint8)


@pytest.fixture
def scene(photograph):
    return {"street": {"input": photograph // 4, "CLAHE": photograph // 2, "reference": photograph}}


def test_every_slider_of_the_degradation_lab_changes_picture_and_measures(photograph):
    lab = playground.degradation_lab({"ramp": photograph, "flipped": photograph[::-1].copy()})
    for name, value in (("contrast", 0.9), ("noise", 20), ("blur", 2), ("brightness", 1.0)):
        text = lab.text.value
        assert changes(lab, name, value), name
        assert lab.text.value != text, name
    assert changes(lab, "image", "flipped")


def test_the_lab_at_neutral_factors_shows_the_reference_itself(photograph):
    lab = playground.degradation_lab({"ramp": photograph})
    for name, value in (("contrast", 1), ("noise", 0), ("blur", 0.05), ("brightness", 1)):
        lab.controls[name].value = value
    assert "inf" in lab.text.value and "1.000" in lab.text.value


def test_the_line_divides_two_methods(scene):
    panel, times = playground.before_after(scene), playground.ENLARGED
    for position, columns in ((0, 0), (25, 16), (100, 64)):
        panel.controls["position"].value = position
        shown = pixels(panel)[playground.STRIP :: times, ::times][:, 1:]
        left, right = (scene["street"][name][:, 1:] for name in ("input", "CLAHE"))
        at = max(columns - 1, 0)  # without the column of the line
        assert np.array_equal(shown[:, : max(at - 1, 0)], left[:, : max(at - 1, 0)])
        assert np.array_equal(shown[:, at + 1 :], right[:, at + 1 :])
    assert changes(panel, "left", "reference")
    assert f"{psnr(scene['street']['CLAHE'], scene['street']['reference']):.3f}" in panel.text.value


def test_attention_is_shown_by_level_and_place(photograph):
    torch.manual_seed(0)
    network = TwoDGAN(TwoDGANConfig(widths=(4, 8, 16, 32)))
    panel = playground.attention_explorer(network, {"ramp": photograph}, "untrained")
    assert panel.controls["level"].max == 3
    assert changes(panel, "level", 3) and changes(panel, "x", 90) and changes(panel, "y", 10)
    assert changes(panel, "shown", "channel that varies most")


def test_the_toy_critic_is_drawn_while_it_is_trained():
    panel, seen = playground.toy_critic(), []
    panel.picture.observe(lambda change: seen.append(change.new), "value")
    assert changes(panel, "kind", toy.NORMALISED) and len(set(seen)) > 3
    assert changes(panel, "distance", 3.0) and changes(panel, "steps", 50)


def test_what_keeps_the_toy_critics_slope():
    """Plain, it grows without end; the penalty holds it near 1, the normalisation below 1."""
    steepest = {}
    for kind in toy.KINDS:
        *_, critic = toy.train(kind, *toy.clouds(2.0), steps=150, every=150)
        steepest[kind] = toy.field(critic)[1].max()
    assert steepest[toy.PLAIN] > 5 * steepest[toy.PENALTY]
    assert 0.5 < steepest[toy.PENALTY] < 3
    assert steepest[toy.NORMALISED] <= 1 + 1e-4
    with pytest.raises(ValueError, match="kind must be one of"):
        next(toy.train("magic", *toy.clouds(1.0), steps=1, every=1))


def test_loss_weights_are_drawn_from_runs(tmp_path):
    runs = {}
    for name, weight, best in (("search-2dgan-a", 7.0, 20), ("search-2dgan-b", 70.0, 22)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "history.csv").write_text(f"step,mse,validation_PSNR,validation_SSIM\n"
                                            f"1,1,10,0.1\n2,1,{best},0.5\n")
        losses = {"mse": weight, "vgg": weight / 2, "efficientnet": 1.0, "adversarial": 1.0}
        about = {"profile": "test", "config": {"experiment": {"losses": losses}}}
        runs[name] = Run(folder, about, None)
    panel = playground.loss_weights(runs)
    assert changes(panel, "measure", "SSIM") and changes(panel, "loss", "vgg")


def upload(name, content):
    return ({"name": name, "type": "", "size": len(content), "content": memoryview(content),
             "last_modified": None},)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_an_image_of_ones_own_is_enhanced(photograph, kind):
    panel = playground.own_image()
    own = photograph.astype(kind) * (1 if kind is np.uint8 else 200)
    content = cv2.imencode(".png", own)[1].tobytes()
    values = list(panel.draw(upload("mine.png", content), "he"))
    [(picture, told)] = values
    assert picture.shape == (64, 128) and picture.dtype == np.uint8 and told.lower() == "he"
    assert not np.array_equal(picture[:, 64:], picture[:, :64])


def test_without_weights_clahe_takes_the_networks_place_and_says_so(photograph, monkeypatch):
    def without(image, method, depth):
        if method == "2dgan":
            raise FileNotFoundError("2dgan needs data/weights/2dgan.json")
        return enhance(image, method, depth=depth)

    monkeypatch.setattr(playground, "enhance", without)
    made, told = playground._enhanced(photograph, "2dgan")
    assert np.array_equal(made, enhance(photograph, "clahe"))
    assert told == "CLAHE, as there are no weights: 2dgan needs data/weights/2dgan.json"


@pytest.mark.parametrize(("about", "options"), [
    ("half", {}), ("rgba", {"photometric": "rgb", "extrasamples": ["unassalpha"]}), ("pages", {}),
])
def test_it_is_read_as_by_the_command(about, options, photograph, tmp_path):
    pixels = {"half": photograph.astype(np.float16),
              "rgba": np.dstack([photograph, photograph.T, photograph // 2, photograph]),
              "pages": np.stack([photograph, photograph.T])}[about]
    path = tmp_path / "mine.tif"
    tifffile.imwrite(path, pixels, **options)
    page = files.read(path).pages[0]
    [(picture, told)] = playground.own_image().draw(upload(path.name, path.read_bytes()), "he")
    assert told == "he" and np.array_equal(picture[:, 64:], enhance(page, "he", depth=8))


def test_what_is_no_image_is_told_in_a_line(tmp_path):
    tifffile.imwrite(tmp_path / "nan.tif", np.full((20, 20), np.nan, np.float32))
    for name, content, why in (
        ("notes.txt", b"hello", "is no PNG, JPEG or TIFF by its name"),
        ("cut.png", b"hello", "cannot be read as an image: no PNG or JPEG is inside"),
        ("nan.tif", (tmp_path / "nan.tif").read_bytes(), "holds NaN or infinite values"),
    ):
        [(_, told)] = playground.own_image().draw(upload(name, content), "clahe")
        assert told == f"{name} {why}"


def test_an_executed_copy_keeps_the_picture(scene):
    shown = playground.before_after(scene)._repr_mimebundle_()
    assert shown["image/png"] and "application/vnd.jupyter.widget-view+json" in shown


def test_a_published_notebook_shows_the_picture_and_no_widget(scene, tmp_path):
    panel = playground.before_after(scene)
    output = nbformat.v4.new_output("execute_result", panel._repr_mimebundle_(), execution_count=1)
    cell = nbformat.v4.new_code_cell("panel", outputs=[output], execution_count=1)
    state = {"application/vnd.jupyter.widget-state+json": {
        "version_major": 2, "version_minor": 0, "state": {panel.model_id: {}}}}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": state})
    executed = tmp_path / "test/executed/04_playground.ipynb"
    executed.parent.mkdir(parents=True)
    nbformat.write(notebook, executed)
    shown = nbformat.reads(publish._for_readers(executed, ()), as_version=4)
    assert set(shown.cells[0].outputs[0].data) >= {"image/png"} and "widget" not in str(shown)


def test_without_any_run_the_untrained_methods_are_there(results, tmp_path):
    empty = tmp_path / "nothing"
    empty.mkdir()
    scenes = stored.enhancement_scenes("test", str(empty))
    methods = list(next(iter(scenes.values())))
    assert methods == ["input", "HE", "CLAHE", "GF", "SSR", "MSR", "tone map", "reference"]
    assert len(scenes) == stored.SHOWN
    assert not list(tmp_path.glob("paper")), "looking makes no folder"
