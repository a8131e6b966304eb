"""From the Sober-Drunk database to 1120 pairs for enhancement (2D-GAN, "Data settings", Table 7).

The paper screens its frames, since those 100 ms apart are alike, then flips, rotates, crops, covers
and blurs the ones that are left to 640 drunk and 480 sober images, divided 7:2:1. Here:

    select_frames    frames that differ from the others kept of their sequence
    square_face      their centre square at the size of the network
    augment          copies by two or three of the five operations
    load_faces       the pairs, divided by person, or by frame to see whether that flatters

Table 7 gives PSNR and SSIM of both the "original" and the enhanced images and does not say against
which reference. We take the recorded frame as the reference and a degraded copy of it as the
original: enhancement then leads back to the recorded frame, and all four figures of Table 7 rise.
`stretched_reference` is the other reading.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from lib.evaluation.classical import clahe
from lib.data import sober_drunk
from lib.data.degradation import DegradationRanges, degrade
from lib.data.enhancement import SPLITS, EnhancementData, Pairs
from lib.data.fingerprint import DataSet
from lib.data.sober_drunk import SoberDrunkData
from lib.files import write_atomically
from lib.paths import cache_dir
from lib.provenance import code_hash, module_closure

N_IMAGES = {"drunk": 640, "sober": 480}
SHARES = dict(zip(SPLITS, (7, 2, 1), strict=True))  # in tenths
DIVISIONS = ("person", "frame")

# Mean absolute difference in grey levels. Successive frames of someone sitting still differ by 1 to
# 2, which is the camera's noise.
THRESHOLD = 3.0

# Chosen on the images of the training persons, among 144 sets, so that the mean over them resembles
# the column "Original image" of Table 7. Milder than on ImageNet in every respect.
FACE_RANGES = DegradationRanges(
    contrast=(0.75, 0.95), noise=(0.5, 1.5), blur=(0.3, 0.5), brightness=(0.77, 0.92)
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
        if all(_difference(data.frames[i], data.frames[k]) >= threshold for k in others):
            others.append(i)
    return np.sort(np.concatenate([*kept.values()]))


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(cv2.absdiff(a, b).mean())


def square_face(frame: np.ndarray, size: int = 128) -> np.ndarray:
    """The centre square of a frame (H, W), 122 of 122 x 160, resized (Lanczos): (size, size)."""
    edge = min(frame.shape)
    top, left = (length - edge for length in frame.shape)
    square = frame[top // 2 : top // 2 + edge, left // 2 : left // 2 + edge]
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.LANCZOS))


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


# Division


def image_count(split: str, state: str) -> int:
    """How many of the 1120 images a part has of a state: 448 + 336, 128 + 96, 64 + 48."""
    return N_IMAGES[state] * SHARES[split] // sum(SHARES.values())


def divide(data: SoberDrunkData, chosen: np.ndarray, division: str) -> np.ndarray:
    """The split of each basic frame `chosen` (N,).

    "person": that of its person. "frame": the frames of each state at random 7:2:1, whoever they
    show, so that persons and sequences are in several parts. In both, all copies of a frame are in
    one part.
    """
    if division == "person":
        return data.split[chosen]
    splits = np.empty(len(chosen), dtype=object)
    cuts = np.cumsum(list(SHARES.values())) / sum(SHARES.values())
    for state in N_IMAGES:
        rng = np.random.default_rng([0, zlib.crc32(state.encode())])
        order = rng.permutation(np.flatnonzero(data.state[chosen] == state))
        places = np.rint(cuts[:-1] * len(order)).astype(int)
        for split, part in zip(SPLITS, np.split(order, places), strict=True):
            splits[part] = split
    return splits.astype(str)


def arrange(data: SoberDrunkData, chosen: np.ndarray, split: str) -> list[tuple[int, Face]]:
    """The images of one part in their fixed order: the position of the frame, and the face.

    All frames `chosen` (of this part) come first, then a copy of each, another of each, and so on
    until the part is full; first the first frame of every person, then the second ones. Drunk and
    sober faces alternate 4:3, so that the first n are mixed for every n. Raises ValueError where
    the part has no frame of a state.
    """
    placed = []
    for state in N_IMAGES:
        frames = [i for i in chosen if data.state[i] == state]
        if not frames:
            raise ValueError(f"{split} has no {state} face: the Sober-Drunk files are too few")
        persons = [int(data.person[i]) for i in frames]
        rank = {i: persons[:k].count(persons[k]) for k, i in enumerate(frames)}  # in its sequence
        frames.sort(key=lambda i: (rank[i], i))
        count = image_count(split, state)
        for k in range(count):
            copy, place = divmod(k, len(frames))
            i = frames[place]
            face = Face(int(data.person[i]), state, int(data.frame[i]), copy)
            placed.append(((k + 0.5) / count, state, i, face))
    return [(i, face) for _, _, i, face in sorted(placed)]


def face_image(frame: np.ndarray, face: Face, size: int = 128) -> np.ndarray:
    """The image of `face`, made from its frame: (size, size) bytes."""
    return augment(square_face(frame, size), face.name, operations_of(face))


def describe(root: Path, division: str = "person") -> DataSet:
    """What `load_faces` takes; the name says so where persons are not divided."""
    if division not in DIVISIONS:
        raise ValueError(f"unknown division {division!r}; there are {', '.join(DIVISIONS)}")
    dataset = sober_drunk.describe(root)
    if division == "person":
        return dataset
    return replace(dataset, name=f"{dataset.name}, split by {division}")


def load_faces(
    root: Path,
    size: int = 128,
    division: str = "person",
    n_train: int | None = None,
    n_validation: int | None = None,
    n_test: int | None = None,
) -> EnhancementData:
    """The pairs: 784 for training, 224 for validation, 112 for test; kept in the cache.

    Args:
        root: data root (data/README.md); without the database the synthetic faces are taken.
        size: height and width in pixels.
        division: "person", or "frame" (see `divide`).
        n_train, n_validation, n_test: at most so many images, the first of a fixed order, so that
            fewer are a subset of more; None for all.

    `reference` is the recorded frame or its augmented copy, `degraded` the same by FACE_RANGES.
    Raises ValueError for a broken database, an unknown division and a limit below 1.
    """
    limits = dict(zip(SPLITS, (n_train, n_validation, n_test), strict=True))
    for split, n in limits.items():
        if n is not None and n < 1:
            raise ValueError(f"n_{split} is {n}; it must be at least 1, or None for all images")
    dataset = describe(root, division)
    code = code_hash([*module_closure("lib.data.faces"), sober_drunk.SPLITS_CSV])
    ranges = asdict(FACE_RANGES)
    key = json.dumps([dataset.fingerprint, code, size, division, limits, ranges, THRESHOLD])
    path = cache_dir("packs") / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    if not path.exists():
        _make(path, sober_drunk.load(root), size, division, limits)
    with np.load(path) as pack:
        pairs = {
            split: Pairs(
                pack[f"{split}_reference"], pack[f"{split}_degraded"],
                tuple(pack[f"{split}_names"].tolist()),
            )
            for split in SPLITS
        }  # fmt: skip
    return EnhancementData(dataset.name, dataset.fingerprint, **pairs)


def _make(path: Path, data: SoberDrunkData, size: int, division: str, limits: dict) -> None:
    """Writes names, reference and degraded images of each split to `path`."""
    chosen = select_frames(data)
    splits = divide(data, chosen, division)
    arrays = {}
    for split, limit in limits.items():
        placed = arrange(data, chosen[splits == split], split)[:limit]
        names = [face.name for _, face in placed]
        reference = np.stack([face_image(data.frames[i], face, size) for i, face in placed])
        degraded = np.stack([
            degrade(image, name, 0, FACE_RANGES)
            for image, name in zip(reference, names, strict=True)
        ])  # fmt: skip
        arrays |= {f"{split}_names": np.array(names), f"{split}_reference": reference,
                   f"{split}_degraded": degraded}  # fmt: skip

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as stream:  # given a name, savez would append .npz to it
            np.savez(stream, **arrays)

    write_atomically(path, write)


def stretched_reference(pairs: Pairs) -> Pairs:
    """The other reading of Table 7: the recorded image is the original, not the reference.

    The reference is then the recorded image by CLAHE with clip limit 1, the mildest, since of the
    methods of `lib.evaluation.classical` it gives the original the PSNR and SSIM nearest to Table 7's.
    """
    reference = np.stack([clahe(image, clip_limit=1.0) for image in pairs.reference])
    return Pairs(reference, pairs.reference, pairs.names)
