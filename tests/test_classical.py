"""The classical methods against independent implementations."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter
from skimage.exposure import equalize_hist

from lib.evaluation.classical import (
    METHODS, clahe, enhance, guided_filter_enhancement, histogram_equalization, multi_scale_retinex,
    single_scale_retinex,
)

SIZES = ((64, 64), (37, 53), (128, 160))


def dark_image(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A dim scene of low contrast with edges, a ramp and noise, uint8 in about 5..90."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]] / max(shape)
    scene = 15 + 40 * x + 25 * ((x - 0.4) ** 2 + (y - 0.5) ** 2 < 0.05) + 10 * np.sin(40 * y)
    return np.clip(scene + rng.normal(0, 2, shape), 0, 255).round().astype(np.uint8)


@pytest.fixture(params=SIZES, ids=str)
def image(request) -> np.ndarray:
    return dark_image(request.param)


def largest_difference(a: np.ndarray, b: np.ndarray) -> float:
    return np.abs(a.astype(np.float64) - b).max()


# Each method


def test_histogram_equalization_by_hand():
    # levels 3, 5, 5, 8: 1, 3, 4 pixels up to each; 255 (c - 1) / (4 - 1) = 0, 170, 255
    image = np.array([[5, 3], [8, 5]], dtype=np.uint8)
    assert histogram_equalization(image).tolist() == [[170, 0], [255, 170]]


def test_histogram_equalization_equals_scikit_image(image):
    # scikit-image maps v to c(v) / HW, so that its darkest level is c0 / HW instead of 0
    share = equalize_hist(image, nbins=256)
    expected = 255 * (share - share.min()) / (1 - share.min())
    assert largest_difference(histogram_equalization(image), expected) <= 0.501


def clahe_by_loops(image: np.ndarray, clip_limit: float, tiles: int) -> np.ndarray:
    """CLAHE of an image whose sides the tiles divide, in float64."""
    height, width = image.shape[0] // tiles, image.shape[1] // tiles
    area = height * width
    limit = max(int(clip_limit * area / 256), 1)
    maps = np.empty((tiles, tiles, 256))
    for i in range(tiles):
        for j in range(tiles):
            tile = image[i * height : (i + 1) * height, j * width : (j + 1) * width]
            counts = np.bincount(tile.ravel(), minlength=256)
            excess = np.maximum(counts - limit, 0).sum()
            counts = np.minimum(counts, limit) + excess // 256
            rest = excess % 256
            if rest:
                counts[:: max(256 // rest, 1)][:rest] += 1
            maps[i, j] = np.clip(np.rint(counts.cumsum() * 255 / area), 0, 255)

    result = np.empty(image.shape)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            v, u = y / height - 0.5, x / width - 0.5  # in tiles, from the centre of the first
            top, left = int(np.floor(v)), int(np.floor(u))
            rows = np.clip([top, top + 1], 0, tiles - 1)
            columns = np.clip([left, left + 1], 0, tiles - 1)
            corners = maps[rows][:, columns, image[y, x]]
            result[y, x] = [1 - v + top, v - top] @ corners @ [1 - u + left, u - left]
    return result


@pytest.mark.parametrize("clip_limit, tiles", [(2.0, 8), (4.0, 4)])
def test_clahe_equals_plain_loops(clip_limit, tiles):
    image = dark_image((64, 96))
    expected = clahe_by_loops(image, clip_limit, tiles)
    assert largest_difference(clahe(image, clip_limit, tiles), expected) <= 0.51


def test_clahe_at_its_defaults():
    image = dark_image((128, 128))  # in smaller tiles every clip limit up to 3 means one pixel
    assert np.array_equal(clahe(image), clahe(image, clip_limit=2.0, tiles=8))
    # a limit that cuts nothing, in one tile: plain equalisation, except that c0 is not taken off
    unlimited = clahe(image, clip_limit=256.0, tiles=1)
    assert largest_difference(unlimited, 255 * equalize_hist(image, nbins=256)) <= 0.51


def guided_filter_by_boxes(image: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """He, Sun and Tang 2013, Eqs. 5 to 8 with the image as its own guide, in float64."""

    def mean(values: np.ndarray) -> np.ndarray:
        return uniform_filter(values, 2 * radius + 1, mode="reflect")

    grey = image.astype(np.float64)
    average = mean(grey)
    variance = mean(grey * grey) - average**2
    a = variance / (variance + eps)
    b = (1 - a) * average
    return mean(a) * grey + mean(b)


def test_guided_filter_equals_box_filters(image):
    base = guided_filter_by_boxes(image, radius=16, eps=25.5**2)
    expected = np.clip(base + 5 * (image - base), 0, 255)
    found = guided_filter_enhancement(image)
    assert largest_difference(found, expected) <= 0.51
    assert largest_difference(found, image) > 20


def test_guided_filter_with_other_parameters(image):
    base = guided_filter_by_boxes(image, radius=4, eps=100.0)
    found = guided_filter_enhancement(image, radius=4, eps=100.0, gain=2.5)
    assert largest_difference(found, np.clip(base + 2.5 * (image - base), 0, 255)) <= 0.51
    # detail times one is the image itself
    assert np.array_equal(guided_filter_enhancement(image, gain=1.0), image)


def retinex_by_scipy(image: np.ndarray, sigmas: tuple, clip_percent: float) -> np.ndarray:
    grey = image.astype(np.float64)
    parts = [
        np.log10(1 + grey) - np.log10(1 + gaussian_filter(grey, sigma, mode="mirror"))
        for sigma in sigmas
    ]
    retinex = sum(parts) / len(parts)
    ordered = np.sort(retinex.ravel())
    rank = clip_percent / 100 * (ordered.size - 1)
    low, high = np.interp([rank, ordered.size - 1 - rank], np.arange(ordered.size), ordered)
    return np.clip(255 * (retinex - low) / (high - low), 0, 255)


@pytest.mark.parametrize("clip_percent", [1.0, 0.0, 5.0])
def test_retinex_equals_scipy(image, clip_percent):
    found = single_scale_retinex(image, clip_percent=clip_percent)
    expected = retinex_by_scipy(image, (80,), clip_percent)
    assert largest_difference(found, expected) <= 0.51
    found = multi_scale_retinex(image, clip_percent=clip_percent)
    expected = retinex_by_scipy(image, (15, 80, 250), clip_percent)
    assert largest_difference(found, expected) <= 0.51


def test_retinex_stretch(image):
    full = single_scale_retinex(image, clip_percent=0)
    assert full.min() == 0 and full.max() == 255
    assert np.sum(full == 0) < 0.005 * full.size
    clipped = single_scale_retinex(image, clip_percent=5)
    assert 0.045 < np.mean(clipped == 0) < 0.08 and 0.045 < np.mean(clipped == 255) < 0.08
    for clip_percent in (-1, 50, 99):
        with pytest.raises(ValueError, match="clip_percent must be at least 0 and below 50"):
            single_scale_retinex(image, clip_percent=clip_percent)


def test_retinex_parameters_are_the_published_ones_by_default():
    image = dark_image((128, 160))
    ssr, msr = single_scale_retinex(image), multi_scale_retinex(image)
    assert np.array_equal(ssr, multi_scale_retinex(image, (80,), 1.0))
    # bit for bit, because 240 for 250 moves some pixels by no more than one grey level
    assert np.array_equal(msr, multi_scale_retinex(image, (15, 80, 250), 1.0))
    assert not np.array_equal(msr, multi_scale_retinex(image, (15, 80, 240), 1.0))


def test_retinex_does_not_blow_up_a_single_pixel():
    image = np.full((64, 64), 200, dtype=np.uint8)
    image[20, 30] = 201
    assert np.array_equal(single_scale_retinex(image), image)
    assert np.array_equal(multi_scale_retinex(image), image)


# All of them


def test_methods_are_called_as_in_table_3():
    assert METHODS == {
        "HE": histogram_equalization, "CLAHE": clahe, "GF": guided_filter_enhancement,
        "SSR": single_scale_retinex, "MSR": multi_scale_retinex,
    }


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
@pytest.mark.filterwarnings("error")
def test_constant_images_stay_constant(method):
    for level in range(256):
        result = method(np.full((16, 24), level, dtype=np.uint8))
        assert result.dtype == np.uint8 and np.ptp(result) == 0
        if method is not clahe:  # whose clipped histogram moves a constant
            assert result[0, 0] == level


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
@pytest.mark.filterwarnings("error")
def test_any_size_and_memory_order(method):
    for shape in ((1, 1), (1, 9), (9, 1), (2, 2), (7, 50)):
        image = dark_image(shape)
        before = image.copy()
        result = method(image)
        assert result.shape == shape and result.dtype == np.uint8
        assert not np.shares_memory(result, image) and np.array_equal(image, before)
    image = dark_image((40, 40))
    assert np.array_equal(method(np.asfortranarray(image)), method(image))
    window = dark_image((80, 80))[::2, 40:]
    assert np.array_equal(method(window), method(window.copy()))


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_number_of_threads_does_not_matter(method):
    image = dark_image((200, 150))
    threads = cv2.getNumThreads()
    try:
        results = []
        for count in (1, 2, 5):
            cv2.setNumThreads(count)
            results.append(method(image))
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])


@pytest.mark.parametrize("name", METHODS)
def test_stacks_give_what_their_images_give_in_any_order(name):
    batch = np.stack([dark_image((48, 32), seed) for seed in range(4)])
    batch[2] = 77  # a constant neighbour must not matter
    singles = np.stack([METHODS[name](image) for image in batch])
    found = enhance(name, batch)
    assert found.dtype == np.uint8
    assert np.array_equal(found, singles)
    order = [2, 0, 3, 1]
    assert np.array_equal(enhance(name, batch[order]), singles[order])
    assert np.array_equal(enhance(name, batch[1:2]), singles[1:2])


BAD_IMAGES = {
    "float": (np.zeros((8, 8), np.float32), "uint8 array, not float32"),
    "16 bit": (np.zeros((8, 8), np.uint16), "uint8 array, not uint16"),
    "list": ([[1, 2], [3, 4]], "uint8 array, not list"),
    "colour": (np.zeros((8, 8, 3), np.uint8), r"grey image \(H, W\)"),
    "stack": (np.zeros((2, 8, 8), np.uint8), r"grey image \(H, W\)"),
    "empty": (np.zeros((0, 8), np.uint8), r"grey image \(H, W\)"),
}


@pytest.mark.parametrize("image, message", BAD_IMAGES.values(), ids=BAD_IMAGES.keys())
def test_what_is_not_a_grey_8_bit_image_is_refused(image, message):
    for method in METHODS.values():
        with pytest.raises(ValueError, match=message):
            method(image)


def test_enhance_refuses_unknown_names_and_other_shapes():
    with pytest.raises(ValueError, match="choose one of HE, CLAHE, GF, SSR, MSR"):
        enhance("BF", np.zeros((2, 8, 8), np.uint8))
    for shape in ((8, 8), (0, 8, 8), (8, 8, 3), (2, 8, 8, 3)):
        with pytest.raises(ValueError, match=r"grey images \(N, H, W\)"):
            enhance("HE", np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="uint8 array, not float64"):
        enhance("HE", np.zeros((2, 8, 8)))
