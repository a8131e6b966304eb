"""From the Sober-Drunk database to 1120 pairs for enhancement (2D-GAN, "Data settings", Table 7).

The paper screens its frames, since those 100 ms apart are alike (`select_frames`), then flips,
rotates, crops, covers and blurs the ones that are left (`augment`) to 640 drunk and 480 sober
images, divided 7:2:1 (`load_by_person`; `load_by_frame` to see whether that flatters).

Table 7 gives PSNR and SSIM of both the "original" and the enhanced images and does not say against
which reference. We take the recorded frame as the reference and a degraded copy of it as the
original: enhancement then leads back to the recorded frame, and all four figures of Table 7 rise.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from lib.data import sober_drunk, splits
from lib.data.degradation import DegradationRanges
from lib.data.enhancement import EnhancementData, Images, Pairs, kept_pairs
from lib.data.fingerprint import DataSet, of_values
from lib.data.images import centre_square
from lib.data.sober_drunk import SoberDrunkData
from lib.data.splits import SHARES, Limits
from lib.provenance import identity

N_IMAGES = {"drunk": 640, "sober": 480}

# Mean absolute difference in grey levels. Successive frames of someone sitting still differ by 1 to
# 2, which is the camera's noise.
THRESHOLD = 3.0

# Only the contrast is random, as on ImageNet. Of 160 sets the nearest in AG, IE, PSNR and SSIM to
# the column "Original image" of Table 7, on the images of the training persons.
FACE_RANGES = DegradationRanges(
    contrast=(0.75, 0.95), noise=(1.0, 1.0), blur=(0.4, 0.4), brightness=(0.84, 0.84)
)


class Face(NamedTuple):
    """One image: the frame it comes from, and which copy; 0 is the frame itself."""

    person: int
    state: str
    frame: int
    copy: int

    @property
    def name(self) -> str:
        return f"{self.person:02d}_{self.state}_{self.frame:02d}_{self.copy:02d}"


def parse(name: str) -> Face:
    """The face that `Face.name` names."""
    person, state, frame, copy = name.split("_")
    return Face(int(person), state, int(frame), int(copy))


def select_frames(data: SoberDrunkData, threshold: float = THRESHOLD) -> np.ndarray:
    """Positions of the basic frames: in order, each that differs from all kept of its sequence.

    Two frames differ where their mean absolute difference is at least `threshold` grey levels. The
    first frame of a sequence is always kept.
    """
    kept: dict[tuple, list[int]] = {}
    for i, sequence in enumerate(zip(data.person, data.state, strict=True)):
        others = kept.setdefault(sequence, [])
        frame = data.frames[i]
        if all(cv2.absdiff(frame, data.frames[k]).mean() >= threshold for k in others):
            others.append(i)
    return np.sort(np.concatenate([*kept.values()]))


# Augmentation: each operation takes an image (S, S) of bytes and a random generator


def flip(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Left and right exchanged."""
    return np.ascontiguousarray(image[:, ::-1])


def rotate(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By 5 to 15 degrees to either side about the centre; the border is mirrored."""
    size = len(image)
    angle = rng.choice((-1, 1)) * rng.uniform(5, 15)
    matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), angle, 1)
    return cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )


def crop(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A square of 75 to 92 % of the side, anywhere, at the size of the whole."""
    size = len(image)
    edge = round(size * rng.uniform(0.75, 0.92))
    top, left = rng.integers(size - edge + 1, size=2)
    window = image[top : top + edge, left : left + edge]
    return cv2.resize(window, (size, size), interpolation=cv2.INTER_CUBIC)


def blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By a Gaussian of standard deviation 0.5 to 1.2 pixels."""
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.2))


def cover(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A black rectangle, anywhere, its sides 15 to 35 % of the image's."""
    size = len(image)
    height, width = np.rint(size * rng.uniform(0.15, 0.35, size=2)).astype(int)
    top, left = rng.integers(size - height + 1), rng.integers(size - width + 1)
    covered = image.copy()
    covered[top : top + height, left : left + width] = 0
    return covered


OPERATIONS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "flipped": flip,
    "rotated": rotate,
    "cropped": crop,
    "blurred": blur,
    "partly covered": cover,
}
COMBINATIONS = tuple(chosen for n in (2, 3) for chosen in combinations(OPERATIONS, n))


def operations_of(face: Face) -> tuple[str, ...]:
    """Which operations make a copy, in the order they are applied: each of a frame has others."""
    if face.copy == 0:
        return ()
    rng = np.random.default_rng([1, zlib.crc32(face._replace(copy=0).name.encode())])
    return COMBINATIONS[rng.permutation(len(COMBINATIONS))[(face.copy - 1) % len(COMBINATIONS)]]


def augment(image: np.ndarray, name: str, operations: Sequence[str]) -> np.ndarray:
    """The operations one after the other, their amounts drawn from `name`: (S, S) bytes."""
    rng = np.random.default_rng([0, zlib.crc32(name.encode())])
    for operation in operations:
        image = OPERATIONS[operation](image, rng)
    return image


def arrange(data: SoberDrunkData, chosen: np.ndarray, split: str) -> list[tuple[int, Face]]:
    """The images of one part in their fixed order: the position of the frame, and the face.

    All frames `chosen` (of this part) come first, then a copy of each, another of each, and so on
    until the part is full; first the first frame of every person, then the second ones. Drunk and
    sober faces alternate 4:3, so that the first n are mixed for every n. Raises ValueError where
    the part has no frame of a state.
    """
    placed = []
    for state, total in N_IMAGES.items():
        frames = chosen[data.state[chosen] == state]
        if not len(frames):
            raise ValueError(f"{split} has no {state} face: the Sober-Drunk files are too few")
        rank = pd.Series(data.person[frames], frames).groupby(data.person[frames]).cumcount()
        frames = rank.sort_values(kind="stable").index  # by rank in their sequences
        count = total * SHARES[split] // sum(SHARES.values())  # 448 + 336, 128 + 96 ...
        for k in range(count):
            copy, place = divmod(k, len(frames))
            i = frames[place]
            face = Face(int(data.person[i]), state, int(data.frame[i]), copy)
            placed.append(((k + 0.5) / count, state, i, face))
    return [(i, face) for _, _, i, face in sorted(placed)]


def _derived(kind: str, how: str, root: Path) -> DataSet:
    """The database taken in another way, which makes it another data set."""
    recorded = sober_drunk.describe(root)
    key, content = f"sober_drunk_{kind.replace(' ', '_')}", of_values(recorded.fingerprint, kind)
    return replace(recorded, key=key, name=f"{recorded.name}, {how}", fingerprint=content)


# what `load_by_frame` and `load_recorded` take; `load_by_person` what `sober_drunk.describe` says
describe_by_frame = partial(_derived, "by frame", "split by frame")
describe_recorded = partial(_derived, "recorded", "recorded as the original")


def load_by_person(root: Path, size: int, limits: Limits) -> EnhancementData:
    """784 pairs for training, 224 for validation, 112 for test; see `lib.data.catalogue.load`.

    `reference` is the recorded frame or its augmented copy, `degraded` the same by FACE_RANGES. No
    person is in two parts. Fewer images are a subset of more. Raises ValueError for a broken
    database.
    """
    dataset = sober_drunk.describe(root)
    return _load(dataset, root, size, limits, lambda data, chosen: data.split[chosen])


def load_by_frame(root: Path, size: int, limits: Limits) -> EnhancementData:
    """As `load_by_person`, but frames are divided: persons and sequences are in several parts."""
    dataset = describe_by_frame(root)
    by_frame = splits.by_frame
    return _load(dataset, root, size, limits, lambda data, chosen: by_frame(data.state[chosen]))


def load_recorded(root: Path, size: int, limits: Limits) -> EnhancementData:
    """The other reading of Table 7: the recorded image is the original, not the reference.

    `degraded` is the recorded frame or its copy, `reference` the same by CLAHE with clip limit 1,
    the mildest: of the classical methods it gives the original the PSNR and SSIM nearest to those
    of Table 7. Divided by person.
    """
    dataset, data = describe_recorded(root), load_by_person(root, size, limits)
    stretch = cv2.createCLAHE(1.0, (8, 8)).apply
    parts = {}
    for split in splits.SPLITS:
        recorded = getattr(data, split)
        stretched = np.stack([stretch(image) for image in recorded.reference])
        parts[split] = Pairs(stretched, recorded.reference, recorded.names)
    return replace(data, name=dataset.name, fingerprint=dataset.fingerprint, **parts)


def _load(
    dataset: DataSet, root: Path, size: int, limits: Limits, divide: Callable
) -> EnhancementData:
    """`divide` gives the splits of the basic frames `chosen` (N,) of recorded `data`; all copies of
    a frame are in one part."""

    def images() -> Images:
        data = sober_drunk.load(root)
        chosen = select_frames(data)
        split_of = divide(data, chosen)
        for split in splits.SPLITS:
            placed = arrange(data, chosen[split_of == split], split)[: limits.get(split)]
            yield split, [face.name for _, face in placed], [
                augment(centre_square(data.frames[i], size), face.name, operations_of(face))
                for i, face in placed
            ]

    return kept_pairs(dataset, [identity(_load, divide), size, dict(limits)], images, FACE_RANGES)
