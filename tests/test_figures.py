"""Figures: what is drawn, where it is stored, the same bytes twice."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from lib.figures.enhancement import image_pairs, most_detailed_square, side_by_side  # noqa: E402
from lib.figures.style import save  # noqa: E402
from lib.figures.curves import loss_curves

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)


def test_detail_is_where_the_texture_is():
    image = np.zeros((64, 64), np.uint8)
    image[40:56, 8:24] = IMAGES[0, :16, :16]
    assert most_detailed_square(image, 16) == (40, 8)


def test_side_by_side_shows_each_method_and_the_reference_twice():
    figure = side_by_side({"HE": IMAGES[0], "GF": IMAGES[1]}, IMAGES[2], "title", columns=2)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["(a) HE", "(b) GF", "(c) Reference"]
    assert len(figure.axes) == 6  # each whole and enlarged
    shown = figure.axes[0].images[0]
    assert (shown.norm.vmin, shown.norm.vmax) == (0, 255)  # grey levels are not stretched
    np.testing.assert_array_equal(shown.get_array(), IMAGES[0])


def test_pairs_stand_above_each_other():
    figure = image_pairs(IMAGES, IMAGES // 2, ["a", "b", "c"], "some data")
    arrays = [axes.images[0].get_array() for axes in figure.axes]
    np.testing.assert_array_equal(arrays[0], IMAGES[0])
    np.testing.assert_array_equal(arrays[3], IMAGES[0] // 2)
    assert figure.get_suptitle() == "some data"


@pytest.mark.parametrize(("vector", "ending"), [(False, "png"), (True, "svg")])
def test_saved_twice_gives_the_same_bytes(tmp_path, monkeypatch, vector, ending):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    history = pd.DataFrame({"mse": [3.0, 2.0, 1.0]}, index=pd.Index([1, 2, 3], name="step"))
    contents = []
    for _ in range(2):
        save(loss_curves(history, "C5"), "test", "curves", vector)
        contents.append((tmp_path / "test" / "figures" / f"curves.{ending}").read_bytes())
    assert contents[0] == contents[1]
