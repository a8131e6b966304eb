"""Which test images are shown: chosen by rules that look at inputs and names, never at a result."""

from collections.abc import Sequence

import numpy as np

from lib.data.enhancement import EnhancementData
from lib.data.faces import N_IMAGES, parse
from lib.data.pairs import TranslationData
from lib.data.splits import evenly
from lib.metrics import psnr
from lib.papers import reported

CANDIDATES = 100  # the first test images: those that every profile but `test` has


def choose_examples(key: str, data: EnhancementData | TranslationData) -> list[int]:
    """Positions among the test images of those that figures show of a data set."""
    if isinstance(data, TranslationData):
        test = data.split["test"].tolist()
        return [test.index(i) for i in example_pairs(data)]
    if key.startswith("sober_drunk"):
        return one_of_each_person(data.test.names)
    printed = reported.table("2dgan", "table3")["OG"]
    targets = [printed[f"Img{k}.PSNR"] for k in (1, 2, 3)]
    return nearest(psnr(data.test.degraded, data.test.reference)[:CANDIDATES], targets)


def nearest(values: np.ndarray, targets: Sequence[float]) -> list[int]:
    """For each target in turn the position of the nearest value (N,), each position once.

    2D-GAN's Img1 to Img3 (Table 3) are not named. Ours are the test images whose degraded input has
    the PSNR nearest to the paper's column OG, so that the rows start from alike conditions.
    """
    positions: list[int] = []
    for target in targets:
        distance = np.abs(values - target)
        distance[positions] = np.inf
        positions.append(int(np.argmin(distance)))
    return positions


def one_of_each_person(names: Sequence[str]) -> list[int]:
    """Positions of one face of every person, their states alternating where they can."""
    faces = [parse(name) for name in names]
    chosen = []
    for k, person in enumerate(dict.fromkeys(face.person for face in faces)):
        wanted = list(N_IMAGES)[k % 2]
        own = [i for i, face in enumerate(faces) if face.person == person]
        chosen.append(min(own, key=lambda i: (faces[i].state != wanted, i)))
    return chosen


def example_pairs(data: TranslationData, count: int = 3) -> list[int]:
    """Indices of `count` test pairs for the figures, of different scenes as far as there are.

    The first pair of each scene, evenly spread over the scenes by name: nothing is picked by eye.
    """
    test = data.split["test"].tolist()
    first = sorted({data.scenes[i]: i for i in reversed(test)}.values())
    ordered = first + [i for i in test if i not in first]
    return sorted(evenly(ordered[: max(len(first), count)], count))
