"""Methods that nothing is trained for: each makes, from the data of a run, a function on images.

Enhancement: grey bytes (N, H, W) to (N, H, W). Translation: visible bytes (N, H, W, 3) to infrared
bytes (N, H, W). None of them looks at a test image before it is asked to judge it.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from lib.data.enhancement import EnhancementData
from lib.data.pairs import TranslationData
from lib.evaluation import classical


def fit_input(data: EnhancementData) -> Callable[[np.ndarray], np.ndarray]:
    """The input as it is: what every network has to improve on."""
    return np.copy


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
    "visible": fit_visible,
    "mean": fit_mean,
    **{name: _classical(name) for name in classical.METHODS},
}
