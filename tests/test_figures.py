"""Figures: what is drawn, where it is stored, the same bytes twice."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from skimage import data

from lib.figures import images as figures
from lib.figures.curves import cycle_losses, loss_curves
from lib.figures.source import source
from lib.figures.style import photograph, save

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (3, 64, 64), dtype=np.uint8)
VISIBLE = RANDOM.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


def drawn(axes):
    """The image that a panel shows."""
    return axes.images[0].get_array()


def heads(axes):
    return [one.get_title().replace("\n", "") for one in axes]


def test_detail_is_where_the_texture_is():
    image = np.zeros((128, 128), np.uint8)
    image[88:120, 8:40] = IMAGES[0, :32, :32]
    image[40:72, 64:96] = IMAGES[1, :32, :32] // 2
    assert figures.most_detailed_square(image) == (88, 8)
    assert figures.most_detailed_square(image, margin=32) == (40, 64)


@pytest.mark.parametrize("image", [IMAGES[0], VISIBLE[0]])
def test_detail_stands_below_or_beside_the_image(image):
    below, beside = (figures.with_detail(image, (8, 16), side) for side in (False, True))
    assert below.shape == (64 + 4 + 32, 64, 3) and beside.shape == (64, 64 + 4 + 32, 3)
    rgb = image if image.ndim == 3 else np.stack([image] * 3, axis=-1)
    inner = rgb[9:39, 17:47]  # within the outline
    np.testing.assert_array_equal(below[69:99, 17:47], inner)
    np.testing.assert_array_equal(beside[17:47, 69:99], inner)
    np.testing.assert_array_equal(below[40:64], rgb[40:])
    assert (below[8, 16:48] == figures.ZOOM_COLOUR).all() and (below[64:68] == 255).all()


def test_side_by_side_shows_each_method_and_the_reference():
    figure = figures.side_by_side(
        {"HE": IMAGES[0], "GF": IMAGES[1]}, IMAGES[2], "title", columns=2
    )
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["(a) HE", "(b) GF", "(c) Reference"]
    shown = figure.axes[0].images[0]
    assert (shown.norm.vmin, shown.norm.vmax) == (0, 255)  # grey levels are not stretched
    corner = figures.most_detailed_square(IMAGES[2])
    for axes, image in zip(figure.axes, IMAGES, strict=True):
        np.testing.assert_array_equal(drawn(axes), figures.with_detail(image, corner))


def test_rows_of_images_stand_above_each_other():
    rows = {"reference": IMAGES, "degraded input": IMAGES // 2, "in colour": VISIBLE}
    figure = figures.rows_of_images(rows, ["a", "b", "c"], "some data")
    axes = np.array(figure.axes).reshape(3, 3)
    for of_row, (label, images) in zip(axes, rows.items()):
        assert of_row[0].get_ylabel() == label
        for one, image in zip(of_row, images):
            np.testing.assert_array_equal(drawn(one), image)
    assert heads(axes[0]) == ["a", "b", "c"] and heads(axes[1]) == ["", "", ""]
    assert figure.get_suptitle() == "some data"


def test_scenes_by_method_mark_one_region_a_scene_in_every_column():
    infrared = np.zeros_like(IMAGES)
    infrared[1, 16:48, 8:40] = IMAGES[0, :32, :32]  # all that there is to see of scene b
    outputs = {"CycleGAN+resnet_9blocks": IMAGES, "CUT": 255 - IMAGES}
    samples = {method: {"input": VISIBLE, "output": images, "reference": infrared}
               for method, images in outputs.items()}
    figure = figures.scenes_by_method(samples, list("abc"), "title")
    axes = np.array(figure.axes).reshape(3, 4)
    assert heads(axes[0]) == ["Visible input", *outputs, "Real infrared"]
    assert [row[0].get_ylabel() for row in axes] == ["a", "b", "c"]
    for axis, image in zip(axes[1], (VISIBLE[1], IMAGES[1], 255 - IMAGES[1], infrared[1])):
        np.testing.assert_array_equal(drawn(axis), figures.with_detail(image, (16, 8)))


def test_alignment_figure_says_what_was_found():
    found = pd.DataFrame(
        {"dx": [0, 2], "dy": [1, 0], "correlation": [0.5, 0.25], "at_zero": 0.1}, ["a", "b"]
    )
    figure = figures.alignment(VISIBLE[:2], IMAGES[:2], found, "title")
    labels = [axes.get_xlabel() for axes in figure.axes[-2:]]
    assert labels == ["shift (0, 1) px\ncorrelation 0.50", "shift (2, 0) px\ncorrelation 0.25"]
    edges = drawn(figure.axes[-1])  # magenta: the visible image; green: the infrared one
    np.testing.assert_array_equal(edges[..., 0], edges[..., 2])
    assert (edges[..., 0] != edges[..., 1]).any()


def test_cycle_losses_are_drawn_raw_and_smoothed():
    steps = pd.Index(range(10, 310, 10), name="step")
    values = RANDOM.random(30)
    history = pd.DataFrame({"cycle_a": values}, steps)
    figure = cycle_losses({"CUT": history}, "cycle_a", "title")
    raw, smooth = figure.axes[0].lines
    np.testing.assert_array_equal(raw.get_ydata(), values)
    assert smooth.get_ydata()[15] == pytest.approx(values[10:21].mean())
    assert smooth.get_ydata()[0] == pytest.approx(values[:6].mean())
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["CUT"]
    assert legend.get_title().get_text() == "thick: running mean (11 points of 30)"


def test_a_method_has_the_same_colour_whichever_methods_stand_beside_it():
    history = pd.DataFrame({"cycle_a": [1.0, 0.5]}, pd.Index([1, 2], name="step"))

    def colours(*methods):
        figure = cycle_losses(dict.fromkeys(methods, history), "cycle_a", "title")
        return {line.get_label(): line.get_color() for line in figure.axes[0].lines[1::2]}

    three = colours("CycleGAN", "CBAM_CycleGAN", "GN_CycleGAN")
    assert len(set(three.values())) == 3
    assert colours("GN_CycleGAN", "CBAM_CycleGAN").items() <= three.items()
    other = colours("CUT", "GN_CycleGAN")
    assert other["CUT"] not in three.values() and other["GN_CycleGAN"] == three["GN_CycleGAN"]


def test_loss_curves_have_a_panel_for_each_column():
    steps = pd.Index([1, 2, 3], name="step")
    columns = {name: [3.0, 2.0, 1.0] for name in ("critic", "mse", "vgg", "total")}
    history = pd.DataFrame(columns | {"validation_PSNR": [np.nan, np.nan, 20.0]}, steps)
    figure = loss_curves(history, "C5")
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert heads(shown) == ["critic", "mse", "vgg", "total", "validation PSNR (dB)"]
    figure.canvas.draw()
    for axes, lowest in zip(shown, (False, True, True, True, True), strict=True):
        assert axes.get_xlabel() == ("step" if lowest else "")
        assert any(tick.label1.get_visible() for tick in axes.xaxis.get_major_ticks()) == lowest
    assert shown[1].lines[0].get_ydata().tolist() == [3, 2, 1]
    assert shown[4].lines[0].get_xdata().tolist() == [3]  # only where it was looked at


@pytest.mark.parametrize(("vector", "ending"), [(False, "png"), (True, "svg")])
def test_saved_twice_gives_the_same_bytes(results, vector, ending):
    history = pd.DataFrame({"mse": [3.0, 2.0, 1.0]}, index=pd.Index([1, 2, 3], name="step"))
    contents = []
    for _ in range(2):
        save(loss_curves(history, "C5"), "test", "curves", vector)
        contents.append((results / "figures" / f"curves.{ending}").read_bytes())
    assert contents[0] == contents[1] and len(contents[0]) > 1000


def test_a_notebook_shows_a_figure_once_and_small(results):
    plt.close("all")
    photo = data.camera()[:128, :128]
    rows = {"reference": [photo] * 6, "degraded": [photo // 2] * 6, "output": [255 - photo] * 6}
    shown = save(figures.rows_of_images(rows, list("abcdef"), "title"), "test", "rows")
    assert shown.format == "jpeg" and 20_000 < len(shown.data) < 200_000
    assert (results / "figures/rows.png").stat().st_size > 2 * len(shown.data)
    curve = loss_curves(pd.DataFrame({"mse": [3.0, 2.0]}, index=pd.Index([1, 2])), "C5")
    assert save(curve, "test", "curve", vector=True) is curve
    assert not plt.get_fignums()  # else the notebook would show them again


def test_an_outline_of_one_pixel_is_whole_in_a_notebook():
    """In panels of fewer pixels than the image has, where a nearest neighbour drops some lines."""
    scene = figures.with_detail(np.full((128, 128), 60, np.uint8), corner := (32, 48))
    figure = figures.rows_of_images({"": [scene] * 8}, [""] * 8, "")
    shown = plt.imread(io.BytesIO(photograph(figure).data), "jpeg").astype(int)
    times = shown.shape[1] / figure.bbox.width
    for axes in figure.axes:
        box = axes.get_window_extent()
        left, top = box.x0 * times, shown.shape[0] - box.y1 * times
        pixel = box.width * times / scene.shape[1]  # of the image, in those of the notebook
        assert pixel < 0.8
        (y, x), far, half = corner, figures.ZOOM - 1, figures.ZOOM / 2
        for row, column in ((y, x + half), (y + far, x + half), (y + half, x), (y + half, x + far)):
            place = round(top + pixel * (row + 0.5)), round(left + pixel * (column + 0.5))
            near = shown[tuple(slice(at - 2, at + 2) for at in place)]
            assert (near[..., 0] - near[..., 1]).max() > 40


@pytest.mark.parametrize("text, width, lines", [
    ("CycleGAN+unet_128", 0.9, ["CycleGAN+", "unet_128"]),
    ("CycleGAN+ResNet+CBAM", 1.2, ["CycleGAN+ResNet+", "CBAM"]),
    ("Ours (GN_CycleGAN)", 1.2, ["Ours", "(GN_CycleGAN)"]),
    ("Ours(GN_CycleGAN)", 1.0, ["Ours", "(GN_CycleGAN)"]),
    ("(a) HE", 0.9, ["(a) HE"]), ("osu\nFLIR_00497", 1.2, ["osu", "FLIR_00497"]),
    ("resnet_9blocks", 0.7, ["resnet_", "9blocks"]), ("", 1, [""]),
])
def test_heads_do_not_touch(text, width, lines):
    assert figures._wrap(text, width).splitlines() == [line for line in lines if line]
    assert all(len(line) * 0.07 <= width for line in lines)


def test_a_notebook_shows_the_code_that_runs():
    shown = source(figures.most_detailed_square, heads).data
    assert "average_gradient(_square(image, corner, ZOOM))" in shown
    assert '<pre style="font-family: monospace' in source(heads)._repr_html_()
    assert shown.endswith('return [one.get_title().replace("\\n", "") for one in axes]\n')
