"""The metrics against hand-worked cases, plain loops and other libraries."""

import doctest
import importlib
import math

import numpy as np
import pytest
from scipy.ndimage import correlate1d
from skimage.measure import shannon_entropy
from skimage.metrics import peak_signal_noise_ratio

from lib.metrics import (
    METRICS, average_gradient, eme, evaluate, information_entropy, psnr, ssim, structure_psnr,
)

MODULES = (
    "average_gradient", "information_entropy", "psnr", "ssim", "eme", "saturation", "structure",
)


@pytest.fixture
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Five noisy images and their references, (5, 23, 31): sizes no vector width divides."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:23, :31]
    waves = 127 + 90 * np.sin(np.outer(np.arange(1, 6), x.ravel() + 2 * y.ravel()) / 9)
    references = waves.reshape(5, 23, 31)
    images = references * 0.7 + rng.normal(0, 12, references.shape)
    return tuple(np.clip(a, 0, 255).round().astype(np.uint8) for a in (images, references))


# Doctests


@pytest.mark.parametrize("name", ["lib.metrics"] + [f"lib.metrics.{m}" for m in MODULES])
def test_doctests(name):
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert attempted > 0
    assert failed == 0


# PSNR


def test_psnr_by_hand():
    # differences 3, 0, 0, 4: MSE = (9 + 16) / 4 = 6.25; 255^2 / 6.25 = 10404
    image = np.array([[13, 20], [30, 44]], dtype=np.uint8)
    reference = np.array([[10, 20], [30, 40]], dtype=np.uint8)
    assert psnr(image, reference) == pytest.approx(10 * math.log10(10404), rel=1e-14)
    # MAX = 100: 100^2 / 6.25 = 1600
    assert psnr(image, reference, max_value=100) == pytest.approx(10 * math.log10(1600), rel=1e-14)


def test_psnr_does_not_wrap_around_in_uint8():
    # 0 - 255 would be 1 in uint8 arithmetic; black against white has MSE 255^2, hence 0 dB
    black, white = np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)
    assert psnr(black, white) == 0
    assert psnr(white, black) == 0


def test_psnr_of_identical_images_is_infinite(pairs):
    image, reference = pairs
    values = psnr(np.stack([image[0], image[1]]), np.stack([reference[0], image[1]]))
    assert np.isfinite(values[0]) and values[1] == np.inf
    assert psnr(image[0], image[0]) == math.inf


def test_psnr_equals_scikit_image(pairs):
    for image, reference in zip(*pairs):
        expected = peak_signal_noise_ratio(reference, image, data_range=255)
        assert psnr(image, reference) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("max_value", [0, -255, math.nan])
def test_psnr_refuses_a_max_value_that_is_not_positive(max_value):
    with pytest.raises(ValueError, match="max_value must be positive"):
        psnr([[1, 2]], [[1, 3]], max_value=max_value)


# SSIM


def ssim_by_separable_gaussian(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype(np.float64), y.astype(np.float64)
    weights = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights /= weights.sum()

    def mean(a: np.ndarray) -> np.ndarray:
        smooth = correlate1d(correlate1d(a, weights, axis=0), weights, axis=1)
        return smooth[5:-5, 5:-5]

    mx, my = mean(x), mean(y)
    sxx, syy, sxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 2.55**2, 7.65**2
    quality = (2 * mx * my + c1) * (2 * sxy + c2) / ((mx**2 + my**2 + c1) * (sxx + syy + c2))
    return float(quality.mean())


def test_ssim_equals_separable_gaussian(pairs):
    for image, reference in zip(*pairs):
        expected = ssim_by_separable_gaussian(image, reference)
        assert 0.05 < expected < 0.95
        assert ssim(image, reference) == pytest.approx(expected, abs=1e-12)


def test_ssim_of_two_constants_by_hand():
    # no variance: ((2 * 100 * 50 + C1) C2) / ((100^2 + 50^2 + C1) C2), C1 = 6.5025
    expected = (10000 + 6.5025) / (12500 + 6.5025)
    values = ssim(np.full((12, 15), 100), np.full((12, 15), 50))
    assert values == pytest.approx(expected, rel=1e-9)


def test_ssim_is_symmetric_and_one_for_identical_images(pairs):
    image, reference = pairs
    assert np.array_equal(ssim(image, image), np.ones(5))
    assert ssim(image, reference) == pytest.approx(ssim(reference, image), rel=1e-14)
    constant = np.full((11, 11), 7, np.uint8)
    assert ssim(constant, constant) == 1


def test_ssim_needs_a_whole_window():
    assert ssim(np.zeros((11, 11)), np.zeros((11, 11))) == 1
    for shape in ((10, 40), (40, 10), (2, 10, 40)):
        with pytest.raises(ValueError, match="at least 11 x 11"):
            ssim(np.zeros(shape), np.zeros(shape))


# Average gradient


def average_gradient_by_loops(image: np.ndarray, valid: bool) -> float:
    rows, columns = image.shape
    total, count = 0.0, 0
    for i in range(rows):
        for j in range(columns):
            inside = i + 1 < rows and j + 1 < columns
            if valid and not inside:
                continue
            here = float(image[i, j])
            dx = float(image[i, j + 1]) - here if j + 1 < columns else 0.0
            dy = float(image[i + 1, j]) - here if i + 1 < rows else 0.0
            total += math.sqrt(dx * dx + dy * dy)
            count += 1
    return total / count


def test_average_gradient_by_hand():
    # 0  3  3    differences (dx, dy): (3, 4) (0, 0) (-, 5) | (-1, 0) (5, 0) (-, 0) | (-1, -) (5, -)
    # 4  3  8    roots: 5 0 5 | 1 5 0 | 1 5 0; sum 22 over 9 pixels, or over the four that
    # 4  3  8    have both differences (5 0 | 1 5): 11 / 4
    image = np.array([[0, 3, 3], [4, 3, 8], [4, 3, 8]], dtype=np.uint8)
    assert average_gradient(image) == pytest.approx(22 / 9, rel=1e-15)
    assert average_gradient(image, border="valid") == pytest.approx(11 / 4, rel=1e-15)


def test_average_gradient_equals_plain_loops(pairs):
    for image in pairs[0]:
        for border in ("replicate", "valid"):
            expected = average_gradient_by_loops(image, valid=border == "valid")
            assert average_gradient(image, border) == pytest.approx(expected, rel=1e-13)


def test_average_gradient_of_single_rows_and_columns():
    row = np.array([[0, 10, 4]])  # (10 + 6 + 0) / 3
    assert average_gradient(row) == average_gradient(row.T) == pytest.approx(16 / 3)
    assert average_gradient([[7]]) == 0
    for image in (row, row.T):
        with pytest.raises(ValueError, match="two rows and columns"):
            average_gradient(image, border="valid")


def test_average_gradient_refuses_unknown_borders():
    with pytest.raises(ValueError, match='"replicate" or "valid"'):
        average_gradient(np.zeros((4, 4)), border="wrap")


# Information entropy


def test_information_entropy_by_hand():
    # each of four levels once in four pixels: 4 * 1/4 * log2 4 = 2
    assert information_entropy([[0, 1], [254, 255]]) == 2
    # shares 2/3 and 1/3: log2 3 - 2/3
    image = [[9, 9, 9], [9, 9, 9], [0, 0, 0]]
    assert information_entropy(image) == pytest.approx(math.log2(3) - 2 / 3, rel=1e-14)
    # every level equally often: the largest possible value
    assert information_entropy(np.arange(256).reshape(16, 16)) == 8


def test_information_entropy_equals_scikit_image(pairs):
    for image in pairs[0]:
        assert information_entropy(image) == pytest.approx(shannon_entropy(image), rel=1e-13)


def test_information_entropy_rounds_floats(pairs):
    image = pairs[0][0]
    shifted = np.clip(image + 0.4, 0, 255)
    assert information_entropy(shifted) == information_entropy(image)
    assert information_entropy([[254.6, 255.0], [0.4, 0.0]]) == 1


# EME


def test_eme_by_hand():
    # blocks of 2: 20 log10(100 / 10) = 20 and 20 log10(1 / 1) = 0, mean 10; the last row and
    # column fill no block
    image = [[9, 99, 0, 0, 255], [50, 60, 0, 0, 255], [255, 0, 255, 0, 255]]
    assert eme(image, block=2) == pytest.approx(10, rel=1e-15)


def test_eme_equals_plain_loops(pairs):
    for image in pairs[0]:
        values = []
        for i in range(0, 23 - 7, 8):
            for j in range(0, 31 - 7, 8):
                levels = [int(image[i + a, j + b]) for a in range(8) for b in range(8)]
                values.append(20 * math.log10((max(levels) + 1) / (min(levels) + 1)))
        assert len(values) == 6
        assert eme(image) == pytest.approx(sum(values) / 6, rel=1e-13)


def test_eme_is_largest_between_black_and_white():
    checkers = np.indices((16, 16)).sum(axis=0) % 2 * 255
    assert eme(checkers) == pytest.approx(20 * math.log10(256), rel=1e-15)


def test_eme_refuses_blocks_that_do_not_fit():
    with pytest.raises(ValueError, match="at least one block, 8 x 8"):
        eme(np.zeros((7, 20)))
    with pytest.raises(ValueError, match="at least one pixel"):
        eme(np.zeros((8, 8)), block=0)


# All of them


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_constant_images(level):
    constant = np.full((16, 24), level, dtype=np.uint8)
    for metric in (average_gradient, information_entropy, eme):
        value = metric(constant)
        assert value == 0 and math.copysign(1, value) == 1  # not -0.0, which tables would print
    assert ssim(constant, constant) == 1
    assert psnr(constant, constant) == math.inf


@pytest.mark.parametrize("metric", [average_gradient, information_entropy, eme])
def test_stacks_give_what_their_images_give(metric, pairs):
    images = pairs[0]
    values = metric(images)
    assert values.shape == (5,) and values.dtype == np.float64
    singles = [metric(image) for image in images]
    assert all(type(value) is float for value in singles)
    assert values.tolist() == singles
    assert len(set(singles)) == 5
    # neither the memory order nor the neighbours in the stack matter
    assert metric(np.asfortranarray(images)).tolist() == singles
    assert metric(images[::-2]).tolist() == singles[::-2]


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_stacks_of_pairs_give_what_their_pairs_give(metric, pairs):
    images, references = pairs
    values = metric(images, references)
    assert values.shape == (5,) and values.dtype == np.float64
    singles = [metric(image, reference) for image, reference in zip(images, references)]
    assert all(type(value) is float for value in singles)
    assert values.tolist() == singles
    assert len(set(singles)) == 5
    assert metric(np.asfortranarray(images), references).tolist() == singles


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64])
def test_whole_numbers_give_the_same_in_any_type(dtype, pairs):
    images, references = pairs
    expected, found = evaluate(images, references), evaluate(images.astype(dtype), references)
    for name in METRICS:
        assert np.array_equal(found[name], expected[name])
    assert np.array_equal(eme(images.astype(dtype)), eme(images))


def test_floats_are_not_rounded_except_for_entropy(pairs):
    image, reference = pairs[0][0] * 0.99, pairs[1][0]
    rounded = image.round()
    assert average_gradient(image) != average_gradient(rounded)
    assert psnr(image, reference) != psnr(rounded, reference)
    assert ssim(image, reference) != ssim(rounded, reference)
    assert eme(image) != eme(rounded)
    assert information_entropy(image) == information_entropy(rounded)


def test_inputs_are_left_alone(pairs):
    images, references = (a.astype(np.float64) for a in pairs)
    before = images.copy(), references.copy()
    evaluate(images, references)
    eme(images)
    assert np.array_equal(images, before[0]) and np.array_equal(references, before[1])


def test_evaluate_names_and_orders_the_metrics(pairs):
    images, references = pairs
    values = evaluate(images, references)
    assert tuple(values) == tuple(METRICS)
    assert tuple(values)[:5] == ("AG", "IE", "PSNR", "SSIM", "PSNR structure")
    assert np.array_equal(values["AG"], average_gradient(images))
    assert np.array_equal(values["IE"], information_entropy(images))
    assert np.array_equal(values["PSNR"], psnr(images, references))
    assert np.array_equal(values["SSIM"], ssim(images, references))
    assert np.array_equal(values["PSNR structure"], structure_psnr(images, references))
    beyond = average_gradient(images) - average_gradient(references)
    assert np.array_equal(values["AG distance"], abs(beyond))
    assert np.array_equal(values["AG excess"], np.maximum(beyond, 0)) and (beyond > 0).any()
    apart = information_entropy(images) - information_entropy(references)
    assert np.array_equal(values["IE distance"], abs(apart))
    assert np.array_equal(values["saturation"], [np.isin(i, (0, 255)).mean() for i in images])
    single = evaluate(images[2], references[2])
    assert single == {name: values[name][2] for name in METRICS}


NOT_GREY = {
    "colour image": (np.zeros((16, 16, 3), np.uint8), "convert it to grey"),
    "colour and alpha": (np.zeros((16, 16, 4), np.uint8), "convert it to grey"),
    "channel last": (np.zeros((16, 16, 1), np.uint8), "convert it to grey"),
    "colour stack": (np.zeros((2, 16, 16, 3), np.uint8), "convert it to grey"),
    "channel first": (np.zeros((2, 1, 16, 16), np.uint8), "convert it to grey"),
    "row": (np.zeros(16, np.uint8), r"\(H, W\) or \(N, H, W\)"),
    "number": (np.uint8(3), r"\(H, W\) or \(N, H, W\)"),
    "empty image": (np.zeros((0, 16), np.uint8), "empty"),
    "empty stack": (np.zeros((0, 16, 16), np.uint8), "empty"),
    "mask": (np.zeros((16, 16), bool), "not bool"),
    "complex": (np.zeros((16, 16), complex), "not complex128"),
    "text": (np.full((16, 16), "0"), "integers or floats"),
    "NaN": (np.where(np.eye(16) > 0, np.nan, 1.0), "NaN"),
    "negative": (np.linspace(-1, 1, 256).reshape(16, 16), r"-1.0\.\.1.0: scale"),
    "just above": (np.full((16, 16), 255.1), r"255.1\.\.255.1: scale"),
    "16 bit": (np.full((16, 16), 8078, np.uint16), r"8078\.\.8078: scale"),
    "infinite": (np.full((16, 16), np.inf), "scale them to 0..255"),
}


@pytest.mark.parametrize("image, message", NOT_GREY.values(), ids=NOT_GREY.keys())
def test_what_is_not_grey_is_refused(image, message):
    for metric in (average_gradient, information_entropy, eme):
        with pytest.raises(ValueError, match=f"^image.*{message}"):
            metric(image)
    grey = np.zeros((16, 16), np.uint8)
    for metric in (psnr, ssim, evaluate):
        with pytest.raises(ValueError, match=f"^image.*{message}"):
            metric(image, grey)
        with pytest.raises(ValueError, match=f"^reference.*{message}"):
            metric(grey, image)


@pytest.mark.parametrize("metric", [psnr, ssim, evaluate])
def test_pairs_of_different_shape_are_refused(metric):
    for other in ((16, 15), (2, 16, 16), (1, 16, 16)):
        with pytest.raises(ValueError, match="differ in shape"):
            metric(np.zeros((16, 16)), np.zeros(other))


def test_structure_is_what_no_affine_map_explains(pairs):
    images, references = (stack.astype(float) for stack in pairs)
    for image, reference in zip(images, references):
        slope, offset = np.polyfit(image.ravel(), reference.ravel(), 1)
        mapped = slope * image + offset
        fitted = -10 * np.log10(np.mean((mapped - reference) ** 2) / 255**2)
        assert structure_psnr(image, reference) == pytest.approx(fitted, rel=1e-9)
        assert structure_psnr(0.3 * image + 20, reference) == pytest.approx(fitted, rel=1e-9)
        assert fitted >= psnr(image, reference)
    flat = structure_psnr(np.full_like(images[0], 7), references[0])
    assert flat == pytest.approx(psnr(np.full_like(images[0], references[0].mean()), references[0]))
