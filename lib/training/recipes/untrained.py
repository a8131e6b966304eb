"""Methods that nothing is trained for: each makes, from the data of a run, a function on images.

Enhancement: grey bytes (N, H, W) to (N, H, W). Translation: visible bytes (N, H, W, 3) to infrared
bytes (N, H, W). None of them looks at a test image before it is asked to judge it; `undo_true`
alone knows the true factors of the test images.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from lib.data.degradation import factors, undo
from lib.data.enhancement import EnhancementData, Pairs
from lib.data.pairs import TranslationData
from lib.evaluation import classical


def fit_input(data: EnhancementData) -> Callable[[np.ndarray], np.ndarray]:
    """The input as it is: what every network has to improve on."""
    return np.copy


def fit_tone_map(data: EnhancementData) -> Callable[[np.ndarray], np.ndarray]:
    """Each image's mean and deviation set to what a linear regression expects of its reference.

    The regression is fitted on the training images: what can be had by setting brightness and
    contrast alone.
    """
    found = tone_regression(data.train)
    return lambda images: np.rint(set_tone(images, found)).astype(np.uint8)


def tone_regression(pairs: Pairs) -> np.ndarray:
    """(3, 3) by least squares: mean, deviation, 1 of a degraded image -> those of its reference."""
    return np.linalg.lstsq(_tone(pairs.degraded), _tone(pairs.reference), rcond=None)[0]


def set_tone(images: np.ndarray, regression: np.ndarray) -> np.ndarray:
    """Grey levels (N, H, W) 0..255 with mean and deviation as a `tone_regression` expects them,
    float64 within 0..255."""
    before = _tone(images)
    after = before @ regression
    scale = after[:, 1] / np.maximum(before[:, 1], 1e-6)
    apart = images - before[:, 0, None, None]
    return np.clip(after[:, 0, None, None] + scale[:, None, None] * apart, 0, 255)


def _tone(images: np.ndarray) -> np.ndarray:
    """(N, H, W) -> (N, 3): mean, deviation, 1."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    return np.stack([flat.mean(axis=1), flat.std(axis=1), np.ones(len(flat))], axis=1)


def fit_undo_middle(data: EnhancementData) -> Callable[[np.ndarray], np.ndarray]:
    """Brightness and contrast taken back as if each image had the middle of the ranges."""
    return lambda images: np.stack([undo(image, data.ranges.middle()) for image in images])


def fit_undo_true(data: EnhancementData) -> Callable[[np.ndarray], np.ndarray]:
    """Brightness and contrast taken back by what each test image was degraded with.

    No method: it knows what is to be found out, and shows what finding it out is worth.
    """
    known = [factors(name, ranges=data.ranges) for name in data.test.names]
    return lambda images: np.stack([undo(*pair) for pair in zip(images, known, strict=True)])


def fit_visible(data: TranslationData) -> Callable[[np.ndarray], np.ndarray]:
    """The visible image itself, the mean of its colours."""
    return lambda visible: np.rint(visible.mean(axis=-1)).astype(np.uint8)


def fit_mean(data: TranslationData) -> Callable[[np.ndarray], np.ndarray]:
    """The same image for every scene: the mean of the training set's infrared images."""
    mean = np.rint(data.infrared[data.split["train"]].mean(axis=0)).astype(np.uint8)
    return lambda visible: np.repeat(mean[None], len(visible), axis=0)


def _classical(name: str) -> Callable[[EnhancementData], Callable[[np.ndarray], np.ndarray]]:
    return lambda data: partial(classical.enhance, name)


METHODS = {
    "input": fit_input,
    "tone_map": fit_tone_map,
    "undo_middle": fit_undo_middle,
    "undo_true": fit_undo_true,
    "visible": fit_visible,
    "mean": fit_mean,
    **{name: _classical(name) for name in classical.METHODS},
}
